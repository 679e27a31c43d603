// Every page of the console in one theme and one width: it opens, axe finds nothing, and a picture is kept.
//
//   node pages.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> "<theme> <width>"
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, follow, login, open, picture, play, say, violations} from './shared.mjs';

const [colorScheme, text] = process.argv[8].split(' ');
const width = Number(text);
const isWide = width > 800;

await play(async (browser) => {
  const page = await open(browser, { colorScheme, viewport: { width, height: isWide ? 900 : 740 } });
  const found = [];
  const check = async (name) => {
    await picture(page, `${name}_${colorScheme}_${width}`);
    for (const violation of await violations(page)) found.push(`${name}: ${violation}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (overflow > 0) found.push(`${name}: ${overflow} pixels are beside the screen`);
  };
  await page.goto(`${base}/login`);
  await page.waitForSelector('#input_loginId');
  await check('login');
  await login(page);
  const pages = await page.$$eval('#sidebar a', (links) => links.map((link) => link.id));
  for (const address of pages) {
    await follow(page, address);
    await check(address);
  }
  if (!isWide) {
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.waitForSelector('#sidebar a');
    await check('menu');
  }
  say('look', { found, count: pages.length });
});
