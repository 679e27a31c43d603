// Pages whose requests take long or fail, in a real browser: a sign while they are on their way, a message that stays and a
// way to try again afterwards; a dashboard that is hidden sends nothing.
//
//   node failures.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {base, byId, follow, login, open, picture, play, say, violations, visit} from './shared.mjs';

/** The pages with data of their own, each with an element that stands for the data. */
const PAGES = {
  'about/license': '[data-testid="license"]', 'reporting/system_analytics': '[data-testid="posts"] canvas',
  'reporting/configuration_history': 'p.version-none', 'user_management/users': '[data-testid="users"]',
  'site_config/notices': '[data-testid="productNotices"] .is-note',
  'environment/tools': '[data-testid="schema"] details', 'reporting/server_logs': '#log-lines', 'compliance/audit_logging': '#audit-lines',
};

const MESSAGE = 'The database does not answer.';

await play(async (browser) => {
  const page = await open(browser, { expected: [500] });
  await login(page);
  const again = page.locator('#page [data-testid="again"], #page button:text-is("Try again")');
  let release = () => {};
  for (const [address, content] of Object.entries(PAGES)) {
    await visit(page, 'environment/smtp');
    let fails = true;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route(/\/api\/v4\//, async (route) => {
      await held;
      const body = JSON.stringify({ id: 'app.failed', message: MESSAGE, request_id: 'abcdefghijklmnopqrstuvwxyz', status_code: 500 });
      await (fails ? route.fulfill({ status: 500, contentType: 'application/json', body }) : route.continue());
    });
    await page.evaluate((id) => document.getElementById(id).click(), address);
    await page.locator('#page .loading').first().waitFor();
    release();
    await page.locator('#page').getByText(MESSAGE).first().waitFor();
    await page.locator('#page .loading').first().waitFor({ state: 'detached' });
    const isThere = await page.locator(content).count();
    const offered = await again.count();
    const found = await violations(page);
    if (address === 'reporting/system_analytics') await picture(page, 'failed_light_1280');
    fails = false;
    while (await again.count() > 0) await again.first().click();
    await page.locator(content).first().waitFor();
    const stays = await byId(page, 'errorMessage').count();
    await page.unrouteAll({ behavior: 'wait' });
    say('page', { address, is_there: isThere, offered, stays, violations: found });
  }

  // Time passes while the dashboard is hidden, then in sight.
  await page.clock.install();
  await visit(page, 'reporting/dashboard');
  await byId(page, 'health').waitFor();
  await page.clock.runFor(3_000);
  await byId(page, 'live').waitFor();
  const show = (state) => page.evaluate((value) => Object.defineProperty(document, 'visibilityState', { value, configurable: true }), state);
  let sent = 0;
  await show('hidden');
  await page.waitForLoadState('networkidle');
  page.on('request', () => { sent += 1; });
  await page.clock.runFor(60_000);
  const hidden = sent;
  await show('visible');
  const looked = page.waitForRequest(/readyz/);
  await page.clock.runFor(11_000);
  await looked;
  say('hidden', { hidden });
  await follow(page, 'environment/smtp');
});
