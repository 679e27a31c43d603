// Every setting that the server describes is found by the search, and the search leads to its row. A link with a broken
// escape opens its page.
//
//   node reach.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import {login, open, play, say, visit} from './shared.mjs';

await play(async (browser) => {
  const page = await open(browser);
  await login(page);
  await visit(page, 'environment/smtp');
  const result = await page.evaluate(async () => {
    const { settings } = await (await fetch('../../api/v4/config/schema')).json();
    const field = document.getElementById('adminSidebarFilter');
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const until = async (find) => {
      for (let frames = 0; frames < 240; frames += 1) {
        const found = find();
        if (found) return found;
        await frame();
      }
      return null;
    };
    const lost = [];
    for (const { path, page } of settings) {
      field.value = path;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      const link = await until(() => [...document.querySelectorAll('.sidebar .result')].find((one) => one.querySelector('code')?.textContent === path));
      link?.click();
      const rows = () => document.querySelectorAll(`.row[data-testid="${CSS.escape(path)}"]`).length;
      const isThere = link && await until(() => rows() === 1);
      if (!isThere || !location.pathname.endsWith(`/${page}`)) lost.push(path);
    }
    return { count: settings.length, lost };
  });
  say('settings', result);

  // A place with a broken escape is no place, and the page is there all the same.
  const headings = [];
  for (const address of ['environment/web_server#100%', 'environment/smtp#%', 'environment/web_server#%E0%A4%A']) {
    await visit(page, address);
    headings.push(await page.locator('#page h1').innerText());
  }
  say('escapes', { headings });
});
