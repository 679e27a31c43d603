// The report of a load test in a real browser, in both themes and on a narrow screen.
//
//   node report.mjs <path of report.html>     in the folder where playwright-core is installed
//
// Prints one JSON object for each theme. Ends with 1 and the reason at the first that fails.

import {createRequire} from 'node:module';
import process from 'node:process';
import {pathToFileURL} from 'node:url';

const page_url = pathToFileURL(process.argv[2]).href;
const {chromium} = createRequire(`${process.cwd()}/`)('playwright-core');

const QUIET = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// The contrast of two colours, as the accessibility guidelines define it.
const measure = () => {
  const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
    const value = Number(part) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const light = (colour) => { const [red, green, blue] = parts(colour); return 0.2126 * red + 0.7152 * green + 0.0722 * blue; };
  const contrast = (one, other) => { const [low, high] = [light(one), light(other)].sort((a, b) => a - b); return (high + 0.05) / (low + 0.05); };
  const style = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
  const card = style('figure', 'backgroundColor');
  const charts = [...document.querySelectorAll('figure svg')];
  const outside = charts.flatMap((chart) => {
    const frame = chart.getBoundingClientRect();
    return [...chart.querySelectorAll('text, polyline')].filter((part) => {
      const box = part.getBoundingClientRect();
      return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1 || box.top < frame.top - 1;
    }).map((part) => part.textContent || part.tagName);
  });
  return {
    charts: charts.filter((chart) => chart.getBoundingClientRect().height > 80).length,
    titles: [...document.querySelectorAll('figcaption')].map((title) => title.textContent),
    outside,
    paper: style('body', 'backgroundColor'),
    contrast: Math.min(contrast(style('body', 'color'), style('body', 'backgroundColor')), contrast(style('svg text', 'fill'), card), contrast(style('.soft', 'color'), style('body', 'backgroundColor'))),
    lines: Math.min(...[...document.querySelectorAll('polyline')].map((line) => contrast(getComputedStyle(line).stroke, card))),
    is_wider: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  };
};

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', ...QUIET] });
try {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
    const complaints = [];
    const requests = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(page_url);
    const wide = await page.evaluate(measure);
    await page.setViewportSize({ width: 390, height: 800 });
    const narrow = await page.evaluate(measure);
    console.log(JSON.stringify({ theme: colorScheme, ...wide, is_wider_when_narrow: narrow.is_wider, complaints, requests: requests.length }));
    await page.close();
  }
} finally {
  await browser.close();
}
