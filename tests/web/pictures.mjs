// Pictures of the views for docs/pictures: tests/web/run.sh --pictures DIRECTORY,
// then pngquant --ext .png --force DIRECTORY/*.png
import { mkdirSync } from 'node:fs';
import {
  VIEWS, openBrowser, openPage, sampleCsv, startServer,
} from './lib.mjs';

const directory = process.argv[2] ?? 'pictures';
mkdirSync(directory, { recursive: true });
const server = await startServer();
await server.importSample();
const browser = await openBrowser();
for (const [language, width, height] of [['zh', 1366, 768], ['en', 1366, 768], ['zh', 1920, 1080], ['en', 1920, 1080]]) {
  for (const [name, hash] of Object.entries(VIEWS)) {
    const page = await openPage(browser, server, { width, height, language });
    await page.view(hash);
    await page.waitForFunction(() => [...document.querySelectorAll('.chart')].every((c) => c.querySelector('canvas')));
    if (name === 'import') {
      await page.locator('input[type=file]').setInputFiles(await sampleCsv(server.dir));
      await page.locator('.confirm').waitFor();
    }
    await page.evaluate(() => document.activeElement?.blur());
    await page.screenshot({ path: `${directory}/${name}-${language}-${width}.png`, caret: 'hide' });
    await page.context().close();
  }
}
await browser.close();
await server.stop();
