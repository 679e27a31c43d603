// One caller in the console: the pages of the menu, what can be edited there, and an address that is not in the menu.
//
//   node roles.mjs <browser peer> <console peer> <base URL> <any> <password> <folder for pictures> <name>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, follow, login, open, play, say, settled} from './shared.mjs';

const account = process.argv[8];

await play(async (browser) => {
  const page = await open(browser, { expected: [403] });
  const refused = [];
  page.on('response', (response) => {
    if ([401, 403].includes(response.status())) refused.push(`${response.request().method()} ${new URL(response.url()).pathname}`);
  });
  await login(page, account);
  const menu = await page.$$eval('#sidebar a', (all) => all.map((one) => one.id));
  const enabled = {};
  for (const address of menu) {
    await follow(page, address);
    const others = page.getByRole('button', { name: /^Show \d+$/ });
    if (await others.count()) await others.click();
    // Pages with filters have fields that are no settings.
    enabled[address] = await page.$$eval('.row[data-testid*="Settings."]', (rows) => rows
      .filter((row) => row.querySelector('.row-body > :not(details) :is(input, select, textarea):enabled, .row-body > :is(input, select, textarea):enabled, .secret button:enabled'))
      .map((row) => row.dataset.testid));
  }
  await page.waitForLoadState('networkidle');
  say('menu', { menu, enabled, refused: [...refused], heading: await page.locator('h1').innerText() });
  // The address of a page that the caller may not see leads to the first page of the menu.
  const hidden = 'reporting/configuration_history';
  if (menu.length > 0 && !menu.includes(hidden)) {
    await page.goto(`${base}/admin_console/${hidden}`);
    await settled(page);
    await page.waitForFunction((address) => !location.pathname.endsWith(address), hidden);
    say('hidden', { at: new URL(page.url()).pathname });
  }
});
