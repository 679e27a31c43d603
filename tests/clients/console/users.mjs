// Accounts and roles in a real browser: search, create, roles, deactivate, guests, password, one-time codes, sessions,
// access tokens, the caller's own account; permissions with a comparison and a difference; a caller who may only read accounts.
//
//   node users.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <permissions.tsv>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {createHmac} from 'node:crypto';
import {readFileSync} from 'node:fs';
import process from 'node:process';

import {base, byId, follow, login, open, picture, play, say, violations, visit} from './shared.mjs';

const table = process.argv[8];
const USERS = 'user_management/users';
const PERMISSIONS = 'user_management/permissions';
const READS_USERS = 'sysconsole_read_user_management_users';

/** Sends a request of the API from a page, with its session. */
const request = (page, method, path, body) => page.evaluate(async ([address, verb, content]) => {
  const csrf = document.cookie.split('; ').find((pair) => pair.startsWith('MMCSRF='))?.slice('MMCSRF='.length) ?? '';
  const response = await fetch(address, {
    method: verb, headers: { 'X-CSRF-Token': csrf, 'X-Requested-With': 'XMLHttpRequest' },
    body: content === undefined ? undefined : JSON.stringify(content),
  });
  return { status: response.status, body: await response.json() };
}, [`${base}/api/v4/${path}`, method, body]);

/** Returns the one-time code of now for a secret in Base32. */
function codeOf(secret) {
  const bits = [...secret.replace(/=+$/, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(time).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 401, 403, 501] });
  await login(page);
  const dialog = page.locator('#accountQuestion');
  const names = () => page.$$eval('[data-testid^="user-"]', (rows) => rows.map((row) => row.dataset.testid.slice('user-'.length)));
  const labels = (selector) => page.$$eval(selector, (all) => all.map((one) => one.dataset.testid));
  /** Presses a button, reads the question, and says yes. */
  const confirm = async (button) => {
    await button.click();
    const text = await dialog.innerText();
    await dialog.locator('button[type="submit"]').click();
    await dialog.waitFor({ state: 'detached' });
    return text;
  };
  await request(page, 'PUT', 'config/patch', { ServiceSettings: { EnableUserAccessTokens: true, EnableMultifactorAuthentication: true } });

  // An account is made with a random password, and opens.
  await visit(page, USERS);
  await byId(page, 'users').waitFor();
  await byId(page, 'createAccount').click();
  await page.waitForFunction(() => document.activeElement?.id === 'new_username');
  await page.fill('#new_username', 'New Person');
  await page.fill('#new_email', 'new.person@example.org');
  await dialog.getByRole('button', { name: 'Make one' }).click();
  const first = await page.inputValue('#new_account_password');
  await dialog.locator('button[type="submit"]').click();
  await dialog.locator('[data-testid="errorMessage"]').waitFor();
  const refused = await dialog.locator('[data-testid="errorMessage"]').innerText();
  await picture(page, 'users_create_light_1280');
  const made = await violations(page);
  await page.fill('#new_username', 'new.person');
  await dialog.locator('button[type="submit"]').click();
  await page.waitForSelector('h1:text-is("new.person")');
  const person = new URL(page.url()).hash.slice(1);
  say('create', { refused, length: first.length, violations: made, person: person.length });

  // The search, the filters, the order.
  await follow(page, USERS);
  // The list of before, which lacks the new account, is not shown.
  await byId(page, 'users').waitFor();
  const all = await names();
  // While another list is on its way, the table says so.
  let release = () => {};
  const held = new Promise((resolve) => { release = resolve; });
  await page.route(/reports\/users\?/, async (route) => {
    await held;
    await route.continue();
  });
  await page.fill('#usersSearch', 'new.per');
  await page.locator('.users-scroll[aria-busy="true"]').waitFor();
  await byId(page, 'usersCount').getByText('Loading').waitFor();
  release();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid^="user-"]').length === 1);
  const found = await names();
  await page.unrouteAll({ behavior: 'wait' });
  await page.fill('#usersSearch', '');
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid^="user-"]').length === count, all.length);
  await page.selectOption('#usersRole', 'system_admin');
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid^="user-"]').length < count, all.length);
  const administrators = await names();
  await page.selectOption('#usersRole', '');
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid^="user-"]').length === count, all.length);
  await page.getByRole('button', { name: 'Name' }).click();
  await page.waitForFunction((last) => document.querySelector('[data-testid^="user-"]').dataset.testid === `user-${last}`, all.at(-1));
  const turned = await names();
  await picture(page, 'users_list_light_1280');
  say('list', { all, found, administrators, turned, violations: await violations(page) });

  // Each action names the account before it acts.
  await visit(page, `${USERS}#${person}`);
  await page.waitForSelector('h1:text-is("new.person")');
  const state = byId(page, 'state');
  const off = await confirm(byId(page, 'deactivate'));
  await state.getByText('Deactivated').waitFor();
  const on = await confirm(byId(page, 'activate'));
  await state.getByText('Active', { exact: true }).waitFor();
  const vouched = await confirm(byId(page, 'verify'));
  await byId(page, 'email').getByText('Verified', { exact: true }).waitFor();
  say('state', { off, on, vouched, notice: await byId(page, 'notice').innerText() });

  // A member becomes no guest without a licence, and the refusal stays in the question; a guest becomes a member.
  await byId(page, 'demote').click();
  await dialog.locator('button[type="submit"]').click();
  await dialog.locator('[data-testid="errorMessage"]').waitFor();
  const demoted = await dialog.locator('[data-testid="errorMessage"]').innerText();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  const { body: visitor } = await request(page, 'GET', 'users/username/visitor');
  await visit(page, `${USERS}#${visitor.id}`);
  await byId(page, 'kind').getByText('Guest', { exact: true }).waitFor();
  const promoted = await confirm(byId(page, 'promote'));
  await byId(page, 'kind').getByText('Member', { exact: true }).waitFor();
  const { body: member } = await request(page, 'GET', 'users/username/visitor');
  say('guests', { demoted, promoted, roles: member.roles });
  await visit(page, `${USERS}#${person}`);
  await page.waitForSelector('h1:text-is("new.person")');

  // A password that the server refuses stays in the question, with the reason; a random one passes.
  await byId(page, 'setPassword').click();
  await page.fill('#new_password', 'x');
  await dialog.locator('button[type="submit"]').click();
  await dialog.locator('[data-testid="errorMessage"]').waitFor();
  const reason = await dialog.locator('[data-testid="errorMessage"]').innerText();
  await picture(page, 'users_password_light_1280');
  await dialog.getByRole('button', { name: 'Make one' }).click();
  const password = await page.inputValue('#new_password');
  await dialog.locator('button[type="submit"]').click();
  await dialog.waitFor({ state: 'detached' });
  say('password', { reason, is_new: password !== first });

  // The account logs in and sets one-time codes up; the administrator turns them off.
  const own = await open(browser, { expected: [401, 403] });
  await login(own, 'new.person', base, password);
  const { body: { secret: key } } = await request(own, 'POST', 'users/me/mfa/generate');
  const enrolled = await request(own, 'PUT', 'users/me/mfa', { activate: true, code: codeOf(key) });
  await page.reload();
  await page.waitForSelector('h1:text-is("new.person")');
  const required = await byId(page, 'codes').first().innerText();
  const turnedOff = await confirm(page.locator('button[data-testid="codes"]'));
  await page.getByText('Not required').waitFor();
  say('codes', { enrolled: enrolled.status, required, question: turnedOff });

  // Sessions and access tokens.
  await page.reload();
  await byId(page, 'session').first().waitFor();
  await byId(page, 'createToken').click();
  await dialog.locator('button[type="submit"]').click();
  const needsPurpose = await page.$eval('#token_purpose', (input) => !input.validity.valid);
  await page.fill('#token_purpose', 'a program');
  await picture(page, 'users_token_light_1280');
  await dialog.locator('button[type="submit"]').click();
  await page.waitForFunction(() => document.activeElement?.id === 'token_text');
  const secret = await page.inputValue('#token_text');
  const shownFound = await violations(page);
  await picture(page, 'users_token_shown_light_1280');
  await page.keyboard.press('Escape');
  const stays = await page.locator('#token_text').count();
  await page.locator('#newToken').getByRole('button', { name: 'Done' }).click();
  await page.locator('#newToken').waitFor({ state: 'detached' });
  await byId(page, 'token').first().waitFor();
  await page.locator('[data-testid="sessions"]').scrollIntoViewIfNeeded();
  await picture(page, 'users_account_light_1280');
  const listed = await violations(page);
  const revoked = await confirm(byId(page, 'session').first().getByRole('button'));
  await page.getByText('not logged in anywhere').waitFor();
  const after = await request(own, 'GET', 'users/me');
  const used = await page.evaluate(async ([address, text]) => (
    await fetch(address, { credentials: 'omit', headers: { Authorization: `Bearer ${text}` } })
  ).status, [`${base}/api/v4/users/me`, secret]);
  const isKept = (await page.content()).includes(secret);
  say('token', { needsPurpose, length: secret.length, stays, used, isKept, violations: shownFound });
  const disabled = await confirm(byId(page, 'token-disable'));
  await byId(page, 'token').getByText('Disabled').waitFor();
  await confirm(byId(page, 'token-enable'));
  await byId(page, 'token').getByText('Enabled').waitFor();
  const removed = await confirm(byId(page, 'token-revoke'));
  await page.getByText('no access token').waitFor();
  await own.context().close();
  say('sessions', { revoked, ended: after.status, disabled, removed, violations: listed });

  // A role gets a permission, beside another one, with a difference before it is sent.
  await visit(page, PERMISSIONS);
  await byId(page, 'role-system_custom_group_admin').waitFor();
  const settings = await labels('.row[data-testid*="Settings."]');
  await picture(page, 'permissions_light_1280');
  await byId(page, 'role-system_custom_group_admin').locator('a').click();
  await page.waitForSelector('#permissionsSearch');
  const custom = byId(page, READS_USERS).locator('input');
  await custom.check();
  const fixed = await byId(page, 'manage_system').locator('input').isDisabled();
  await page.selectOption('#permissionsCompare', 'system_user_manager');
  await page.fill('#permissionsSearch', 'user management users');
  const compared = await byId(page, READS_USERS).innerText();
  await page.fill('#permissionsSearch', '');
  await page.selectOption('#permissionsView', 'different');
  const different = await page.locator('.permissions-table tbody tr').count();
  await picture(page, 'permissions_compare_light_1280');
  const grid = await violations(page);
  await page.selectOption('#permissionsView', 'changed');
  await byId(page, 'savePermissions').click();
  await byId(page, 'permissionsDifference').waitFor();
  const difference = await byId(page, 'permissionsDifference').innerText();
  await picture(page, 'permissions_question_light_1280');
  const sent = page.waitForRequest((one) => one.method() === 'PUT');
  await dialog.locator('button[type="submit"]').click();
  const patch = (await sent).postDataJSON().permissions;
  await dialog.waitFor({ state: 'detached' });
  const { body: role } = await request(page, 'GET', 'roles/name/system_custom_group_admin');
  say('permissions', { settings, fixed, compared, different, difference, sent: patch.length, stored: role.permissions.includes(READS_USERS), violations: grid });

  // The roles of the account, with the difference in the question; then a caller with this role only reads.
  await visit(page, `${USERS}#${person}`);
  await byId(page, 'roles').locator('input[name="system_custom_group_admin"]').check();
  const roles = await confirm(byId(page, 'saveRoles'));
  const reader = await open(browser);
  await login(reader, 'new.person', base, password);
  await visit(reader, USERS);
  await byId(reader, 'users').waitFor();
  const menu = await reader.$$eval('#sidebar a', (links) => links.map((link) => link.id));
  const mayCreate = await byId(reader, 'createAccount').count();
  await byId(reader, 'user-admin').locator('a').click();
  await reader.waitForSelector('h1:text-is("admin")');
  await picture(reader, 'users_reader_light_1280');
  const buttons = await reader.locator('.page .card button').count();
  const enabled = await reader.locator('.page input:enabled').count();
  await reader.context().close();
  say('reader', { roles, menu, create: mayCreate, buttons, enabled });

  // The own account: no click takes the caller's access.
  const { body: me } = await request(page, 'GET', 'users/me');
  await visit(page, `${USERS}#${me.id}`);
  await byId(page, 'session').first().waitFor();
  say('own', {
    deactivate: await byId(page, 'deactivate').count(), note: await byId(page, 'state').innerText(),
    role: await byId(page, 'roles').locator('input[name="system_admin"]').isDisabled(),
    sessions: await page.$$eval('[data-testid="session"]', (rows) => rows.map((row) => [row.innerText.includes('This session'), row.querySelectorAll('button').length])),
  });

  // The names of permissions in the console are those of the server.
  const rows = readFileSync(table, 'utf8').trim().split('\n').slice(1).map((row) => row.split('\t')[0]);
  await visit(page, `${PERMISSIONS}#system_admin`);
  await page.waitForSelector('.permissions-table');
  const shown = await labels('.permissions-table tbody tr');
  say('names', { count: shown.length, missing: rows.filter((name) => !shown.includes(name)), unknown: shown.filter((name) => !rows.includes(name)) });
});
