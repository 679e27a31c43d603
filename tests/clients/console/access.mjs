// All requests that the console makes for an administrator: every page, and work on those that have more than settings.
//
//   node access.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {base, byId, follow, login, open, play, say, visit} from './shared.mjs';

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 404, 500] });
  const sent = new Map();
  page.on('request', (request) => {
    const url = request.url();
    // The description of the API is for everyone, and names settings without values.
    if (!/\/api\/v4\/|\/readyz/.test(url) || /users\/log(in|out)|\/api\/v4\/openapi/.test(url)) return;
    const one = { method: request.method(), path: url.slice(base.length), body: request.postData() };
    sent.set(JSON.stringify(one), one);
  });
  await login(page);
  const addresses = await page.$$eval('#sidebar a', (all) => all.map((one) => one.id));
  for (const address of addresses) await follow(page, address);
  await page.waitForLoadState('networkidle');

  // A save with its dry run, and its undoing from the history.
  await visit(page, 'environment/smtp');
  await byId(page, 'EmailSettings.SMTPPassword').getByRole('button', { name: /^(Enter|Replace)/ }).click();
  await byId(page, 'EmailSettings.SMTPPasswordinput').fill('planted-typed');
  await byId(page, 'fingerprints').click();
  await byId(page, 'difference').getByText('fingerprint').first().waitFor();
  await page.click('#saveSetting');
  await byId(page, 'notice').waitFor();
  await visit(page, 'reporting/configuration_history');
  const versions = byId(page, 'version');
  await versions.nth(1).waitFor();
  await versions.nth(0).locator('summary').click();
  await versions.nth(0).locator('input').check();
  await versions.nth(1).locator('input').check();
  await page.click('#compareVersions');
  await byId(page, 'versionDifference').waitFor();
  await byId(page, 'versionDifference').getByRole('button', { name: 'Close' }).click();
  await versions.nth(1).getByRole('button', { name: /^Roll back/ }).click();
  await byId(page, 'preview').waitFor();
  await page.click('#rollBackNow');
  await versions.getByText('Rolled back').first().waitFor();

  // A test of a store, tools, accounts, roles, the log and the trail.
  await visit(page, 'environment/file_storage');
  await page.click('#TestFileStoreConnection');
  await page.waitForSelector('.test-verdict');
  await visit(page, 'environment/tools');
  for (const id of ['caches', 'recycle', 'reload', 'testMail']) {
    await page.click(`#${id}`);
    await byId(page, `${id}Result`).waitFor();
  }
  await visit(page, 'user_management/users');
  await byId(page, 'users').waitFor();
  await byId(page, 'user-other').locator('a').click();
  await page.waitForSelector('h1:text-is("other")');
  await byId(page, 'sessions').waitFor();
  await visit(page, 'user_management/permissions#system_manager');
  await page.waitForSelector('.permissions-table');
  await visit(page, 'compliance/audit_logging');
  await page.locator('#audit-lines .window-row').first().click();
  await byId(page, 'record').waitFor();
  await page.waitForLoadState('networkidle');
  say('requests', { sent: [...sent.values()] });
});
