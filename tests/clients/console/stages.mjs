// The test of a store while it runs: its steps as they end, a failure, the end of the connection, and the button that cancels.
//
//   node stages.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {once} from 'node:events';
import {createServer} from 'node:net';

import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

const BUTTON = '#TestFileStoreConnection';
const setting = (name) => `FileSettings.${name}`;

await play(async (browser) => {
  // A store that accepts connections and says nothing.
  const store = createServer({ allowHalfOpen: false });
  const calls = [];
  store.on('connection', (socket) => {
    socket.on('error', () => {});
    calls.push(socket);
    store.emit('call', socket);
  });
  store.listen(0, '127.0.0.1');
  await once(store, 'listening');
  const call = () => once(store, 'call').then(([socket]) => socket);

  const page = await open(browser);
  await login(page);
  await visit(page, 'environment/file_storage');
  await byId(page, setting('DriverNamedropdown')).selectOption('amazons3');
  const values = { AmazonS3Endpoint: `127.0.0.1:${store.address().port}`, AmazonS3Bucket: 'files', AmazonS3AccessKeyId: 'AKIAQUARTER', AmazonS3SecretAccessKey: 'entered' };
  await byId(page, setting('AmazonS3SSLtrue')).check();
  for (const [name, value] of Object.entries(values)) {
    const input = byId(page, setting(`${name}input`));
    if (!await input.count()) await byId(page, setting(name)).getByRole('button', { name: /^(Enter|Replace)/ }).click();
    await input.fill(value);
  }
  const stage = (step, outcome) => page.locator(`[data-testid="stage-${step}"].is-${outcome}`);
  const stages = () => page.$$eval('.stage', (all) => all.map((one) => `${one.dataset.testid.slice('stage-'.length)} ${one.className.split('is-')[1]}`));
  const verdict = page.locator('.test-verdict');

  // The steps appear as they end, while a later one goes on.
  let calling = call();
  await page.click(BUTTON);
  await stage('tls', 'running').waitFor();
  const seen = await stages();
  const times = await page.locator('.stage.is-passed .stage-time').allInnerTexts();
  const found = await violations(page);
  await picture(page, 'storage_stages_light_1280');
  // The end of the connection to the store fails the step.
  (await calling).destroy();
  await verdict.waitFor();
  say('failure', { seen, times, found, verdict: await verdict.innerText(), mending: await byId(page, 'mending').innerText(), stages: await stages() });

  // A value that is edited while the test runs makes the result out of date; cancel ends the test at the store too.
  calling = call();
  await page.click(BUTTON);
  await stage('tls', 'running').waitFor();
  const socket = await calling;
  const closed = once(socket, 'close');
  socket.resume();
  await page.locator('.test-line').getByRole('button', { name: 'Cancel' }).click();
  await page.locator('.stages').waitFor({ state: 'detached' });
  await closed;
  say('cancel', { is_enabled: await page.locator(BUTTON).isEnabled(), verdicts: await verdict.count() });

  calling = call();
  await page.click(BUTTON);
  await stage('tls', 'running').waitFor();
  await byId(page, setting('AmazonS3Bucketinput')).fill('another');
  (await calling).destroy();
  await verdict.waitFor();
  say('stale', { stale: await byId(page, 'TestFileStoreConnectionstale').count() });

  // A failure is open before the report comes, and a connection that ends without one is told.
  const lines = [{ event: 'started', step: 'connect' }, { event: 'ended', step: 'connect', outcome: 'failed', duration_ms: 3, code: 'ECONNREFUSED', cause: 'refused', remedy: 'Open it.' }];
  await page.route('**/file/test?**', (route) => route.fulfill({ contentType: 'application/x-ndjson', body: lines.map((line) => `${JSON.stringify(line)}\n`).join('') }));
  await page.click(BUTTON);
  await verdict.getByText('ended before').waitFor();
  say('broken', { verdict: await verdict.innerText() });
  await page.unroute('**/file/test?**');

  // A server that sends no lines tells the whole report.
  const report = { driver: 'amazons3', target: 'there', identity: 'me', stages: [{ step: 'settings', outcome: 'passed', duration_ms: 1 }], duration_ms: 1 };
  await page.route('**/file/test?**', (route) => route.fulfill({ json: { status: 'OK', report } }));
  await page.click(BUTTON);
  await verdict.getByText('successful').waitFor();
  say('whole', { stages: await stages() });
  store.close();
  calls.forEach((socket) => socket.destroy());
});
