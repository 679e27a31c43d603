// The upgrade of the server and its restart, as the console shows them. The answers are made up, so that no program is replaced.
//
//   node upgrade.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

await play(async (browser) => {
  const page = await open(browser, { expected: [403] });
  const part = byId(page, 'upgrade');
  const sent = [];
  let [percentage, error] = [0, null];
  const refusal = { status: 403, json: { id: 'api.upgrade_to_enterprise.invalid-user.app_error', message: 'The program belongs to root.', status_code: 403 } };
  let isRefused = true;
  const note = (route) => sent.push(`${route.request().method()} ${new URL(route.request().url()).pathname}`);
  await page.route('**/api/v4/upgrade_to_enterprise/status', (route) => route.fulfill({ json: { percentage, error } }));
  await page.route('**/api/v4/upgrade_to_enterprise', (route) => { if (isRefused) return route.fulfill(refusal); note(route); percentage = 40; return route.fulfill({ status: 202, json: { status: 'OK' } }); });
  let progress = { state: 'running', leader: 'chat-1', begin_at: 1, servers: [] };
  await page.route('**/api/v4/restart', (route) => {
    if (route.request().method() === 'GET') return route.fulfill({ json: progress });
    note(route);
    return route.fulfill({ json: { status: 'OK' } });
  });

  await login(page);
  await visit(page, 'environment/tools');
  await page.click('#beginUpgrade');
  await page.click('#confirmUpgrade');
  await part.locator('.alert').waitFor();
  say('refused', { text: await part.innerText(), running: await part.locator('progress').count() });

  // One that fails leaves the program as it is, and says why.
  [isRefused, error] = [false, 'The signature does not match.'];
  await visit(page, 'environment/tools');
  await page.click('#beginUpgrade');
  const question = await page.locator('dialog').innerText();
  await page.getByRole('button', { name: 'Cancel' }).click();
  say('failed', { text: await part.innerText(), question, sent: [...sent] });

  // The progress, and the restart: the page is loaded again once another run of the server answers.
  error = null;
  await page.click('#beginUpgrade');
  await page.click('#confirmUpgrade');
  await part.locator('progress').waitFor();
  await part.getByText('40 %').waitFor();
  await picture(page, 'upgrade_light_1280');
  const found = await violations(page);
  percentage = 100;
  const beginRestart = async () => {
    await page.click('#restartServer');
    await page.click('#confirmUpgrade');
    await part.getByText('The server restarts').waitFor();
  };

  // One that stops half-way names the server and the reason, and can be begun again.
  await beginRestart();
  const waiting = { name: 'chat-1', state: 'waiting', reason: null };
  progress = { ...progress, state: 'stopped', servers: [{ name: 'chat-2', state: 'failed', reason: 'absent' }, waiting] };
  await part.locator('.alert').waitFor();
  say('stopped', { text: await part.innerText(), violations: await violations(page) });
  progress = { ...progress, state: 'running', servers: [] };
  await beginRestart();
  say('again', { alerts: await part.locator('.alert').count() });
  progress = { ...progress, state: 'abandoned' };
  await part.getByText(': abandoned').waitFor();
  say('abandoned', { text: await part.innerText() });

  // The other servers, also the one that answers, run the new program when the last one fails.
  progress = { ...progress, state: 'running' };
  await beginRestart();
  percentage = 0;
  progress = { ...progress, state: 'stopped', servers: [{ name: 'chat-3', state: 'failed', reason: 'not_ready' }] };
  await part.getByText('chat-3').waitFor();
  say('last', { text: await part.innerText() });

  // One that ends well while another server has a new program in place is over, and a restart can be begun again.
  percentage = 100;
  await visit(page, 'environment/tools');
  progress = { ...progress, state: 'running', servers: [] };
  await beginRestart();
  progress = { ...progress, state: 'done' };
  await page.locator('#restartServer').waitFor();
  say('done', { text: await part.innerText(), alerts: await part.locator('.alert').count() });

  // A server without others tells of no restart of servers.
  progress = { ...progress, state: 'none' };
  await beginRestart();
  const loaded = page.waitForEvent('load');
  percentage = 0;
  await loaded;
  await page.locator('#beginUpgrade').waitFor();
  say('restarted', { sent, violations: found });
});
