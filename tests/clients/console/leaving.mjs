// Callers whose session ends, who lose a permission, and who lose their role, while the console is open.
//
//   node leaving.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <JSON>
//
// The JSON has the token of an administrator, and the id of the account that loses its role. Prints one JSON object for
// each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, byId, login, open, password, picture, play, say, violations, visit} from './shared.mjs';

const { token, deputy } = JSON.parse(process.argv[8]);
const SERVER = 'EmailSettings.SMTPServerinput';

/** Sends a request as the other administrator. */
async function other(method, path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await fetch(`${base}/api/v4/${path}`, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

await play(async (browser) => {
  const page = await open(browser, { expected: [401, 403] });
  const connected = page.waitForEvent('websocket');
  await login(page, 'deputy');
  await connected;
  await visit(page, 'environment/smtp');
  await byId(page, SERVER).fill('typed.example');

  // The session ends: the login comes by itself, in place, and keeps what was typed.
  await other('POST', `users/${deputy}/sessions/revoke/all`, {});
  await page.waitForSelector('#sessionEnded');
  const kept = await byId(page, SERVER).inputValue();
  const again = page.waitForEvent('websocket');
  await page.fill('#input_password-input', password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('#sessionEnded').waitFor({ state: 'detached' });
  say('revoked', { kept, after: await byId(page, SERVER).inputValue() });
  await (await again).waitForEvent('framereceived');

  // A role loses a permission: its page goes, with a question that is open on it.
  const reader = await open(browser, { expected: [403] });
  const readerConnected = reader.waitForEvent('websocket');
  await login(reader, 'reader');
  await visit(reader, 'user_management/users');
  await byId(reader, 'users').waitFor();
  await readerConnected;
  const link = reader.locator('[id="user_management/users"]');
  const before = await link.count();
  const role = await other('GET', 'roles/name/system_read_only_admin');
  const permissions = role.permissions.filter((name) => !name.includes('user_management_users'));
  await other('PUT', `roles/${role.id}/patch`, { permissions });
  await link.waitFor({ state: 'detached' });
  await reader.waitForFunction(() => !location.pathname.endsWith('user_management/users'));
  say('less', {
    before, after: await link.count(), page: new URL(reader.url()).pathname,
    list: await byId(reader, 'users').count(), dialogs: await reader.locator('dialog').count(),
  });
  await reader.context().close();

  // Another page of the deputy has no socket, and learns of it from a refusal.
  const deaf = await open(browser, { expected: [403] });
  await deaf.routeWebSocket(/websocket/, () => {});
  await login(deaf, 'deputy');
  await visit(deaf, 'environment/smtp');

  // The role is taken: nothing of the console stays, not even a form with changes.
  await other('PUT', `users/${deputy}/roles`, { roles: 'system_user' });
  await page.waitForSelector('.alone h1');
  await picture(page, 'role_taken_light_1280');
  say('demoted', {
    heading: await page.locator('h1').innerText(), focus: await page.evaluate(() => document.activeElement.tagName),
    sidebar: await page.locator('#sidebar').count(), fields: await page.locator('input').count(),
    text: await page.evaluate(() => document.body.innerText), violations: await violations(page),
  });
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForSelector('#input_loginId');
  say('out', { login: await page.locator('#input_loginId').count() });

  await byId(deaf, SERVER).fill('typed.example');
  await deaf.click('#saveSetting');
  await deaf.waitForSelector('.alone h1');
  say('refused', { heading: await deaf.locator('h1').innerText() });
});
