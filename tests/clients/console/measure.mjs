// Measures how a page of the console starts: the medians of seven visits, cold (a browser without a cache) and warm.
// docs/console.md has the results.
//
//   node measure.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {readdirSync} from 'node:fs';

import {base, login, open, play, say, settled} from './shared.mjs';

const ADDRESS = 'environment/smtp';
const VISITS = 7;
const SOURCES = new URL('../../../src/web/console/', import.meta.url);

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

await play(async (browser) => {
  const first = await open(browser);
  await login(first);
  const storageState = await first.context().storageState();
  const hash = await first.evaluate(() => document.querySelector('script').src.match(/assets\/(\w+)\//)[1]);
  const visits = { cold: [], warm: [] };
  for (let visit = 0; visit < VISITS; visit += 1) {
    const page = await open(browser, { storageState });
    const client = await page.context().newCDPSession(page);
    await client.send('Network.enable');
    await client.send('Performance.enable');
    let now = { requests: 0, bytes: 0 };
    client.on('Network.requestWillBeSent', () => { now.requests += 1; });
    client.on('Network.loadingFinished', ({ encodedDataLength }) => { now.bytes += encodedDataLength; });
    for (const kind of ['cold', 'warm']) {
      now = { requests: 0, bytes: 0 };
      await page.goto(`${base}/admin_console/${ADDRESS}`, { waitUntil: 'commit' });
      await settled(page);
      now.complete = await page.evaluate(() => new Promise((ready) => requestAnimationFrame(() => ready(performance.now()))));
      now.paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
      await page.waitForLoadState('networkidle');
      now.elements = await page.evaluate(() => document.querySelectorAll('*').length);
      const { metrics } = await client.send('Performance.getMetrics');
      now.heap = metrics.find(({ name }) => name === 'JSHeapUsedSize').value;
      visits[kind].push(now);
    }
    await page.context().close();
  }
  for (const [kind, all] of Object.entries(visits)) {
    say(kind, Object.fromEntries(Object.keys(all[0]).map((name) => [name, Math.round(median(all.map((one) => one[name])))])));
  }
  // All files together, as they are sent. Most modules are in the file of another one.
  const names = ['console.css', ...readdirSync(SOURCES, { recursive: true }).map(String)];
  let bytes = 0;
  let files = 0;
  for (const name of names) {
    const response = await first.request.get(`${base}/quarterdeck/assets/${hash}/${name}`, { headers: { 'Accept-Encoding': 'gzip' } });
    if (!response.ok()) continue;
    files += 1;
    bytes += Number(response.headers()['content-length'] ?? 0);
  }
  say('files', { files, bytes });
});
