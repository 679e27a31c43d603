// The server's log and the audit trail in a real browser: filters, following, 100,000 lines, downloads, the way from a
// line to the record of its request and back.
//
//   node logs.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {readFileSync} from 'node:fs';

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

const LOGS = 'reporting/server_logs';
const AUDITS = 'compliance/audit_logging';
const COUNT_OF_LINES = 100_000;
const MARKER = 'a message of the scenario';

/** Sends a request with the session of the page. Returns its id. */
const request = (page, method, path, body) => page.evaluate(async (sent) => {
  const csrf = document.cookie.match(/MMCSRF=(\w+)/)?.[1] ?? '';
  const url = new URL(`/api/v4/${sent.path}`, location.href);
  const answer = await fetch(url, { method: sent.method, body: JSON.stringify(sent.body), headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf } });
  return answer.headers.get('X-Request-Id');
}, { method, path, body });

/** Waits until the log has a line; a thread of its own writes it. */
const written = (page, filter) => page.evaluate(async (body) => {
  const csrf = document.cookie.match(/MMCSRF=(\w+)/)?.[1] ?? '';
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(new URL('/api/v4/logs/query', location.href), { method: 'POST', body: JSON.stringify(body), headers: { 'X-CSRF-Token': csrf } });
    if (Object.keys(await answer.json()).length > 0) return tries + 1;
  }
  throw new Error('the line was never written');
}, filter);

const rows = (page, list) => page.locator(`#${list} .window-row`);
const count = (page) => byId(page, 'logCount').innerText();
const shown = (page, text) => page.waitForFunction((wanted) => document.querySelector('[data-testid="logCount"]').innerText.startsWith(wanted), text);

await play(async (browser) => {
  const page = await open(browser, { expected: [404], acceptDownloads: true });
  await login(page);
  await visit(page, LOGS);
  await rows(page, 'log-lines').first().waitFor();

  // The newest line comes first; a filter is applied by its button.
  await request(page, 'POST', 'logs', { level: 'ERROR', message: MARKER });
  const looks = await written(page, { text: MARKER });
  await byId(page, 'level-error').check();
  await byId(page, 'filter-text').fill(MARKER);
  const stale = await page.locator('.log-filter-actions .help').innerText();
  await byId(page, 'showLines').click();
  await shown(page, '1 line');
  await rows(page, 'log-lines').first().click();
  const fields = await byId(page, 'line').innerText();
  await picture(page, 'log_line_light_1280');
  say('filter', { stale, fields, violations: await violations(page) });

  // Following: a new line appears by itself, and no line of the page's own requests.
  await page.getByRole('button', { name: 'Reset' }).click();
  await byId(page, 'line').waitFor({ state: 'detached' });
  await byId(page, 'filter-requests').check();
  await byId(page, 'showLines').click();
  await rows(page, 'log-lines').first().waitFor();
  await byId(page, 'follow').click();
  await request(page, 'POST', 'logs', { level: 'ERROR', message: 'a line that comes later' });
  await page.getByText('a line that comes later').first().waitFor();
  const own = await page.getByText('http.route=/api/v4/logs/query').count();
  const newest = await rows(page, 'log-lines').evaluateAll((all) => all.slice(0, 3).map((row) => row.innerText));
  await byId(page, 'follow').click();
  say('follow', { newest, own, looks, is_pressed: await byId(page, 'follow').getAttribute('aria-pressed') });

  // Nothing is sent while the page is out of sight.
  let queries = 0;
  page.on('request', (one) => { if (one.url().includes('/logs/query')) queries += 1; });
  const sight = (state) => page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await sight('hidden');
  await byId(page, 'follow').click();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const hidden = queries;
  const looked = page.waitForRequest((one) => one.url().includes('/logs/query'));
  await sight('visible');
  await looked;
  await byId(page, 'follow').click();
  say('sight', { hidden, visible: queries });

  // Downloads: of what is shown, and of the whole log.
  const [mine] = await Promise.all([page.waitForEvent('download'), byId(page, 'downloadShown').click()]);
  const lines = readFileSync(await mine.path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const [whole] = await Promise.all([page.waitForEvent('download'), byId(page, 'downloadAll').click()]);
  say('download', {
    name: mine.suggestedFilename(), count: lines.length, shown: await count(page),
    is_sorted: lines.every((line, index) => index === 0 || lines[index - 1].timestamp <= line.timestamp),
    whole: readFileSync(await whole.path(), 'utf8').includes(MARKER),
  });

  // From a request to its lines, from there to its record, and back.
  const id = await request(page, 'PUT', 'config/patch', { TeamSettings: { SiteName: 'Harbour' } });
  await written(page, { request_id: id });
  await page.goto('about:blank');
  await visit(page, `${LOGS}#request=${id}`);
  await rows(page, 'log-lines').first().click();
  await page.getByRole('link', { name: 'Audit record of this request' }).click();
  await byId(page, 'changes').waitFor();
  const changes = await byId(page, 'changes').innerText();
  const record = await byId(page, 'record').innerText();
  await picture(page, 'audit_record_light_1280');
  const flaws = await violations(page);
  await page.getByRole('link', { name: 'Lines of this request in the log' }).click();
  await rows(page, 'log-lines').first().waitFor();
  say('links', { id, changes, record, violations: flaws, back: await byId(page, 'filter-request').inputValue(), count: await count(page) });

  // The trail: by user, by outcome, and the keyboard.
  await visit(page, AUDITS);
  await rows(page, 'audit-lines').first().waitFor();
  const all = await byId(page, 'auditCount').innerText();
  await byId(page, 'withoutReads').check();
  await byId(page, 'filter-text').fill('patchconfig');
  await byId(page, 'showRecords').click();
  await page.waitForFunction(() => document.querySelector('[data-testid="auditCount"]').innerText.includes(' of '));
  const events = await page.locator('.audit-event').allInnerTexts();
  await page.locator('#audit-lines').focus();
  await page.keyboard.press('ArrowDown');
  await byId(page, 'changes').waitFor();
  const active = await page.locator('#audit-lines').getAttribute('aria-activedescendant');
  await page.keyboard.press('Escape');
  await byId(page, 'record').waitFor({ state: 'detached' });
  await byId(page, 'filter-text').fill('');
  await byId(page, 'filter-user').fill('no-such-user');
  await byId(page, 'showRecords').click();
  const refusal = await byId(page, 'errorMessage').innerText();
  await byId(page, 'filter-user').fill('@plain');
  await byId(page, 'showRecords').click();
  await page.waitForFunction(() => [...document.querySelectorAll('.audit-user')].every((one) => one.innerText === 'plain') && document.querySelector('.audit-user'));
  say('trail', { all, events, active, refusal, plain: await page.locator('.audit-event').allInnerTexts() });

  // 100,000 made-up lines: only those in sight are elements.
  const made = await open(browser, { storageState: await page.context().storageState() });
  const levels = ['info', 'info', 'warn', 'error', 'debug'];
  let next = COUNT_OF_LINES;
  await made.route('**/logs/query*', async (route) => {
    const wanted = Math.min(next, Number(new URL(route.request().url()).searchParams.get('logs_per_page')));
    const records = Array.from({ length: wanted }, (_, index) => {
      const number = next - wanted + index;
      const at = new Date(Date.UTC(2026, 0, 1) + number * 10_000).toISOString().replace('T', ' ').replace('Z', ' Z');
      return { timestamp: at, level: levels[number % 5], msg: `made-up line ${number}`, caller: 'made/up.rs:1', 'request.id': `id${number}`, 'http.status': 200 };
    });
    next -= wanted;
    await route.fulfill({ json: { default: records } });
  });
  await visit(made, LOGS);
  await shown(made, '1,000 lines');
  while (next > 0) {
    const before = await count(made);
    await byId(made, 'older').click();
    await made.waitForFunction((text) => document.querySelector('[data-testid="logCount"]').innerText !== text, before);
  }
  const total = await count(made);
  const frames = await made.evaluate(async () => {
    const list = document.getElementById('log-lines');
    const times = [];
    let most = 0;
    for (let step = 1; step <= 60; step += 1) {
      const begun = performance.now();
      list.scrollTop = (list.scrollHeight * step) / 60;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      times.push(performance.now() - begun);
      most = Math.max(most, list.querySelectorAll('.window-row').length);
    }
    return { most, times: times.sort((one, other) => one - other) };
  });
  const last = await rows(made, 'log-lines').last().innerText();
  await made.getByRole('radio', { name: 'Plain' }).check();
  const plain = await rows(made, 'log-lines').last().innerText();
  await made.getByRole('radio', { name: 'Structured' }).check();
  await made.locator('#log-lines').focus();
  await made.keyboard.press('End');
  await byId(made, 'line').waitFor();
  await made.keyboard.press('Home');
  await made.waitForFunction(() => document.getElementById('log-lines').scrollTop === 0);
  await picture(made, 'log_many_light_1280');
  say('many', { total, plain, elements: frames.most, last, median: frames.times[30], slowest: frames.times[59], ends: await byId(made, 'older').count() });
  await made.context().close();

  // Several made-up servers: the clock of "two" is an hour behind, "three" is silent at first and goes away for a while.
  const several = await open(browser, { storageState: await page.context().storageState() });
  const clocks = { one: 0, two: -3_600_000, three: 0 };
  const world = { at: Date.UTC(2020, 2, 1, 12), silent: ['three'], gone: [], cut: ['one'], lines: [] };
  const write = (server, message) => world.lines.push({ server, at: world.at + clocks[server], message });
  const stamp = (at) => new Date(at).toISOString().replace('T', ' ').replace('Z', ' Z');
  const parsed = (text) => { const [day, time, zone] = text.split(' '); return Date.parse(`${day}T${time}${zone}`); };
  const lags = [];
  await several.route('**/logs/query*', async (route) => {
    const { server_names: chosen, date_from: since } = route.request().postDataJSON();
    const from = since ? parsed(since) : 0;
    if (from > 0 && chosen.length === 0) lags.push((world.at - from) / 1000);
    const living = Object.keys(clocks).filter((server) => !world.gone.includes(server));
    const wanted = living.filter((server) => chosen.length === 0 || chosen.includes(server));
    const silent = wanted.filter((server) => world.silent.includes(server));
    const answering = wanted.filter((server) => !silent.includes(server));
    const pages = answering.map((server) => [server, world.lines.filter((line) => line.server === server && line.at >= from)]);
    const records = pages.filter(([, lines]) => lines.length > 0)
      .map(([server, lines]) => [server, lines.map(({ at, message }) => ({ timestamp: stamp(at), level: 'info', msg: message }))]);
    const list = (servers, valueOf) => servers.map((server) => `${server}=${valueOf(server)}`).join(', ');
    const headers = {
      'X-Logs-Nodes': living.join(', '), 'X-Logs-Clocks': list(answering, (server) => world.at + clocks[server]),
      ...(silent.length > 0 && { 'X-Logs-Missing': list(silent, () => 'silent') }),
      ...(world.cut.length > 0 && { 'X-Logs-Cut': 'time', 'X-Logs-Cut-Nodes': list(world.cut, () => 'time') }),
    };
    await route.fulfill({ json: Object.fromEntries(records), headers });
  });
  await visit(several, LOGS);
  // A search that ended without a line is not complete.
  await byId(several, 'older').waitFor();
  const absent = await byId(several, 'missingServer').innerText();
  world.cut = [];
  write('one', 'an older line');
  await byId(several, 'older').click();
  await several.getByText('an older line').waitFor();
  const later = async (change, text) => {
    world.at += 100_000;
    change();
    await several.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await several.getByText(text).waitFor();
  };
  await byId(several, 'follow').click();
  await later(() => { write('two', 'a line of a slow clock'); write('three', 'a line of a silent server'); }, 'a line of a slow clock');
  await later(() => { world.silent = []; }, 'a line of a silent server');
  await later(() => { world.gone = ['three']; write('three', 'a line of a server that was away'); write('one', 'a line of others'); }, 'a line of others');
  await later(() => write('one', 'a later line of others'), 'a later line of others');
  await later(() => { world.gone = []; }, 'a line of a server that was away');
  say('servers', { absent, total: await count(several), lags });
  await several.context().close();

  // A caller who may only read sees the records, but not the values.
  const reader = await open(browser);
  await login(reader, 'reader');
  await visit(reader, AUDITS);
  await rows(reader, 'audit-lines').first().click();
  const seen = await byId(reader, 'record').innerText();
  await byId(reader, 'filter-request').fill(id);
  await byId(reader, 'showRecords').click();
  await byId(reader, 'auditCount').getByText(id).waitFor();
  await byId(reader, 'record').getByText('patchConfig').waitFor();
  say('reader', { record: seen, found: await rows(reader, 'audit-lines').count() });
});
