// The first account in a real browser: its form in both themes and two widths, refusals at the fields, the list of three
// things to do; a second visitor who comes too late; the one-time code; a server whose first account is made elsewhere.
//
//   node first.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <JSON of the servers>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {base, byId, name, open, password, picture, play, say, violations, visit} from './shared.mjs';

const { coded, code, offline, used } = JSON.parse(process.argv[8]);

const create = (page) => page.getByRole('button', { name: 'Create the account' });
const title = (page) => page.locator('h1').innerText();

/** Opens the form, and waits until the rules of passwords are there. */
async function form(page, at = base, path = '/') {
  await page.goto(at + path);
  await page.waitForSelector('[name="email"]');
  await page.locator('[data-testid="rules"] li').first().waitFor();
}

async function fill(page, values) {
  for (const [field, value] of Object.entries(values)) await page.fill(`[name="${field}"]`, value);
}

const wrong = (page) => page.$$eval('[data-testid^="wrong-"]', (all) => all.filter((one) => one.innerText).map((one) => one.dataset.testid.slice('wrong-'.length)));

await play(async (browser) => {
  // The form, as it looks.
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 360]) {
      const page = await open(browser, { colorScheme, viewport: { width, height: 860 } });
      await form(page, base, '/login');
      await create(page).click();
      await page.locator('[data-testid="wrong-email"] span').waitFor();
      found.push(...await violations(page));
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) found.push(`${overflow} pixels are beside the screen`);
      await picture(page, `first_${colorScheme}_${width}`);
      await page.context().close();
    }
  }
  say('looks', { found });

  // Another visitor opens the form as well, and comes too late.
  const late = await open(browser, { expected: [403] });
  await form(late);

  // Refusals stand at their fields; those of the server as well.
  const page = await open(browser, { expected: [400] });
  await form(page);
  const heading = await title(page);
  const codes = await page.locator('[name="code"]').count();
  await create(page).click();
  await page.locator('[data-testid="wrong-email"] span').waitFor();
  const empty = await wrong(page);
  await page.waitForFunction(() => document.activeElement?.name === 'email');
  await fill(page, { email: 'anna@example.org', username: 'Anna Smith', password: 'x' });
  const before = await page.locator('[data-testid="rules"] .is-met').count();
  await create(page).click();
  await page.waitForFunction(() => document.activeElement?.name === 'username');
  const own = await wrong(page);
  await fill(page, { username: 'channel', password });
  const rules = await page.$$eval('[data-testid="rules"] li', (all) => all.map((one) => one.className));
  await create(page).click();
  await page.locator('[data-testid="wrong-username"] span').waitFor();
  const server = await byId(page, 'wrong-username').innerText();
  say('refusals', { heading, codes, empty, before, own, rules, server });

  // The account is logged in, and the console begins with the list.
  await fill(page, { username: name });
  await create(page).click();
  await byId(page, 'setup').waitFor();
  const address = new URL(page.url()).pathname;
  const list = await byId(page, 'setup').innerText();
  const listed = await violations(page);
  await picture(page, 'first_list_light_1280');
  const attention = await byId(page, 'attention').innerText();
  await byId(page, 'setup-siteUrl').getByRole('link').click();
  await page.waitForFunction(() => document.activeElement?.id === 'ServiceSettings.SiteURL');
  await byId(page, 'ServiceSettings.SiteURLinput').fill(base);
  await page.click('#saveSetting');
  await byId(page, 'notice').waitFor();
  await visit(page, 'reporting/dashboard');
  await byId(page, 'setup').waitFor();
  const progress = await byId(page, 'setup').locator('[role="status"]').innerText();
  await byId(page, 'hideSetup').click();
  await byId(page, 'setup').waitFor({ state: 'detached' });
  await page.reload();
  await byId(page, 'health').waitFor();
  say('list', { address, list, attention, progress, hidden: await byId(page, 'setup').count(), violations: listed });

  // The late visitor is told so and gets the login; a new one gets only the login.
  await fill(late, { email: 'bert@example.org', username: 'bert', password });
  await create(late).click();
  await byId(late, 'loginNote').waitFor();
  const note = await byId(late, 'loginNote').innerText();
  const lateTitle = await title(late);
  const lateFound = await violations(late);
  await late.goto(`${base}/`);
  await late.waitForSelector('#input_loginId');
  say('late', { note, title: lateTitle, again: await title(late), violations: lateFound });

  // Beyond loopback the form has a field for the code.
  const remote = await open(browser, { expected: [403], sites: [coded] });
  await form(remote, coded);
  await fill(remote, { email: 'anna@example.org', username: 'anna', password });
  await create(remote).click();
  await byId(remote, 'wrong-code').locator('span').waitFor();
  const missing = await byId(remote, 'wrong-code').innerText();
  await picture(remote, 'first_code_light_1280');
  await fill(remote, { code: '0000-0000' });
  await create(remote).click();
  await byId(remote, 'wrong-code').getByText('not the code').waitFor();
  const coding = await violations(remote);
  await fill(remote, { code: ` ${code.toUpperCase().replaceAll('-', '\u2013')} ` });
  await create(remote).click();
  await byId(remote, 'setup').waitFor();
  const kept = await byId(remote, 'setup-storage').innerText();
  await byId(remote, 'keepFolder').click();
  await byId(remote, 'setup-storage').getByText('Done').waitFor();
  await picture(remote, 'first_list_light_1280_kept');
  say('code', { missing, kept, tasks: await byId(remote, 'setup').innerText(), violations: coding });

  // Where only the command line makes the first account, the page says so; one made there is noticed.
  const elsewhere = await open(browser, { sites: [offline, used] });
  await elsewhere.goto(`${offline}/`);
  await elsewhere.locator('.dash-command').waitFor();
  await picture(elsewhere, 'first_offline_light_1280');
  say('offline', { title: await title(elsewhere), command: await elsewhere.locator('.dash-command').innerText(), violations: await violations(elsewhere) });
  await elsewhere.goto(`${used}/`);
  await elsewhere.waitForSelector('#input_loginId');
  say('used', { title: await title(elsewhere) });
});
