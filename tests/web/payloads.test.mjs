// What customers and senders write is shown as it stands and never runs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, openPage, startServer } from './lib.mjs';

const scripts = [
  '<script>window.ran=1</script>', '<img src=x onerror="window.ran=1">', '<svg onload=window.ran=1>',
  '"><script>window.ran=1</script>', '\'><img src=x onerror=window.ran=1>', 'javascript:window.ran=1',
  '<iframe srcdoc="<script>parent.ran=1</script>">', '</title><script>window.ran=1</script>',
  '<a href="javascript:window.ran=1" autofocus onfocus="window.ran=1">x</a>', '{{constructor.constructor("window.ran=1")()}}',
  '<style>@import "http://elsewhere.example/x.css";</style>', '<body onload=window.ran=1>', '\u202e<script>window.ran=1</script>',
  '<math><mtext><img src=x onerror=window.ran=1></mtext></math>', '&lt;script&gt;window.ran=1&lt;/script&gt;',
  '<details open ontoggle=window.ran=1>', '${window.ran=1}', '`;window.ran=1;`', '<base href="http://elsewhere.example/">',
  '<meta http-equiv=refresh content="0;url=javascript:window.ran=1">',
];

let server;
let browser;
let page;
before(async () => {
  server = await startServer();
  browser = await openBrowser();
  page = await openPage(browser, server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('scripts in every field', async () => {
  const day = '2018-03-01';
  const records = [];
  scripts.forEach((script, i) => {
    const at = `${day} 09:${String(i).padStart(2, '0')}:00`;
    for (let call = 0; call < 2; call++) {
      const id = `X${i}-${call} ${script}`.slice(0, 64);
      records.push({
        id, type: 'complaint', accepted_at: at, text: `三天两头停电 ${script} 没人管`, name: script,
        address: `${script} 解放西街`, caller: `1990000${1000 + i}`, customer: `c${i}${script}`.slice(0, 60), unit: `省/市/${script.replaceAll('/', '|')}`, extra_field: script, [script]: script,
      });
      records.push({ id, event: 'corrected', at: `${day} 12:00:00`, category: 'quality', subcategory: script, reason: script, by: script });
      records.push({ id, event: 'verified', at: `${day} 13:00:00`, substantiated: 'yes', reason: script, by: script });
    }
    records.push({ id: script, accepted_at: script, text: script, type: script });
  });
  const answer = await server.records(records);
  assert.ok(answer.accepted >= scripts.length * 4, JSON.stringify(answer).slice(0, 500));
  await fetch(`${server.url}/v1/facts`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'customers', period: '2018-Q1', value: 5, by: scripts[0] }) });

  const range = 'from=2018-01-01&to=2018-03-31';
  const hashes = [`#/now?${range}`, `#/tickets?${range}`, '#/tickets?tab=rejects', `#/repeats?${range}`, `#/repeats?${range}&tab=hot&min_callers=2`,
    '#/deadlines?tab=overdue', `#/reports?${range}`,
    ...scripts.map((s) => `#/tickets?q=${encodeURIComponent(s)}`),
    ...scripts.map((s) => `#/rules?text=${encodeURIComponent(s)}`),
    ...scripts.map((s) => `#/now?${range}&unit=${encodeURIComponent(`省/市/${s}`)}`),
    ...scripts.map((s) => `#/${encodeURIComponent(s)}?from=${encodeURIComponent(s)}`)];
  for (const hash of hashes) {
    await page.view(hash);
    assert.equal(await page.evaluate(() => window.ran), undefined, hash);
  }
  const { items } = await server.get(`/v1/tickets?${range}&limit=100`);
  for (const { id } of items) {
    await page.view(`#/tickets?ticket=${encodeURIComponent(id)}`);
    await page.locator('#drawer .verdict').waitFor();
    assert.equal(await page.evaluate(() => window.ran), undefined, id);
    assert.equal(await page.locator('#drawer script, #drawer iframe, #drawer img, #drawer style').count(), 0);
  }
  assert.deepEqual(page.troubles, []);
});
