// File storage in a real browser, with real stores: drivers, presets, the test of what is on the screen, and a save.
//
//   node storage.mjs <browser peer> <console peer> <base URL> <name> <password> <folder for pictures> <stores as JSON>
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import process from 'node:process';

import {createContainer} from './azure.mjs';
import {byId, login, open, picture, play, say, violations, visit} from './shared.mjs';

const {s3, azure} = JSON.parse(process.argv[8]);
const BUTTON = '#TestFileStoreConnection';
const setting = (name) => `FileSettings.${name}`;

await play(async (browser) => {
  const page = await open(browser, { expected: [400, 500] });
  await login(page);
  await visit(page, 'environment/file_storage');
  const driver = byId(page, setting('DriverNamedropdown'));
  const rows = () => page.$$eval('.row[data-testid^="FileSettings."]', (all) => all.map((row) => row.dataset.testid.slice('FileSettings.'.length)));
  const fill = async (values) => {
    for (const [name, value] of Object.entries(values)) {
      const row = byId(page, setting(name));
      if (typeof value === 'boolean') await byId(page, setting(`${name}${value}`)).check();
      else if (await row.locator('select').count()) await row.locator('select').selectOption(value);
      else {
        const input = byId(page, setting(`${name}input`));
        if (!await input.count()) await row.getByRole('button', { name: /^(Enter|Replace)/ }).click();
        await input.fill(value);
      }
    }
  };
  const test = async () => {
    await page.click(BUTTON);
    await page.waitForSelector('.test-verdict');
    await page.waitForFunction((button) => !document.querySelector(button).disabled, BUTTON);
  };
  const stages = () => page.$$eval('.stage', (all) => all.map((stage) => [stage.dataset.testid.slice('stage-'.length), stage.className.split('is-')[1]]));
  const stageOf = async (outcome) => (await stages()).filter(([, found]) => found === outcome).map(([step]) => step);

  // Only the fields of the chosen driver; what was typed stays, and nothing untouched is sent.
  const local = await rows();
  await driver.selectOption('amazons3');
  const amazon = await rows();
  await byId(page, setting('AmazonS3Bucketinput')).fill('typed-bucket');
  await driver.selectOption('azureblob');
  const microsoft = await rows();
  await driver.selectOption('amazons3');
  const typed = await byId(page, setting('AmazonS3Bucketinput')).inputValue();
  const isMoved = await byId(page, 'moved').count();
  await page.getByRole('button', { name: 'Discard' }).click();
  say('drivers', { local, amazon, microsoft, typed, is_moved: isMoved });

  // The local folder works without being saved first.
  await test();
  say('local', { alert: await page.locator(`.test-verdict`).innerText(), passed: await stageOf('passed') });

  // A preset fills in what the provider needs.
  await driver.selectOption('amazons3');
  await byId(page, 'preset-MinIO').click();
  say('preset', { endpoint: await byId(page, setting('AmazonS3Endpointinput')).inputValue() });

  // A failure is open: the step, cause and remedy, and a link to the field that is wrong.
  const { DriverName: _, ...values } = s3;
  await fill({ ...values, AmazonS3Region: '', AmazonS3Bucket: 'no-such-bucket' });
  await test();
  const report = await byId(page, 'report').textContent();
  await picture(page, 'storage_failed_light_1280');
  await page.locator('.mending-links a').first().click();
  await page.waitForFunction(() => document.activeElement?.id.startsWith('FileSettings.'));
  say('failure', {
    verdict: await page.locator('.test-verdict').innerText(), failed: await stageOf('failed'), passed: await stageOf('passed'),
    field: await page.evaluate(() => document.activeElement.id), mending: await byId(page, 'mending').innerText(),
    has_secret: report.includes(s3.AmazonS3SecretAccessKey), report: report.includes('no-such-bucket'),
    violations: await violations(page),
  });

  // An edit makes the result stale; the right bucket passes, and is not saved yet.
  await fill({ AmazonS3Bucket: s3.AmazonS3Bucket });
  const stale = await byId(page, 'TestFileStoreConnectionstale').count();
  await test();
  await page.locator('.stages').scrollIntoViewIfNeeded();
  await picture(page, 'storage_passed_light_1280');
  say('success', { stale, verdict: await page.locator('.test-verdict').innerText(), passed: await stageOf('passed') });

  // A save: in use at once, and only the changed keys are sent.
  const sent = page.waitForRequest((request) => request.method() === 'PUT');
  await page.click('#saveSetting');
  const body = (await sent).postDataJSON();
  await byId(page, 'notice').first().waitFor();
  say('save', { keys: Object.keys(body.FileSettings).sort(), notice: await byId(page, 'notice').allInnerTexts() });

  // Another host: the secret must be entered again, and the field says so before the click.
  await visit(page, 'environment/file_storage');
  const set = await byId(page, setting('AmazonS3SecretAccessKeystate')).innerText();
  await fill({ AmazonS3Bucket: 'another-bucket' });
  const again = await byId(page, setting('AmazonS3SecretAccessKeyagain')).innerText();
  await test();
  await picture(page, 'storage_reentry_light_1280');
  say('reentry', { set, again, verdict: await page.locator('.test-verdict').innerText(), moved: await byId(page, 'moved').innerText() });
  await page.getByRole('button', { name: 'Discard' }).click();

  // Azure: the container does not exist.
  await driver.selectOption('azureblob');
  const { DriverName: __, ...account } = azure;
  await fill({ AzureCloud: account.AzureCloud, ...account });
  await test();
  await picture(page, 'storage_azure_light_1280');
  say('azure', { verdict: await page.locator('.test-verdict').innerText(), failed: await stageOf('failed'), mending: await byId(page, 'mending').innerText() });

  // Settings that do not work: the earlier store goes on serving, and a banner on every page says so.
  await page.click('#saveSetting');
  await byId(page, 'storageBanner').waitFor();
  await page.click('[id="environment/logging"]');
  await page.waitForSelector('h1:text("Logging")');
  say('banner', { text: await byId(page, 'storageBanner').innerText() });
  await picture(page, 'storage_banner_light_1280');

  // Exports: off, then with the values of the store of files.
  await visit(page, 'environment/export_storage');
  const off = await rows();
  await byId(page, setting('DedicatedExportStoretrue')).check();
  await byId(page, 'copyFromFiles').click();
  say('exports', { off, driver: await byId(page, setting('ExportDriverNamedropdown')).inputValue(), container: await byId(page, setting('ExportAzureContainerinput')).inputValue() });
  await page.getByRole('button', { name: 'Discard' }).click();

  // The saved store is mended: its test passes, and the banner goes by itself.
  await createContainer(azure);
  await visit(page, 'environment/file_storage');
  await test();
  const verdict = await page.locator('.test-verdict').innerText();
  await byId(page, 'storageBanner').waitFor({ state: 'detached' });
  say('mended', { verdict, driver: await driver.inputValue() });
});
