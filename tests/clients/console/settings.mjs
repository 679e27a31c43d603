// Settings in a real browser: login, search, difference, save, refusal, leaving, 412, a pinned field, the end of the
// session, a caller without rights; the number of requests and of bytes.
//
//   node settings.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {base, byId, login, name, open, password, picture, play, say, violations, visit} from './shared.mjs';

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 401, 403, 412] });

  // The login: a wrong password, then the right one; then the first page with few requests.
  await page.goto(`${base}/`);
  await page.fill('#input_loginId', name);
  await page.fill('#input_password-input', 'wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  const refusal = await byId(page, 'errorMessage').innerText();
  const requests = [];
  page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.fill('#input_password-input', password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForSelector('#saveSetting, #page h1');
  await page.waitForLoadState('networkidle');
  say('login', { refusal, requests, address: new URL(page.url()).pathname });

  // A fresh start of a deep page: all its requests and bytes.
  const cold = await open(browser, { storageState: await page.context().storageState() });
  let bytes = 0;
  const loaded = [];
  cold.on('requestfinished', async (request) => {
    loaded.push(request.url());
    const sizes = await request.sizes();
    bytes += sizes.responseBodySize;
  });
  await visit(cold, 'environment/smtp');
  await cold.waitForLoadState('networkidle');
  const paint = await cold.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
  const total = bytes;
  const count = new Set(loaded).size;
  await cold.reload();
  await cold.waitForSelector('#saveSetting');
  const warm = await cold.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
  const script = await cold.evaluate(() => performance.getEntriesByType('resource').length);
  say('start', { requests: count, bytes: total, paint, warm, script });
  await cold.context().close();

  // The search finds by name, by label and by help, and leads to the row.
  const found = {};
  for (const query of ['AmazonS3Region', 'smtp server port', 'largest file in bytes']) {
    await page.fill('#adminSidebarFilter', query);
    found[query] = await page.locator('.sidebar .result code').first().innerText();
  }
  await page.fill('#adminSidebarFilter', 'EmailSettings.SMTPServer');
  await page.press('#adminSidebarFilter', 'Enter');
  await page.waitForSelector('#saveSetting');
  await page.waitForFunction(() => document.activeElement?.id === 'EmailSettings.SMTPServer');
  say('search', { found, address: new URL(page.url()).pathname + new URL(page.url()).hash });

  // A difference, an undo, a save; only the changed key goes.
  await page.fill('#adminSidebarFilter', '');
  const isDisabled = () => page.locator('#saveSetting').isDisabled();
  const before = await isDisabled();
  await byId(page, 'EmailSettings.SMTPServerinput').fill('mail.example');
  const during = await isDisabled();
  const difference = await byId(page, 'difference').innerText();
  await byId(page, 'EmailSettings.SMTPServer').getByRole('button', { name: 'Undo' }).click();
  const undone = await isDisabled();
  await byId(page, 'EmailSettings.SMTPServerinput').fill('mail.example');
  await byId(page, 'comment').fill('a new mail server');
  await picture(page, 'difference_light_1280');
  const sent = page.waitForRequest((request) => request.method() === 'PUT');
  await page.click('#saveSetting');
  const request = await sent;
  await byId(page, 'notice').waitFor();
  say('save', {
    before, during, undone, difference, body: request.postDataJSON(), after: await isDisabled(),
    has_version: Boolean((await request.allHeaders())['if-match']), query: new URL(request.url()).search,
  });

  // A refusal by the page, and one by the server, at their fields and in a list that leads there.
  await byId(page, 'EmailSettings.SMTPServerTimeoutnumber').fill('ten');
  await page.click('#saveSetting');
  const own = await byId(page, 'EmailSettings.SMTPServerTimeout').locator('.refusal').innerText();
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.click('[id="environment/web_server"]');
  await page.getByRole('button', { name: /^Show \d+$/ }).click();
  await byId(page, 'ServiceSettings.WebsocketURLinput').fill('x y');
  await page.click('#saveSetting');
  await byId(page, 'errorMessage').waitFor();
  const server = await byId(page, 'ServiceSettings.WebsocketURL').locator('.refusal').innerText();
  await picture(page, 'refusal_light_1280');
  say('refusal', { own, server, list: await page.locator('.refused li').innerText(), stays: await isDisabled() });

  // Leaving with changes asks, by a link and by the browser's own button.
  await page.click('[id="environment/logging"]');
  const question = await page.locator('#confirmModal h2').innerText();
  await page.click('#cancelModalButton');
  const stayed = new URL(page.url()).pathname;
  await page.goBack();
  await page.click('#confirmModalButton');
  await page.waitForSelector('#page h1');
  const left = new URL(page.url()).pathname;
  say('leaving', { question, stayed, left });

  // A change that another one overtook.
  await visit(page, 'environment/smtp');
  await byId(page, 'EmailSettings.SMTPServerinput').fill('mine.example');
  await byId(page, 'EmailSettings.SMTPPortinput').fill('2525');
  const other = await page.context().newPage();
  await visit(other, 'environment/smtp');
  await byId(other, 'EmailSettings.SMTPServerinput').fill('theirs.example');
  await other.click('#saveSetting');
  await byId(other, 'notice').waitFor();
  await other.close();
  await page.click('#saveSetting');
  await page.waitForSelector('#conflict');
  await picture(page, 'conflict_light_1280');
  const row = byId(page, 'EmailSettings.SMTPServerconflict');
  const columns = await row.locator('td').allInnerTexts();
  await row.locator('input[value="theirs"]').check();
  await page.click('#resolveConflict');
  const merged = await byId(page, 'difference').innerText();
  await page.click('#saveSetting');
  await byId(page, 'notice').waitFor();
  say('conflict', {
    columns, merged, server: await byId(page, 'EmailSettings.SMTPServerinput').inputValue(),
    port: await byId(page, 'EmailSettings.SMTPPortinput').inputValue(),
  });

  // A pinned field is locked, and names its place.
  await visit(page, 'environment/web_server');
  const pinned = byId(page, 'ServiceSettings.ListenAddress');
  say('pinned', {
    is_locked: await byId(page, 'ServiceSettings.ListenAddressinput').isDisabled(),
    value: await byId(page, 'ServiceSettings.ListenAddressinput').inputValue(),
    alert: await pinned.locator('.alert-warning').innerText(),
  });

  // A change that waits for a restart: every page says so.
  await byId(page, 'ServiceSettings.ReadTimeoutnumber').fill('301');
  await page.click('#saveSetting');
  const waiting = await byId(page, 'pendingRestart').innerText();
  await page.click('[id="environment/logging"]');
  await page.waitForSelector('h1:text("Logging")');
  await picture(page, 'pending_light_1280');
  say('pending', { waiting, elsewhere: await byId(page, 'pendingRestart').count(), violations: await violations(page) });

  // A secret has no field until one is wanted; the value is never shown.
  await visit(page, 'environment/smtp');
  await byId(page, 'EmailSettings.EnableSMTPAuthtrue').check();
  const inputs = await page.locator('input[type="password"]').count();
  const secret = byId(page, 'EmailSettings.SMTPPassword');
  await secret.getByRole('button', { name: 'Enter' }).click();
  await byId(page, 'EmailSettings.SMTPPasswordinput').fill('hidden-secret');
  await byId(page, 'fingerprints').click();
  await byId(page, 'difference').getByText('fingerprint').waitFor();
  const shown = await byId(page, 'difference').innerText();
  await page.click('#saveSetting');
  await byId(page, 'notice').waitFor();
  await byId(page, 'EmailSettings.SMTPPasswordsince').waitFor();
  say('secret', { inputs, shown, state: await byId(page, 'EmailSettings.SMTPPasswordstate').innerText(), since: await byId(page, 'EmailSettings.SMTPPasswordsince').innerText(), left: await page.locator('input[type="password"]').count() });

  // The session ends while something is typed: the login comes in place, and the save goes on.
  await byId(page, 'EmailSettings.SMTPServerinput').fill('kept.example');
  await page.context().clearCookies({ name: 'MMAUTHTOKEN' });
  await page.click('#saveSetting');
  await page.waitForSelector('#sessionEnded');
  await picture(page, 'session_ended_light_1280');
  const focus = await page.evaluate(() => document.activeElement.id);
  const kept = await byId(page, 'EmailSettings.SMTPServerinput').inputValue();
  await page.fill('#input_password-input', password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.save-count', { hasText: 'No changes' }).waitFor();
  say('session', { focus, kept, saved: await byId(page, 'EmailSettings.SMTPServerinput').inputValue(), is_disabled: await isDisabled() });

  // A caller without rights, and an address that does not exist.
  await page.goto(`${base}/admin_console/no/such/page`);
  await page.waitForSelector('#page h1');
  const first = new URL(page.url()).pathname;
  const plain = await open(browser, { expected: [403] });
  await login(plain, 'plain');
  await picture(plain, 'refused_light_1280');
  say('rights', { first, heading: await plain.locator('h1').innerText(), sidebar: await plain.locator('#sidebar').count() });
  // A caller who may only read: nothing to type, nothing to save.
  const reader = await open(browser);
  await login(reader, 'reader');
  await visit(reader, 'environment/file_storage');
  await picture(reader, 'read_only_light_1280');
  const fields = '#page .row :is(input, select, textarea)';
  say('reader', {
    fields: await reader.locator(fields).count(), enabled: await reader.locator(`${fields}:enabled`).count(),
    save: await reader.locator('#saveSetting').count(), note: await reader.locator('.page-note').innerText(),
    violations: await violations(reader),
  });

  // An anonymous visitor sends no request for data at all.
  const visitor = await open(browser);
  const asked = [];
  visitor.on('request', (one) => { if (one.url().includes('/api/')) asked.push(one.url()); });
  await visitor.goto(`${base}/admin_console/environment/smtp`);
  await visitor.waitForSelector('#input_loginId');
  say('visitor', { asked });
});
