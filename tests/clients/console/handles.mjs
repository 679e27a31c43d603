// The ids and test ids by which scripts for Mattermost's System Console find its elements.
//
//   node handles.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {base, byId, fillLogin, follow, name, open, play, say, settled, visit} from './shared.mjs';

/** Returns the handles that are missing in the rows of the open page, and the number of rows. */
const missingInRows = (page) => page.evaluate(async () => {
  const { settings } = await (await fetch(new URL('/api/v4/config/schema', location.href))).json();
  const types = new Map(settings.map((setting) => [setting.path, setting]));
  const rows = [...document.querySelectorAll('.row[data-testid*="Settings."]')];
  const missing = rows.flatMap((row) => {
    const path = row.dataset.testid;
    const { type, secret, writable } = types.get(path);
    const input = row.querySelector(`[id="${path}"]`);
    const has = (suffix) => row.querySelector(`[data-testid="${path}${suffix}"]`) !== null;
    const suffixes = {
      bool: ['true', 'false'], int: ['number'], string: input?.tagName === 'SELECT' ? ['dropdown'] : ['input'],
    }[type] ?? ['input'];
    // A part of another setting has no field, and a secret has one once it is wanted.
    const isField = !secret && row.querySelector('input, select, textarea') !== null;
    const absent = isField ? suffixes.filter((suffix) => !has(suffix)) : [];
    if (!has('help-text')) absent.push('help-text');
    if ((isField || (secret && writable && !path.includes('[]'))) && !input) absent.push('id');
    return absent.map((suffix) => `${path} ${suffix}`);
  });
  return { missing, count: rows.length };
});

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 401] });
  const exists = (selector) => page.locator(selector).count().then((count) => count === 1);

  // The login.
  await page.goto(`${base}/login`);
  await fillLogin(page, name, 'wrong');
  await byId(page, 'errorMessage').waitFor();
  await fillLogin(page);
  await settled(page);
  const focus = await page.evaluate(() => document.activeElement.id);
  say('shell', {
    focus, wrapper: await exists('#adminConsoleWrapper'), sidebar: await exists('[data-testid="admin-sidebar"]'),
    placeholder: await page.locator('#adminSidebarFilter').getAttribute('placeholder'),
    categories: await page.$$eval('#sidebar section[data-testid]', (all) => all.map((one) => one.dataset.testid)),
    links: await page.$$eval('#sidebar a', (all) => all.map((one) => [one.id, new URL(one.href).pathname])),
  });

  // The rows of all pages.
  const addresses = await page.$$eval('#sidebar a', (all) => all.map((one) => one.id));
  const missing = [];
  let count = 0;
  for (const address of addresses) {
    await follow(page, address);
    const others = page.getByRole('button', { name: /^Show \d+$/ });
    if (await others.count()) await others.click();
    const found = await missingInRows(page);
    missing.push(...found.missing);
    count += found.count;
  }
  say('rows', { missing, count });

  // A save, with the refusal of the server; leaving with changes.
  await visit(page, 'environment/web_server');
  const save = page.locator('#saveSetting[data-testid="saveSetting"]');
  const before = { text: await save.innerText(), is_disabled: await save.isDisabled() };
  await page.getByRole('button', { name: /^Show \d+$/ }).click();
  await byId(page, 'ServiceSettings.WebsocketURLinput').fill('x y');
  let answer = () => {};
  const held = new Promise((resolve) => { answer = resolve; });
  await page.route('**/config/patch*', async (route) => {
    await held;
    await route.continue();
  });
  await save.click();
  await page.locator('#saveSetting:text-is("Saving Config...")').waitFor();
  answer();
  await byId(page, 'errorMessage').waitFor();
  await page.locator('[id="environment/smtp"]').click();
  const question = await page.locator('#confirmModal h2').innerText();
  const buttons = [await page.locator('#confirmModalButton').innerText(), await exists('#cancelModalButton')];
  await page.click('#confirmModalButton');
  say('save', { before, question, buttons });

  // A setting that is held elsewhere, and one with a secret.
  await visit(page, 'environment/web_server');
  const pinned = byId(page, 'ServiceSettings.ListenAddress');
  const locked = { alert: await pinned.locator('.alert.alert-warning').count(), is_disabled: await pinned.locator('[id="ServiceSettings.ListenAddress"]').isDisabled() };
  await visit(page, 'environment/file_storage');
  await byId(page, 'FileSettings.DriverNamedropdown').selectOption('amazons3');
  await byId(page, 'FileSettings.AmazonS3SecretAccessKey').getByRole('button', { name: /^Enter/ }).click();
  const secret = await byId(page, 'FileSettings.AmazonS3SecretAccessKeyinput').getAttribute('id');
  await page.getByRole('button', { name: 'Discard' }).click();
  say('fields', { locked, secret, size: await byId(page, 'FileSettings.MaxFileSizenumber').inputValue() });

  // The test of a store.
  const test = byId(page, 'TestFileStoreConnection');
  const label = await test.locator('#TestFileStoreConnection').innerText();
  await page.click('#TestFileStoreConnection');
  await test.locator('.alert-success').waitFor();
  say('test', { label, outcome: await test.locator('.alert-success').innerText() });
});
