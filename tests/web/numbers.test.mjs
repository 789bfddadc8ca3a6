// Every number opens its list: what the page shows = the list's total = the
// rows of the CSV, for numbers of every view; of today also = /metrics.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import {
  VIEWS, csvRows, openBrowser, openPage, sample, settled, startServer,
} from './lib.mjs';

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

  assert.deepEqual(await wrongOf(chosen), []);
  assert.deepEqual(page.troubles, []);
});

/** Those of the numbers whose list or file has another count. */
async function wrongOf(numbers) {
  const wrong = [];
  for (const { view, name, value, href } of numbers) {
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
  return wrong;
}

const shanghaiDay = () => new Date(Date.now() + 8 * 3600000).toISOString().slice(0, 10);

/** The sample's tickets as if accepted at the beginning of this day, their
 * events a second later; and some that are due soon for hours. */
function recordsOfToday(day) {
  const lines = (file) => readFileSync(sample(file), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const at = (second, i) => `${day}T00:00:0${second}.${String(i).padStart(3, '0')}+08:00`;
  const tickets = lines('quarter.ndjson').map((ticket, i) => ({ ...ticket, id: `9${ticket.id}`, accepted_at: at(0, i), related: undefined }));
  const events = lines('events.ndjson').map((event, i) => ({ ...event, id: `9${event.id}`, at: at(1, i % 1000) }));
  const soon = ['urban', 'rural'].map((region, i) => ({
    id: `SOON-${i}`, type: 'complaint', accepted_at: new Date(Date.now() - 20 * 3600000).toISOString(), region, text: '三天两头停电',
  }));
  return [...tickets, ...events, ...soon];
}

/** What /metrics says of a number of the page; null: nothing, for the reason
 * beside it. A number that is not known here fails the test. */
function metricOf(name, metric) {
  const regions = { urban: 'urban', rural: 'rural,remote', unknown: 'unknown', all: 'urban,rural,remote,unknown' };
  const [first, ...rest] = name.replace(/^report\//, '').split('/');
  const cell = first === 'complaints' && rest.length === 2 ? rest : [first, ...rest];
  if (/@|^trend\/|^hot_spots$|^report\/callers$/.test(name)) return null; // another stretch of time; gathered, not counted
  if (/^(report\/unit|report\/subcategory)\//.test(name)) return null; // as many series as there are units, names
  if (/^(overdue|report\/clock)\//.test(name)) return null; // of the clocks that ran out there are those of all time, open or not
  if (first === 'due_soon') return metric('clocks_due_soon', rest[0] ? { kind: rest[0] } : {});
  if (name === 'unfinished') return metric('today', { counter: 'received' }) - metric('today', { counter: 'closed' });
  if (cell.length === 2 && regions[cell[1]]) {
    return metric('today_complaints', { region: regions[cell[1]], ...(cell[0] === 'all' ? {} : { category: cell[0] }) });
  }
  assert.equal(rest.length, 0, `${name}: say here what /metrics has of it`);
  return metric('today', { counter: first });
}

test('the numbers of today are those of /metrics', async () => {
  let day;
  let all;
  let metric;
  do { // again when midnight came between
    day = shanghaiDay();
    const answer = await server.records(recordsOfToday(day));
    assert.equal(answer.rejected, 0, JSON.stringify(answer.errors));
    all = await numbersOf('now', '#/now');
    all.push(...await numbersOf('reports', `#/reports?from=${day}&to=${day}`));
    metric = await server.metrics();
  } while (day !== shanghaiDay());
  const compared = all.map((n) => ({ ...n, metric: metricOf(n.name, metric) })).filter((n) => n.metric !== null);
  assert.ok(compared.filter((n) => n.value > 0).length >= 50, `numbers compared: ${compared.length}`);
  assert.ok(compared.some((n) => n.name === 'due_soon/contact' && n.value === 2), 'two are due soon');
  assert.deepEqual(compared.filter((n) => n.metric !== n.value), []);
  assert.deepEqual(await wrongOf(compared), []);
  // By kind what ran out, open or not; and the numbers of the feed panel.
  const overdue = await numbersOf('deadlines', '#/deadlines?tab=overdue');
  assert.ok(overdue.length >= 2);
  assert.deepEqual(overdue.map((n) => [n.name, n.value]), overdue.map((n) => [n.name, metric('clocks_overdue', { kind: n.name.split('/')[1] })]));
  await page.view('#/now');
  const total = page.locator('.facts div', { hasText: '工单总数' }).locator('dd');
  await total.waitFor();
  assert.equal(Number((await total.textContent()).replaceAll(',', '')), metric('tickets_total'));
  assert.deepEqual(page.troubles, []);
});
