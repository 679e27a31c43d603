// The servers on one database, on the dashboard.
//
//   node nodes.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {byId, login, open, picture, play, say, violations} from './shared.mjs';

await play(async (browser) => {
  for (const [colorScheme, width] of [['light', 1280], ['dark', 360]]) {
    const page = await open(browser, { colorScheme, viewport: { width, height: 860 } });
    await login(page);
    const table = byId(page, 'nodes');
    await table.waitFor();
    const rows = await table.locator('tbody tr').allInnerTexts();
    await table.scrollIntoViewIfNeeded();
    await picture(page, `nodes ${colorScheme} ${width}`);
    say('nodes', { rows, violations: await violations(page), isWide: await page.evaluate(() => document.body.scrollWidth > innerWidth) });
    await page.context().close();
  }
});
