// A newcomer's first hour, as far as one person and one file come.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  SAMPLE_NOW, csvRows, holdsPhone, openBrowser, openPage, sample, sampleCsv, settled, startServer, until, unzip,
} from './lib.mjs';

let server;
let browser;
let page;
before(async () => {
  server = await startServer(['--auth', 'on']);
  browser = await openBrowser();
  page = await openPage(browser, server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const number = (name) => page.locator(`[data-number="${name}"]`).first();
const value = async (name) => Number((await number(name).textContent()).replaceAll(',', ''));
const total = async () => {
  await page.waitForSelector('[data-total]');
  return Number(await page.locator('[data-total]').getAttribute('data-total'));
};

test('without signing in there is a form and nothing else', async () => {
  await page.goto(server.url);
  await page.waitForURL(/\/sign-in/);
  await page.locator('input[name=token]').fill('guessed');
  await page.locator('button').click();
  await page.getByRole('alert').waitFor();
});

test('the printed link signs in, once', async () => {
  const link = await server.signIn(page);
  await page.getByRole('button', { name: '退出' }).waitFor();
  await server.askAs(page.context());
  assert.equal((await fetch(link, { redirect: 'manual' })).status !== 303, true, 'a second time');
});

test('an empty store says what to do', async () => {
  await page.view('#/now');
  await page.getByText('还没有工单').waitFor();
  await page.getByText('suqiu import').waitFor();
  for (const view of ['tickets', 'repeats', 'deadlines', 'reports']) {
    await page.view(`#/${view}`);
    await page.locator('.state.empty').first().waitFor();
  }
  await page.view('#/now');
});

test('the first tickets appear by themselves', async () => {
  const now = new Date(Date.now() + 8 * 3600000).toISOString().slice(0, 10);
  const answer = await server.records([
    { id: 'FIRST-1', type: 'complaint', accepted_at: `${now} 00:00:01`, text: '三天两头停电，没人管' }]);
  assert.equal(answer.accepted, 1);
  await until(async () => (await number('received').count()) > 0 && (await value('received')) === 1, 'the first ticket');
});

test('a GB18030 file is dropped, looked at, one column put right, taken in', async () => {
  await page.view('#/import');
  await page.locator('input[type=file]').setInputFiles(await sampleCsv(server.dir));
  await page.getByText('每一列是什么').waitFor();
  await page.getByText('GB18030').waitFor();
  await page.getByText('还差必需的列').waitFor(); // 客户说的话 is no heading we know
  assert.ok(await page.getByRole('button', { name: '确认导入' }).isDisabled());
  await page.getByLabel('“客户说的话”当作').selectOption('text');
  await page.locator('.rows .mark').first().waitFor(); // verdicts of the first rows
  await page.getByRole('button', { name: '确认导入' }).click();
  await page.getByText('导入完成').waitFor();
  await page.getByRole('definition').filter({ hasText: /^500$/ }).first().waitFor();
});

test('bad rows come back with their reason', async () => {
  await page.view('#/import');
  await page.locator('input[type=file]').setInputFiles({
    name: '坏.csv', mimeType: 'text/csv', buffer: Buffer.from('工单编号,受理时间,受理内容\nBAD-1,昨天,停电\n', 'utf8') });
  await page.getByText('读不懂的行').waitFor();
  await page.getByRole('button', { name: '确认导入' }).click();
  await page.getByText('导入完成').waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV', exact: true }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  assert.match(text, /错误原因/);
  assert.match(text, /昨天/);
});

test('the events come in and the charts show the quarter', async () => {
  await page.view('#/import');
  await page.locator('input[type=file]').setInputFiles(sample('events.ndjson'));
  await page.getByRole('button', { name: '确认导入' }).click();
  await page.getByText('导入完成').waitFor();
  await page.view(SAMPLE_NOW);
  assert.equal(await value('received'), 500);
  assert.equal(await value('complaints'), 378);
  await page.waitForFunction(() => document.querySelectorAll('.chart canvas').length === 2);
});

test('a click on a segment of the pie opens exactly its tickets', async () => {
  // Where echarts drew it: the middle of the ring at the middle of its angle.
  const [x, y] = await page.evaluate(() => {
    const element = document.querySelector('.chart.pie');
    const layout = element.chart.getModel().getSeriesByIndex(0).getData();
    const index = [...Array(layout.count()).keys()].find((i) => layout.getRawDataItem(i).category === 'grid');
    const s = layout.getItemLayout(index);
    const angle = (s.startAngle + s.endAngle) / 2;
    const radius = (s.r + s.r0) / 2;
    const box = element.getBoundingClientRect();
    return [box.x + s.cx + radius * Math.cos(angle), box.y + s.cy + radius * Math.sin(angle)];
  });
  const shown = await value('complaints/grid/all');
  await page.mouse.click(x, y);
  await page.waitForURL(/#\/tickets\?.*category=grid/);
  await settled(page);
  assert.equal(await total(), shown);
});

test('a ticket says why, is corrected, and the number moves', async () => {
  await page.view(SAMPLE_NOW);
  const grid = await value('complaints/grid/all');
  const outage = await value('complaints/outage/all');
  await number('complaints/grid/all').click();
  await page.waitForURL(/#\/tickets/);
  await settled(page);
  await page.locator('tbody tr a.id').first().click();
  const drawer = page.locator('#drawer');
  await drawer.locator('mark').first().waitFor();
  assert.ok((await drawer.locator('.evidence code').count()) > 0, 'rules behind the marks');
  assert.equal(await drawer.locator('[data-category]').getAttribute('data-category'), 'grid');

  await drawer.getByText('改判或确认').click();
  await drawer.locator('[name=category]').selectOption('outage');
  await drawer.locator('[name=subcategory]').selectOption({ index: 1 });
  await drawer.locator('.correct [name=by]').fill('质检 王');
  await drawer.getByRole('button', { name: '记为改判' }).click();
  await drawer.locator('[data-category=outage]').waitFor();
  await drawer.getByText('程序原判').waitFor();
  await page.keyboard.press('Escape');
  await page.view(SAMPLE_NOW);
  assert.equal(await value('complaints/grid/all'), grid - 1);
  assert.equal(await value('complaints/outage/all'), outage + 1);
});

test('a number moves while one looks at it', async () => {
  const before = await value('complaints/quality/urban');
  await page.getByText('实时', { exact: true }).last().waitFor();
  await server.records([{ id: '2018020100009999', type: 'complaint', accepted_at: '2018-02-01 09:00:00', region: 'urban', text: '三天两头停电，电压低得灯都不亮' },
    { id: '2018020100009999', event: 'corrected', at: '2018-02-02 09:00:00', category: 'quality', by: '质检 王' }]);
  await until(async () => (await value('complaints/quality/urban')) === before + 1, 'the number to move');
});

test('a final reply is recorded from the list of repeat callers', async () => {
  await page.view('#/repeats?from=2018-01-01&to=2018-03-31&min_calls=4');
  const row = page.locator('tbody tr', { has: page.locator('.final-reply') }).first();
  const caller = await row.locator('td').nth(0).textContent();
  await row.locator('.final-reply summary').click();
  await row.locator('[name=reason]').fill('已当面说明检修计划');
  await row.locator('[name=by]').fill('质检 王');
  await row.getByRole('button', { name: '记为最终答复' }).click();
  const same = page.locator('tbody tr', { hasText: caller });
  await same.getByText('已最终答复').waitFor();
});

test('one customer\'s whole history opens', async () => {
  await page.view('#/repeats?from=2018-01-01&to=2018-03-31&min_calls=4');
  await page.getByRole('link', { name: '全部来电' }).first().click();
  await page.waitForURL(/same_caller=/);
  await settled(page);
  assert.ok((await total()) >= 4);
});

test('a sentence is tried and nothing is stored', async () => {
  const tickets = (await server.get('/v1/tickets?limit=1')).total;
  await page.view('#/rules');
  await page.locator('textarea').fill('表计走得太快，要求验表');
  await page.getByRole('button', { name: '判一判' }).click();
  await page.locator('.verdict').waitFor();
  assert.equal((await server.get('/v1/tickets?limit=1')).total, tickets);
});

test('what is downloaded is what the list shows', async () => {
  await page.view('#/tickets?from=2018-01-01&to=2018-03-31&category=grid');
  const shown = await total();
  const save = async (name) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name, exact: true }).click()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const book = await save('下载 Excel');
  assert.match(book.name, /\.xlsx$/);
  const cells = Object.values(unzip(book.bytes)).join('\n');
  assert.ok(!holdsPhone(cells) && cells.includes('199****'), 'a workbook with masked numbers');
  const rows = csvRows((await save('CSV')).bytes.toString('utf8'));
  assert.equal(rows.length, shown);
  const ids = await page.$$eval('tbody a.id', (links) => links.map((a) => a.textContent));
  assert.deepEqual(rows.slice(0, ids.length).map((row) => row[0].trim()), ids);
  for (const id of ids) assert.ok(cells.includes(id), `${id} stands in the workbook`);
  // Dropped on the page again: everything is known already.
  await page.view('#/import');
  await page.locator('input[type=file]').setInputFiles({ name: 'again.xlsx', mimeType: 'application/octet-stream', buffer: book.bytes });
  await page.getByText('每一列是什么').waitFor();
  await page.getByText('xlsx ·').waitFor();
});

test('a number is seen whole for a reason, and the audit list says so', async () => {
  await page.view('#/tickets?from=2018-01-01&to=2018-03-31&category=grid');
  await page.locator('tbody tr a.id').first().click();
  const drawer = page.locator('#drawer');
  await drawer.getByText('看完整号码和地址').waitFor();
  assert.ok(!holdsPhone(await drawer.textContent()));
  await drawer.getByText('看完整号码和地址').click();
  await drawer.locator('.unmask [name=reason]').fill('客户回访');
  await drawer.getByRole('button', { name: '显示' }).click();
  await until(async () => holdsPhone(await drawer.textContent()), 'the whole number');
  await page.keyboard.press('Escape');
  await page.view('#/audit?action=unmask');
  await page.getByText('客户回访').first().waitFor();
});

test('keyboard alone: a view, a ticket, back', async () => {
  await page.view('#/tickets?from=2018-01-01&to=2018-03-31&category=grid');
  await page.locator('tbody a.id').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('#drawer[open] .verdict').waitFor();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('#drawer').open);
  await until(() => !page.url().includes('ticket='), 'the address without the ticket');
});

test('signing out ends it', async () => {
  await page.view('#/tickets');
  await page.getByRole('button', { name: '退出' }).click();
  await page.waitForURL(/\/sign-in/);
});

test('nothing went wrong on the way', async () => {
  assert.deepEqual(await page.allTroubles(), []);
});
