// Each view in both languages and sizes: axe-core finds nothing, nothing is
// wider than the window, English views have no Chinese left in the frame; and
// with access control on, as an administrator and as a viewer.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { VIEWS, openBrowser, openPage, startServer } from './lib.mjs';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let open;
let guarded;
let browser;
before(async () => {
  open = await startServer();
  guarded = await startServer(['--auth', 'on'], { feed: 'feed', viewer: 'viewer' });
  await Promise.all([open.importSample(), guarded.importSample()]);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await open?.stop();
  await guarded?.stop();
});

/** What is shown now, called so in a failure. */
async function check(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async (rules) => {
    const { violations } = await window.axe.run(document, { runOnly: rules });
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
  }, RULES);
  assert.deepEqual(found, [], name);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${name} is wider than the window`);
}

async function checkViews(page, views, language) {
  for (const [name, hash] of Object.entries(views)) {
    await page.view(hash);
    await check(page, name);
    const frame = await page.locator('#head nav').textContent();
    assert.equal(/[\u4e00-\u9fff]/.test(frame), language === 'zh', name);
  }
}

for (const language of ['zh', 'en']) {
  for (const [width, height] of [[1366, 768], [1920, 1080]]) {
    const how = { width, height, language };
    test(`views in ${language} at ${width}×${height}`, async () => {
      const page = await openPage(browser, open, how);
      await checkViews(page, VIEWS, language);
      assert.deepEqual(await page.allTroubles(), []);
      await page.context().close();
    });

    test(`signed in, in ${language} at ${width}×${height}`, async () => {
      const page = await openPage(browser, guarded, how);
      const chinese = async () => /[\u4e00-\u9fff]/.test(await page.locator('body').textContent());
      await page.goto(guarded.url);
      await page.waitForURL(/\/sign-in/);
      await check(page, 'sign-in');
      assert.equal(await chinese(), language === 'zh', 'sign-in');
      await page.locator('input[name=token]').fill('guessed');
      await page.locator('button').click();
      await page.getByRole('alert').waitFor();
      await check(page, 'sign-in refused');

      await page.locator('input[name=token]').fill(guarded.tokens.viewer);
      await page.locator('button').click();
      await page.locator('.person').waitFor();
      assert.equal(await page.locator('#head nav a[href*=audit], #head nav a[href*=import]').count(), 0, 'a viewer writes nothing');
      const { import: writes, ...reads } = VIEWS;
      await checkViews(page, reads, language);
      assert.deepEqual(await page.allTroubles(), []);
      await page.context().close();
    });
  }
}

test('the views of an administrator: audit, unmasking, imports, tables', async () => {
  // The link signs in once: one session, each language and size in turn.
  const page = await openPage(browser, guarded);
  await guarded.signIn(page);
  for (const language of ['zh', 'en']) {
    if (language === 'en') await page.getByRole('button', { name: 'English' }).click();
    for (const [width, height] of [[1366, 768], [1920, 1080]]) {
      await page.setViewportSize({ width, height });
      await checkViews(page, { ...VIEWS, audit: '#/audit', sign_ins: '#/audit?action=sign_in' }, language);
      await page.locator('tbody tr').first().waitFor();
      await page.view(VIEWS.ticket);
      await page.locator('#drawer .unmask summary').click();
      await check(page, 'the form of a reason');
      await page.view('#/audit'); // the drawer is closed
    }
  }
  assert.deepEqual(await page.allTroubles(), []);
  await page.context().close();
});
