// The verification of the audit trail, on its page and on the dashboard.
//
//   node verification.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <the expected state>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

const state = process.argv[8];

await play(async (browser) => {
  const page = await open(browser);
  const part = byId(page, 'verification');
  await login(page);
  await visit(page, 'compliance/audit_logging');
  await part.locator('.badge').waitFor();
  const before = await part.innerText();
  await byId(page, 'verifyAudits').click();
  await part.locator('.badge', { hasText: state }).waitFor();
  await page.waitForFunction(() => !document.querySelector('[data-testid="verifyAudits"]').disabled);
  await picture(page, `audit_${state}_light_1280`);
  say('page', { before, after: await part.innerText(), violations: await violations(page) });
  await visit(page, 'reporting/dashboard');
  await byId(page, 'tile-Audit trail').waitFor();
  say('dashboard', { tile: await byId(page, 'tile-Audit trail').innerText(), attention: await byId(page, 'attention').innerText() });
  await page.context().close();

  const narrow = await open(browser, { colorScheme: 'dark', viewport: { width: 360, height: 860 } });
  await login(narrow, 'reader');
  await visit(narrow, 'compliance/audit_logging');
  await byId(narrow, 'verification').locator('.badge').waitFor();
  await picture(narrow, `audit_${state}_dark_360`);
  say('reader', {
    buttons: await byId(narrow, 'verifyAudits').count(), violations: await violations(narrow),
    isWide: await narrow.evaluate(() => document.body.scrollWidth > innerWidth),
  });
});
