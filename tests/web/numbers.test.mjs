// Every number opens its list: what the page shows = the list's total = the
// rows of the CSV, for numbers of every view.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { VIEWS, csvRows, openBrowser, openPage, settled, startServer } from './lib.mjs';

const NUMBERS = 100;
let server;
let browser;
let page;
before(async () => {
  server = await startServer();
  await server.importSample();
  browser = await openBrowser();
  page = await openPage(browser, server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The numbers of a view: {view, name, value, href}. */
async function numbersOf(name, hash) {
  await page.view(hash);
  for (const summary of await page.locator('main details > summary').all()) await summary.click();
  return page.$$eval('a[data-number]', (links, view) => links.map((a) => ({
    view, name: a.dataset.number, value: Number(a.textContent.replaceAll(',', '')), href: a.getAttribute('href'),
  })), name);
}

test(`${NUMBERS} numbers of the page have exactly so many rows`, async () => {
  const all = [];
  for (const view of ['now', 'repeats', 'deadlines', 'reports']) all.push(...await numbersOf(view, VIEWS[view]));
  all.push(...await numbersOf('month', '#/now?from=2018-02-01&to=2018-02-28'));
  all.push(...await numbersOf('day', '#/now?from=2018-03-22&to=2018-03-22'));
  all.push(...await numbersOf('unit', `#/now?from=2018-01-01&to=2018-03-31&unit=${encodeURIComponent('宁夏电力/吴忠供电公司')}`));
  const names = new Set(all.map((n) => n.name));
  assert.ok(names.size >= 60, `kinds of numbers: ${names.size}`);
  // Every kind once, then the rest evenly.
  const first = [...names].map((name) => all.find((n) => n.name === name && n.value > 0) ?? all.find((n) => n.name === name));
  const rest = all.filter((n) => !first.includes(n) && n.value > 0);
  const chosen = first.concat(rest.filter((_, i) => i % Math.ceil(rest.length / NUMBERS) === 0));
  assert.ok(chosen.length >= NUMBERS, `numbers looked at: ${chosen.length}`);

  const wrong = [];
  for (const { view, name, value, href } of chosen) {
    await page.evaluate((hash) => { location.hash = hash; }, href);
    await settled(page);
    await page.waitForSelector('[data-total]');
    const total = Number(await page.locator('[data-total]').getAttribute('data-total'));
    const csv = await page.locator('.files a[href*=".csv"]').getAttribute('href');
    const rows = csvRows(await (await fetch(server.url + csv)).text()).length;
    if (total !== value || rows !== value) wrong.push({ view, name, value, total, rows, href });
    await page.evaluate(() => { location.hash = '#/rules'; }); // so that no total stays
    await page.locator('textarea').waitFor();
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(page.troubles, []);
});
