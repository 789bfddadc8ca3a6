// Pictures of the views for docs/pictures: tests/web/run.sh --pictures DIRECTORY,
// then pngquant --ext .png --force DIRECTORY/*.png. With chromium-l10n dates are
// written as the language does.
import { mkdirSync } from 'node:fs';
import {
  VIEWS, openBrowser, openPage, sampleCsv, startServer,
} from './lib.mjs';

const directory = process.argv[2] ?? 'pictures';
mkdirSync(directory, { recursive: true });
const SIZE = { width: 1366, height: 768 };
const open = await startServer();
await open.importSample();
const guarded = await startServer(['--auth', 'on'], { feed: 'feed' });
await guarded.importSample();

async function save(page, name, language) {
  await page.waitForFunction(() => [...document.querySelectorAll('.chart')].every((c) => c.querySelector('canvas')));
  await page.evaluate(() => document.activeElement?.blur());
  await page.screenshot({ path: `${directory}/${name}-${language}.png`, caret: 'hide' });
}

for (const language of ['zh', 'en']) {
  const browser = await openBrowser(language);
  for (const [name, hash] of Object.entries(VIEWS)) {
    const page = await openPage(browser, open, { ...SIZE, language });
    await page.view(hash);
    if (name === 'import') {
      await page.locator('input[type=file]').setInputFiles(await sampleCsv(open.dir));
      await page.locator('.confirm').waitFor();
    }
    await save(page, name, language);
    await page.context().close();
  }
  await browser.close();
}

// With access control: the way in, a reason given, what is kept of it.
const browser = await openBrowser('zh');
const page = await openPage(browser, guarded, SIZE);
await page.goto(`${guarded.url}/sign-in`);
await save(page, 'sign_in', 'zh');
await guarded.signIn(page);
await page.view(VIEWS.ticket);
const drawer = page.locator('#drawer');
await drawer.locator('.unmask summary').click();
await drawer.locator('.unmask [name=reason]').fill('客户回访');
await save(page, 'unmask', 'zh');
await drawer.getByRole('button', { name: '显示' }).click();
await drawer.getByText('19900003071').waitFor();
await page.request.get(`${guarded.url}/v1/repeat-callers.xlsx?from=2018-01-01&to=2018-03-31`);
await page.view('#/audit');
await page.locator('tbody tr').nth(2).waitFor();
await save(page, 'audit', 'zh');
await browser.close();
await open.stop();
await guarded.stop();
