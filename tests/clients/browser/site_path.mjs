// A site with a path in a real browser: the root leads to its pages, and the browser keeps a session.
//
//   node site_path.mjs <base URL> <site URL> <name> <password>     in the folder where playwright-core is installed
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {createRequire} from 'node:module';
import process from 'node:process';

const [base, site, name, password] = process.argv.slice(2);
const {chromium} = createRequire(`${process.cwd()}/`)('playwright-core');

const QUIET = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', ...QUIET] });
try {
  const context = await browser.newContext();
  const page = await context.newPage();
  const elsewhere = [];
  await page.goto(`${base}/`);
  const front = page.url();
  page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`${site}/`)) elsewhere.push(request.url()); });
  say('front page', { front, heading: await page.innerText('h1') });

  // The console, from the login to a page deep in it.
  await page.goto(`${site}/admin_console/environment/smtp`);
  await page.fill('#input_loginId', name);
  await page.fill('#input_password-input', password);
  await page.click('.login-actions button');
  await page.waitForSelector('#saveSetting');
  await page.click('[id="environment/file_storage"]');
  await page.waitForSelector('#TestFileStoreConnection');
  say('console', { address: page.url() });

  await page.goto(`${site}/api/v4/openapi`);
  await page.waitForSelector('.opblock');
  const answers = await page.evaluate(async ([name, password]) => {
    const script = { 'X-Requested-With': 'XMLHttpRequest' };
    const body = JSON.stringify({ login_id: name, password });
    const call = (path, options = {}) => fetch(`../${path.slice(1)}`, options).then((answer) => answer.status);
    const login = await call('/v4/users/login', { method: 'POST', headers: script, body });
    const me = await call('/v4/users/me');
    const csrf = document.cookie.match(/MMCSRF=([^;]*)/)[1];
    const proven = await call('/v4/caches/invalidate', { method: 'POST', headers: { 'X-CSRF-Token': csrf } });
    const forged = await call('/v4/config/reload', { method: 'POST' });
    return { login, me, proven, forged };
  }, [name, password]);
  say('session', { ...answers, paths: (await context.cookies()).map((cookie) => cookie.path) });

  // The forged request took the cookie away, so the page logs in again.
  await page.evaluate(([name, password]) => fetch('../v4/users/login', {
    method: 'POST', headers: { 'X-Requested-With': 'XMLHttpRequest' }, body: JSON.stringify({ login_id: name, password }),
  }).then((answer) => answer.text()), [name, password]);
  const event = await page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket(new URL('../v4/websocket', location.href).href.replace(/^http/, 'ws'));
    socket.onmessage = (message) => resolve(JSON.parse(message.data).event);
    socket.onerror = () => resolve('the socket failed');
  }));
  say('websocket', { event });

  // A request that is tried on the page goes to the site.
  const operation = page.locator('#operations-system-GetServerBusyExpires');
  await operation.locator('.opblock-summary').click();
  await operation.locator('button.execute').click();
  await operation.locator('.live-responses-table tbody .response-col_status').first().waitFor();
  const status = (await operation.locator('.live-responses-table tbody .response-col_status').first().innerText()).trim();
  say('tried', { status, url: (await operation.locator('.request-url pre').first().innerText()).trim() });
  say('ended', { elsewhere });
} finally {
  await browser.close();
}
