// Critical actions in a session whose login is too long ago: a setting that can lock people out, and a password.
//
//   node guard.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <JSON>
//
// The JSON has the cookies of two such sessions, and the id of an account. Prints one JSON object for each step. Ends
// with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, byId, open, password, picture, play, say, violations, visit} from './shared.mjs';

const { sessions, person } = JSON.parse(process.argv[8]);
const LENGTH = 'PasswordSettings.MinimumLengthnumber';

await play(async (browser) => {
  const page = await open(browser, { expected: [401, 403] });
  const dialog = page.locator('#reauthentication');
  const use = async (cookies) => {
    await page.context().clearCookies();
    await page.context().addCookies(cookies.map((cookie) => ({ ...cookie, url: base })));
  };
  const prove = async (secret) => {
    await dialog.locator('#input_password-input').fill(secret);
    await dialog.getByRole('button', { name: 'Go on' }).click();
  };
  const focused = () => page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.id);

  // A setting that can lock people out: a wrong password stays in the dialog, and a cancel keeps what was typed.
  await use(sessions[0]);
  await visit(page, 'authentication/password');
  await byId(page, LENGTH).fill('9');
  await page.click('#saveSetting');
  await dialog.waitFor();
  await page.waitForFunction(() => document.activeElement.id === 'input_password-input');
  const focus = await focused();
  await picture(page, 'reauthentication_light_1280');
  const found = await violations(page);
  await prove('wrong');
  await dialog.locator('[data-testid="errorMessage"]').waitFor();
  const wrong = await dialog.locator('[data-testid="errorMessage"]').innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement.id === 'saveSetting');
  const back = await focused();
  const notice = await page.locator('#page [data-testid="errorMessage"]').first().innerText();
  const kept = await byId(page, LENGTH).inputValue();
  await page.click('#saveSetting');
  await prove(password);
  await page.locator('.save-count', { hasText: 'No changes' }).waitFor();
  say('setting', { focus, wrong, back, notice, kept, saved: await byId(page, LENGTH).inputValue(), violations: found });

  // A question about an account: the dialog comes in front of it.
  await use(sessions[1]);
  await visit(page, `user_management/users#${person}`);
  await byId(page, 'setPassword').click();
  const question = page.locator('#accountQuestion');
  await question.getByRole('button', { name: 'Make one' }).click();
  const typed = await page.inputValue('#new_password');
  await question.locator('button[type="submit"]').click();
  await dialog.waitFor();
  const dialogs = await page.$$eval('dialog[open]', (all) => all.map((one) => one.id));
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await question.locator('[data-testid="errorMessage"]').waitFor();
  const refusal = await question.locator('[data-testid="errorMessage"]').innerText();
  const still = await page.inputValue('#new_password');
  let requests = 0;
  page.on('request', (one) => { if (one.method() === 'PUT' && one.url().endsWith('/password')) requests += 1; });
  await question.locator('button[type="submit"]').click();
  await prove(password);
  await question.waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement.dataset.testid === 'setPassword');
  say('question', { dialogs, refusal, typed, kept: still, requests, back: await focused() });
});
