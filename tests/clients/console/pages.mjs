// Every page of the console in one theme and two widths: it opens, axe finds nothing, and a picture is kept.
//
//   node pages.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <light or dark>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {PAGES, base, follow, login, open, picture, play, say, violations, visit} from './shared.mjs';

const colorScheme = process.argv[8];
const WIDTHS = [1440, 360];

const WIDE_HEIGHT = 900;

await play(async (browser) => {
  let all = [];
  for (const width of WIDTHS) {
    const page = await open(browser, { colorScheme, viewport: { width, height: width > 800 ? WIDE_HEIGHT : 740 } });
    const look = `${colorScheme}_${width}`;
    const found = [];
    const check = async (name) => {
      await picture(page, `${name}_${look}`);
      for (const violation of await violations(page)) found.push(`${name}: ${violation}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) found.push(`${name}: ${overflow} pixels are beside the screen`);
    };
    await page.goto(`${base}/login`);
    await page.waitForSelector('#input_loginId');
    await check('login');
    await login(page);
    const links = await page.$$eval('#sidebar a', (elements) => elements.map((element) => element.id));
    all = [...new Set([...PAGES, ...links])];
    // Pages that are made from the settings alike are checked in one look only.
    const isFirst = colorScheme === 'light' && width > 800;
    await visit(page, PAGES[0]);
    for (const address of isFirst ? all : PAGES) {
      await follow(page, address);
      await check(address);
    }
    if (width < 800) {
      await page.getByRole('button', { name: 'Menu' }).click();
      await page.waitForSelector('#sidebar a');
      await check('menu');
    }
    say('look', { look, found });
    await page.context().close();
  }
  say('pages', { count: all.length });
});
