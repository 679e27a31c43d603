// Shared by the scenarios of the console: a browser whose complaints are collected, a login, steps.

import {createRequire} from 'node:module';
import {mkdirSync, readFileSync} from 'node:fs';
import process from 'node:process';

const [browserPeer, consolePeer, base, name, password, pictures] = process.argv.slice(2);
const {chromium} = createRequire(`${browserPeer}/`)('playwright-core');

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export {base, name, password};

export const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));

const axe = readFileSync(`${consolePeer}/node_modules/axe-core/axe.min.js`, 'utf8');

export const complaints = [];

/** Runs a scenario in a browser of its own. Everything that the browser complains about is collected. */
export async function play(scenario) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
  try {
    await scenario(browser);
    say('ended', { complaints });
  } finally {
    await browser.close();
  }
}

/** Opens a page. Responses with one of the `expected` statuses are no complaints, nor are requests to further `sites`, nor is
 * a socket that cannot be opened: at another address than `SiteURL`, the server refuses it, and the console does without. */
export async function open(browser, { expected = [], sites = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const isExpected = (text) => text.startsWith('WebSocket connection to') || expected.some((status) => text.includes(`status of ${status}`));
  page.on('console', (message) => { if (message.type() === 'error' && !isExpected(message.text())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && ![base, ...sites].some((site) => request.url().startsWith(site))) complaints.push(request.url()); });
  return page;
}

/** Logs in and waits for the console. */
export async function login(page, account = name, at = base, secret = password) {
  await page.goto(`${at}/login`);
  await fillLogin(page, account, secret);
  await page.waitForSelector('#adminConsoleWrapper h1, .alone h1:not(:text-is("Log in"))');
}

/** Fills the form of the login in, and sends it. */
export async function fillLogin(page, account = name, secret = password) {
  await page.fill('#input_loginId', account);
  await page.fill('#input_password-input', secret);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Opens a page of the console, and waits until it is there. */
export async function visit(page, address, at = base) {
  await page.goto(`${at}/admin_console/${address}`);
  await settled(page);
}

/** Waits until a page is there. */
export async function settled(page) {
  await page.waitForSelector('#page h1');
  await page.locator('.loading').first().waitFor({ state: 'detached' });
}

/** Follows a link of the menu, which may be out of sight, and waits until the page is there. */
export async function follow(page, address) {
  await page.evaluate((id) => document.getElementById(id).click(), address);
  await page.waitForFunction((id) => location.pathname.endsWith(`/admin_console/${id}`), address);
  await settled(page);
}

/** A locator for a test id, with dots as they are. */
export const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

/** Returns the violations that axe finds, each in a line. */
export async function violations(page) {
  await page.evaluate(axe);
  const results = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return results.violations.flatMap((violation) => violation.nodes.map((node) => `${violation.id}: ${node.target.join(' ')}: ${node.failureSummary}`));
}

/** Keeps a picture of the page. */
export async function picture(page, file) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: `${pictures}/${file.replace(/\W+/g, '_')}.png` });
}
