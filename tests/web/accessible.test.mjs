// Each view in both languages and sizes: axe-core finds nothing, nothing is
// wider than the window, English views have no Chinese left in the frame.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { VIEWS, openBrowser, openPage, startServer } from './lib.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let server;
let browser;
before(async () => {
  server = await startServer();
  await server.importSample();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const language of ['zh', 'en']) {
  for (const [width, height] of [[1366, 768], [1920, 1080]]) {
    test(`views in ${language} at ${width}×${height}`, async () => {
      const page = await openPage(browser, server, { width, height, language });
      for (const [name, hash] of Object.entries(VIEWS)) {
        await page.view(hash);
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          const { violations } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] });
          return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
        });
        assert.deepEqual(found, [], name);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${name} is wider than the window`);
        const frame = await page.locator('#head nav').textContent();
        assert.equal(/[\u4e00-\u9fff]/.test(frame), language === 'zh', name);
      }
      assert.deepEqual(page.troubles, []);
      await page.context().close();
    });
  }
}
