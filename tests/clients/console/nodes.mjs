// The servers on one database: on the dashboard, on the page of the log, and in the test of a store.
//
//   node nodes.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

/** Returns the texts of the first rows of the log. */
const rows = (page) => page.locator('#log-lines .window-row').evaluateAll((all) => all.slice(0, 6).map((row) => row.innerText.replaceAll('\n', ' ')));
const shown = (page, text) => page.waitForFunction((wanted) => document.querySelector('[data-testid="logCount"]').innerText.startsWith(wanted), text);

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

  const page = await open(browser, {});
  await login(page);
  await visit(page, 'reporting/server_logs');
  await shown(page, '80 lines');
  const all = await rows(page);
  const servers = await byId(page, 'filter-server').locator('option').allInnerTexts();
  await picture(page, 'nodes log');
  const found = await violations(page);
  await byId(page, 'filter-server').selectOption(servers[2]);
  await byId(page, 'showLines').click();
  await shown(page, '40 lines');
  say('log', { all, servers, one: await rows(page), violations: found });

  await visit(page, 'environment/file_storage');
  await page.locator('#TestFileStoreConnection').click();
  await byId(page, 'testedServers').waitFor();
  say('store', { servers: await byId(page, 'testedServers').innerText(), violations: await violations(page) });
});
