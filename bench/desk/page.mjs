// How fast is the page? page.mjs URL RUNS: a JSON line for each run of the first
// paint of Now, and one for each click with what the server took.
//
//   paint_us    from the navigation to the first paint of anything
//   now_us      from the navigation to the frame that shows Now's numbers
//   click       what was clicked; server_us of each request it made: from the
//               request's first byte to the last of the answer, as the browser
//               saw it, waiting behind the others included
import { chromium } from 'playwright-core';

const [url, runs = '5'] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
});
const say = (object) => console.log(JSON.stringify(object));

async function open() {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' });
  const page = await context.newPage();
  page.setDefaultTimeout(120000);
  return page;
}

/** The view of the address is drawn and nothing loads any more. */
const settled = (page) => page.waitForFunction(() => document.body.dataset.shown === location.hash
  && !document.querySelector('[aria-busy], main .loading, #drawer[open] .loading'));

// A browser that has never been here.
for (let run = 1; run <= Number(runs); run++) {
  const page = await open();
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('[data-number=received]')) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => { window.drawnAt = performance.now(); }));
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(`${url}/#/now`);
  await page.waitForFunction(() => window.drawnAt);
  const { paint, now } = await page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, now: window.drawnAt,
  }));
  say({ what: 'paint', run, paint_us: Math.round(paint * 1000), now_us: Math.round(now * 1000) });
  await page.context().close();
}

const page = await open();
let asked = [];
page.on('requestfinished', (request) => {
  const { pathname } = new URL(request.url());
  const { requestStart, responseEnd } = request.timing();
  if (pathname.startsWith('/v1/')) asked.push({ path: request.url().slice(url.length), us: Math.round((responseEnd - requestStart) * 1000) });
});
async function click(name, act) {
  asked = [];
  await act();
  await settled(page);
  for (const { path, us } of asked) say({ what: 'click', click: name, path, server_us: us });
  if (asked.length === 0) throw new Error(`${name}: nothing was asked`);
}
const nav = (view) => () => page.locator(`#head nav a[href^="#/${view}"]`).click();
const first = (selector) => () => page.locator(selector).first().click();

await click('now', () => page.goto(`${url}/#/now`));
const range = () => page.evaluate(() => Object.fromEntries(new URLSearchParams(document.querySelector('[data-number=received]').getAttribute('href').split('?')[1])));
const { from, to } = await range();
for (let run = 1; run <= Number(runs); run++) {
  await click('now: another week', async () => {
    await page.evaluate(([a, b]) => { location.hash = `#/now?from=${a}&to=${b}`; }, [from, to]);
    await page.waitForFunction(() => document.body.dataset.shown === location.hash);
  });
  await click('now: number', async () => { await first('[data-number="complaints/quality/all"]')(); await page.waitForURL(/#\/tickets/); });
  await click('tickets: ticket', async () => { await first('tbody tr a.id')(); await page.waitForURL(/ticket=/); });
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('#drawer').open);
  await click('tickets: 100 more', first('.list-foot button'));
  await click('tickets', nav('tickets'));
  await click('tickets: words', async () => {
    await page.evaluate(([a, b]) => { location.hash = `#/tickets?from=${a}&to=${b}&q=${encodeURIComponent('电压')}`; }, [from, to]);
    await page.waitForFunction(() => document.body.dataset.shown === location.hash);
  });
  await click('repeats', nav('repeats'));
  await click('repeats: hot spots', async () => { await first('a[href*="tab=hot"]')(); await page.waitForURL(/tab=hot/); });
  await click('deadlines', nav('deadlines'));
  await click('deadlines: overdue', async () => { await first('a[href*="tab=overdue"]')(); await page.waitForURL(/tab=overdue/); });
  await click('deadlines: by 18:00', async () => { await first('a[href*="tab=by"]')(); await page.waitForURL(/tab=by/); });
  await click('rules: list', async () => { await nav('rules')(); await page.evaluate(() => { location.hash = '#/rules?tab=list&order=hits'; }); await page.waitForURL(/tab=list/); });
  await click('reports', nav('reports'));
  await click('now again', nav('now'));
}
await browser.close();
