// The page of the API in a real browser: it shows every operation, and the test runs one.
//
//   node openapi.mjs <base URL> <token>     in the folder where playwright-core is installed
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {createRequire} from 'node:module';
import process from 'node:process';

const [server, token] = process.argv.slice(2);
const {chromium} = createRequire(`${process.cwd()}/`)('playwright-core');

const QUIET = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', ...QUIET] });
try {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const elsewhere = [];
  page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(server)) elsewhere.push(request.url()); });
  await page.goto(`${server}/api/v4/openapi`);
  await page.waitForSelector('.opblock');
  say('shown', { operations: await page.locator('.opblock').count() });

  await page.click('button.authorize');
  await page.fill('.auth-container input[aria-label="auth-bearer-value"], .auth-container input[type="text"] >> nth=0', token);
  await page.click('.auth-btn-wrapper button.authorize >> nth=0');
  await page.click('.auth-btn-wrapper button.btn-done');

  const operation = page.locator('#operations-system-GetServerBusyExpires');
  await operation.locator('.opblock-summary').click();
  await operation.locator('button.execute').click();
  await operation.locator('.live-responses-table tbody .response-col_status').first().waitFor();
  const status = (await operation.locator('.live-responses-table tbody .response-col_status').first().innerText()).trim();
  const body = await operation.locator('.live-responses-table tbody .response-col_description').first().innerText();
  say('tried', { status, is_answered: body.includes('"busy"') });
  say('ended', { complaints, elsewhere });
} finally {
  await browser.close();
}
