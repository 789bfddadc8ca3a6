// The server ends and comes back while a page is open.
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

test('no trouble on the way', () => {
  assert.deepEqual(page.troubles, []);
});
