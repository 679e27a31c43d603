// Changes that are taken back unless they are confirmed, and the history of the configuration, in a real browser.
//
//   node history.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {byId, follow, login, open, picture, play, say, violations, visit} from './shared.mjs';

/** The shortest time that the server takes; the page offers longer ones only. */
const SHORTEST_S = 10;

const HISTORY = 'reporting/configuration_history';

await play(async (browser) => {
  const page = await open(browser, { expected: [409, 412] });
  await login(page);
  const banner = byId(page, 'confirmationBanner');
  const end = byId(page, 'confirmationEnd');
  const wanted = byId(page, 'confirmWanted');
  const change = (path, value) => byId(page, path).fill(value);
  const save = async () => {
    let isSaved = false;
    const sent = page.waitForResponse((response) => {
      const isSave = response.request().method() === 'PUT';
      isSaved ||= isSave;
      return isSave;
    });
    // A banner comes with the versions that the console reads after the save, in one of the next frames.
    const looked = page.waitForRequest((request) => isSaved && new URL(request.url()).pathname.endsWith('/config/versions'));
    await page.click('#saveSetting');
    const { searchParams } = new URL((await sent).url());
    await page.locator('.save-count', { hasText: 'No changes' }).waitFor();
    await (await (await looked).response()).finished();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return searchParams.get('confirm_within');
  };

  // A change that locks no one out lasts, if the user does not choose otherwise.
  await visit(page, 'environment/smtp');
  await change('EmailSettings.SMTPServerTimeoutnumber', '11');
  const isOn = await wanted.isChecked();
  await byId(page, 'comment').fill('a slow mail server');
  say('harmless', { is_on: isOn, within: await save(), banners: await banner.count() });

  // A change that can lock out is taken back unless it is confirmed; every page says so, also after a reload.
  await visit(page, 'authentication/password');
  await change('PasswordSettings.MinimumLengthnumber', '12');
  const isRisky = await wanted.isChecked();
  await picture(page, 'confirm_option_light_1280');
  const found = await violations(page);
  const within = await save();
  await banner.waitFor();
  const text = await banner.innerText();
  await follow(page, 'environment/smtp');
  await page.reload();
  await banner.waitFor();
  await change('EmailSettings.SMTPServerTimeoutnumber', '12');
  const blocked = { option: await byId(page, 'confirmOption').innerText(), is_disabled: await wanted.isDisabled() };
  await page.getByRole('button', { name: 'Discard' }).click();
  await picture(page, 'confirm_banner_light_1280');
  found.push(...await violations(page));
  await page.click('#keepChange');
  await banner.waitFor({ state: 'detached' });
  await visit(page, 'authentication/password');
  say('kept', { is_on: isRisky, within, text, blocked, found, value: await byId(page, 'PasswordSettings.MinimumLengthnumber').inputValue() });

  // Without a confirmation the server takes the change back. A form with changes is not touched.
  let chosen = '';
  await page.route('**/config/patch?**', (route) => {
    const url = route.request().url();
    chosen = new URL(url).searchParams.get('confirm_within');
    route.continue({ url: url.replace(/confirm_within=\d+/, `confirm_within=${SHORTEST_S}`) });
  });
  await change('PasswordSettings.MinimumLengthnumber', '14');
  await byId(page, 'confirmWithin').selectOption('300');
  await save();
  await banner.waitFor();
  await byId(page, 'PasswordSettings.Symboltrue').check();
  await end.waitFor({ timeout: 2 * SHORTEST_S * 1000 });
  await end.getByText('Your changes on this page stay.').waitFor();
  const held = {
    text: await end.innerText(), reload: await page.locator('#reloadValues').count(),
    typed: await byId(page, 'PasswordSettings.Symboltrue').isChecked(),
    length: await byId(page, 'PasswordSettings.MinimumLengthnumber').inputValue(),
  };
  await picture(page, 'confirm_taken_back_light_1280');
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.click('#reloadValues');
  await end.waitFor({ state: 'detached' });
  say('taken_back', { chosen, held, length: await byId(page, 'PasswordSettings.MinimumLengthnumber').inputValue() });
  await page.unroute('**/config/patch?**');

  // The history: who, when, from where, why; the difference of two; the way back with a preview.
  await visit(page, HISTORY);
  const rows = byId(page, 'version');
  // The names of the authors come later than the versions.
  await rows.filter({ hasText: 'admin' }).first().waitFor();
  const list = await rows.allInnerTexts();
  await rows.nth(0).locator('summary').click();
  await rows.nth(0).locator('tbody tr').first().waitFor();
  const own = await rows.nth(0).locator('tbody tr').allInnerTexts();
  await rows.nth(0).locator('input').check();
  await rows.nth(list.length - 1).locator('input').check();
  await page.click('#compareVersions');
  await byId(page, 'versionDifference').waitFor();
  const difference = await byId(page, 'versionDifference').innerText();
  await picture(page, 'history_difference_light_1280');
  const history = await violations(page);
  await byId(page, 'versionDifference').getByRole('button', { name: 'Close' }).click();
  const mail = rows.filter({ hasText: 'a slow mail server' });
  await mail.getByRole('button', { name: /^Roll back/ }).click();
  await byId(page, 'preview').waitFor();
  const preview = await byId(page, 'preview').innerText();
  const isPreselected = await page.locator('#rollBack').getByRole('checkbox').isChecked();
  await byId(page, 'rollBackReason').fill('back to short passwords');
  await picture(page, 'history_roll_back_light_1280');
  history.push(...await violations(page));
  // Another change is saved after the preview: nothing is rolled back, and the preview is made again.
  await page.evaluate(() => fetch('/api/v4/config/patch', {
    method: 'PUT', body: JSON.stringify({ TeamSettings: { SiteName: 'Meanwhile' } }),
    headers: { 'X-Requested-With': 'XMLHttpRequest', 'X-CSRF-Token': document.cookie.match(/MMCSRF=([^;]+)/)[1] },
  }));
  await page.click('#rollBackNow');
  await byId(page, 'rollBackOvertaken').waitFor();
  const overtaken = await byId(page, 'preview').innerText();
  await page.click('#rollBackNow');
  await rows.filter({ hasText: 'back to short passwords' }).waitFor();
  await page.click('#keepChange');
  await banner.waitFor({ state: 'detached' });
  await rows.getByText('Waits for confirmation').waitFor({ state: 'detached' });
  const after = await rows.nth(0).innerText();
  say('history', { list, own, difference, preview, is_preselected: isPreselected, overtaken, after, found: history });

  // A change that comes into force at a start is confirmed after it. A second one that wants a confirmation is refused.
  await visit(page, 'environment/web_server');
  await change('ServiceSettings.ReadTimeoutnumber', '301');
  await save();
  await banner.waitFor();
  const waits = { text: await banner.innerText(), buttons: await page.locator('#keepChange').count() };
  await picture(page, 'confirm_before_start_light_1280');
  await page.route('**/config/versions?**', (route) => route.fulfill({ json: [] }));
  await visit(page, 'authentication/password');
  await change('PasswordSettings.MinimumLengthnumber', '15');
  await page.unroute('**/config/versions?**');
  await page.click('#saveSetting');
  await byId(page, 'errorMessage').waitFor();
  const refusal = await byId(page, 'errorMessage').innerText();
  await banner.waitFor();
  const link = new URL(await byId(page, 'errorMessage').locator('a').getAttribute('href')).pathname;
  const typed = await byId(page, 'PasswordSettings.MinimumLengthnumber').inputValue();
  await byId(page, 'errorMessage').getByRole('button').click();
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.click('#takeBackChange');
  const question = await page.locator('#takeBack').innerText();
  await picture(page, 'confirm_take_back_light_1280');
  const asked = await violations(page);
  await page.click('#takeBackNow');
  await banner.waitFor({ state: 'detached' });
  await visit(page, 'environment/web_server');
  say('taken_back_now', { question, found: asked, value: await byId(page, 'ServiceSettings.ReadTimeoutnumber').inputValue() });
  say('before_start', { waits, refusal, link, typed });
});
