// The dashboard, the statistics, the licence and the tools in a real browser.
//
//   node dashboard.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <text of a licence>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {readFileSync} from 'node:fs';
import process from 'node:process';

import {base, byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

const license = process.argv[8];

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 500], acceptDownloads: true });
  const text = (id) => byId(page, id).innerText();
  const figure = (name) => byId(page, `figure-${name}`).locator('dd').innerText();
  const button = (name) => page.getByRole('button', { name, exact: true });

  const requested = [];
  page.on('request', (request) => { if (request.url().includes('/analytics/')) requested.push(request.url()); });

  // The first page: health, attention, and the busy mark, set and cleared.
  await login(page);
  await byId(page, 'health').waitFor();
  const address = new URL(page.url()).pathname;
  const tiles = await page.$$eval('.dash-tile', (all) => all.map((tile) => tile.innerText.split('\n').slice(0, 2)));
  const actors = await page.$$eval('.dash-actors li', (all) => all.map((one) => one.textContent.trim()));
  // The list of a new server names it; without the list, it needs attention.
  await byId(page, 'hideSetup').click();
  await byId(page, 'attention').filter({ hasText: 'No site URL is set' }).waitFor();
  const attention = await text('attention');
  await page.fill('#busySeconds', '86401');
  const isRefused = await button('Mark as busy').isDisabled();
  await page.fill('#busySeconds', '600');
  await button('Mark as busy').click();
  await button('Take the mark away').waitFor();
  const flag = await page.evaluate(async () => (await fetch('../../api/v4/server_busy')).json());
  const seconds = Math.round(flag.expires - Date.now() / 1000);
  const marked = await text('busy');
  await button('Take the mark away').click();
  await byId(page, 'busy').filter({ hasText: 'Not marked as busy.' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.dash-plot canvas').length === 6);
  await byId(page, 'plot-memory').scrollIntoViewIfNeeded();
  await picture(page, 'dashboard_plots_light_1280');
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, 'dashboard_light_1280');
  say('dashboard', {
    address, tiles, actors, attention, is_refused: isRefused, seconds, marked,
    drawn: await page.locator('.dash-plot canvas').count(), live: await text('live'), requested,
    plots: await page.$$eval('.dash-plot', (all) => all.map((one) => one.dataset.testid)), violations: await violations(page),
  });

  // Figures: 0 is shown as 0, and the table has the days of the plot.
  await visit(page, 'reporting/system_analytics');
  await byId(page, 'figure-post_count').waitFor();
  await page.waitForSelector('[data-testid="authors"] canvas');
  await byId(page, 'posts').getByText('As a table').click();
  await picture(page, 'statistics_light_1280');
  say('statistics', {
    accounts: await figure('unique_user_count'), posts: await figure('post_count'),
    size: await figure('total_file_size'), total: await byId(page, 'posts').locator('> p').innerText(),
    days: await byId(page, 'posts').locator('tbody tr').count(), canvases: await page.locator('.plot canvas').count(),
    violations: await violations(page),
  });

  // The licence: a refusal in the server's words, a licence in force, its removal with a question.
  const put = async (body) => {
    await page.setInputFiles('#licenseFile', { name: 'own.license', mimeType: 'text/plain', buffer: Buffer.from(body) });
    await button('Install').click();
  };
  await visit(page, 'about/license');
  await byId(page, 'trial').waitFor();
  const none = await text('license');
  await put('no licence');
  await byId(page, 'errorMessage').waitFor();
  const refusal = await text('errorMessage');
  await button('Dismiss').click();
  await put(license);
  await byId(page, 'removeLicense').waitFor();
  const inForce = await text('license');
  const hasTrial = await byId(page, 'trial').count();
  await picture(page, 'license_light_1280');
  const found = await violations(page);
  await byId(page, 'removeLicense').click();
  const question = await page.locator('dialog').innerText();
  await button('Cancel').click();
  const kept = await byId(page, 'removeLicense').count();
  await byId(page, 'removeLicense').click();
  await byId(page, 'confirmRemoval').click();
  await byId(page, 'license').filter({ hasText: 'No licence is installed.' }).waitFor();
  say('license', { none, refusal, in_force: inForce, trial: hasTrial, question, kept, violations: found });

  // Tools: each says how it ended.
  await visit(page, 'environment/tools');
  const use = async (id) => {
    await page.click(`#${id}`);
    await byId(page, `${id}Result`).waitFor();
    return text(`${id}Result`);
  };
  const ended = {};
  for (const id of ['caches', 'recycle', 'reload', 'testMail', 'testPush']) ended[id] = await use(id);
  await page.fill('#siteUrlToTest', base);
  const reached = await use('testSiteUrl');
  await page.fill('#siteUrlToTest', 'http://127.0.0.1:1');
  const stale = await byId(page, 'testSiteUrlResult').count();
  const missed = await use('testSiteUrl');
  say('tools', { ended, reached, stale, missed, integrity: await text('integrity'), schema: await text('schema') });

  // The support packet: its manifest first, then the file.
  await page.getByText('With the logs').click();
  await page.click('#preparePacket');
  await byId(page, 'manifest').waitFor();
  const files = await page.$$eval('[data-testid="manifest"] > table tbody code', (all) => all.map((one) => one.textContent));
  await picture(page, 'tools_light_1280');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#savePacket')]);
  const start = readFileSync(await download.path()).subarray(0, 2).toString();
  say('packet', { files, name: download.suggestedFilename(), start, violations: await violations(page) });
  await page.context().close();

  // A caller who may only read gets no buttons that the server would refuse.
  const reader = await open(browser);
  await login(reader, 'reader');
  await visit(reader, 'reporting/dashboard');
  await byId(reader, 'health').waitFor();
  const busy = await byId(reader, 'busy').count();
  await visit(reader, 'environment/tools');
  await byId(reader, 'schema').getByText('Version').waitFor();
  const buttons = await reader.locator('.page button').allInnerTexts();
  await visit(reader, 'about/license');
  await byId(reader, 'edition').waitFor();
  say('reader', { busy, buttons, upload: await byId(reader, 'upload').count(), violations: await violations(reader) });
});
