// The product notices, on their page and on the dashboard.
//
//   node notices.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

await play(async (browser) => {
  const page = await open(browser);
  const part = byId(page, 'productNotices');
  const attention = byId(page, 'attention');
  await login(page);
  await visit(page, 'reporting/dashboard');
  await page.getByRole('button', { name: 'Refresh' }).click();
  await attention.getByText('unread').waitFor();
  const told = await attention.innerText();
  // They are read again after an hour.
  let reads = 0;
  const isRead = (one) => one.url().includes('/system/notices/');
  page.on('request', (one) => { reads += Number(isRead(one)); });
  const looked = page.waitForResponse((one) => one.url().includes('/license/client'));
  await page.getByRole('button', { name: 'Refresh' }).click();
  await looked;
  const soon = reads;
  const again = page.waitForResponse(isRead);
  await page.evaluate(() => { const now = Date.now; Date.now = () => now() + 3_600_001; });
  await page.getByRole('button', { name: 'Refresh' }).click();
  await again;
  say('again', { soon });
  await attention.getByRole('link', { name: 'Notices' }).click();
  await byId(page, 'notice-linked').waitFor();
  await picture(page, 'notices_light_1280');
  const links = await part.locator('a').evaluateAll((all) => all.map(({ href, rel, textContent }) => ({ href, rel, text: textContent })));
  say('page', { told, text: await part.innerText(), links, elements: await part.locator('b').count(), violations: await violations(page) });

  await byId(page, 'notice-linked').getByRole('button').click();
  await byId(page, 'notice-linked').waitFor({ state: 'detached' });
  say('one', { left: await part.innerText() });
  await page.click('#readAllNotices');
  await part.getByText('You have no unread notices.').waitFor();
  await page.reload();
  await part.getByText('You have no unread notices.').waitFor();
  await visit(page, 'reporting/dashboard');
  await byId(page, 'attention').waitFor();
  say('all', { attention: await attention.innerText() });
  await page.context().close();

  const narrow = await open(browser, { colorScheme: 'dark', viewport: { width: 360, height: 860 } });
  await login(narrow, 'reader');
  await visit(narrow, 'site_config/notices');
  await byId(narrow, 'notice-plain').waitFor();
  await picture(narrow, 'notices_dark_360');
  say('reader', {
    text: await byId(narrow, 'productNotices').innerText(), violations: await violations(narrow),
    isWide: await narrow.evaluate(() => document.body.scrollWidth > innerWidth),
  });
});
