// The requests from the login to each page of the menu, each in a browser without a cache.
//
//   node requests.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> "<part> <parts>"
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, fillLogin, login, open, play, say, settled} from './shared.mjs';

/** The pages with contents of their own that come after the heading, each with a sign that they are there. */
const COMPLETE = {
  'reporting/dashboard': '[data-testid="plot-latency"]',
  'reporting/system_analytics': '[data-testid="authors"] canvas',
};

const [part, parts] = process.argv[8].split(' ').map(Number);

/** The number of pages that are open at once. */
const PARALLEL = 4;

/** Opens a page from its login on, and returns the requests. */
async function opened(browser, address) {
  const page = await open(browser);
  await page.goto(`${base}/admin_console/${address}`);
  await page.waitForSelector('#input_loginId');
  const requests = [];
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    requests.push(`${request.method()} ${pathname}${search}`);
  });
  await fillLogin(page);
  await settled(page);
  if (COMPLETE[address]) await page.waitForSelector(COMPLETE[address]);
  // A frame that draws for a long time keeps the page from being idle.
  if (address === 'about/api') await page.frameLocator('.api-frame').locator('.opblock').first().waitFor();
  else await page.waitForLoadState('networkidle');
  const at = page.url();
  await page.context().close();
  return { requests, at };
}

await play(async (browser) => {
  const first = await open(browser);
  await login(first);
  const menu = await first.$$eval('#sidebar a', (links) => links.map((link) => link.id));
  await first.context().close();
  const left = menu.filter((_, index) => index % parts === part);
  const work = async () => {
    for (let address = left.shift(); address; address = left.shift()) say(address, await opened(browser, address));
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
});
