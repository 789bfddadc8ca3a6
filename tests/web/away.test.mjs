// The server ends and comes back while a page is open; nobody looks at it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SAMPLE_NOW, openBrowser, openPage, startServer, until } from './lib.mjs';

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

test('a server that went away is told, and its return noticed', async () => {
  await page.view(SAMPLE_NOW);
  const dot = page.locator('.feed-dot');
  await until(async () => (await dot.getAttribute('data-state')) === 'live', 'the stream');
  await server.halt();
  await until(async () => (await dot.getAttribute('data-state')) === 'lost', 'the loss');
  await page.getByRole('link', { name: '工单', exact: true }).click();
  await page.getByText('连不上服务器').waitFor();
  await server.startAgain();
  await page.getByRole('button', { name: '重试' }).click();
  await page.waitForSelector('[data-total]');
  await until(async () => (await dot.getAttribute('data-state')) === 'live', 'the stream again');
});

test('a page that nobody looks at asks for its panels when somebody does', async () => {
  await page.clock.install();
  await page.view(SAMPLE_NOW);
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const show = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  const received = page.locator('[data-number=received]').first();
  await until(async () => (await page.locator('.feed-dot').getAttribute('data-state')) === 'live', 'the stream');
  const before = await received.textContent();
  await show(true);
  await server.records([{ id: 'AWAY-1', accepted_at: '2018-02-01 09:00:00', text: '停电' }]);
  await until(async () => (await received.textContent()) !== before, 'the number to move');
  await page.clock.fastForward(60000);
  assert.ok(!asked.includes('/v1/hot-spots'), 'asked though nobody looks');
  await show(false);
  await until(() => asked.includes('/v1/hot-spots'), 'the panels');
});

test('no trouble on the way', () => {
  assert.deepEqual(page.troubles, []);
});
