// A server on an empty directory and a browser that sees nothing but it.
import { execFile, spawn } from 'node:child_process';
import {
  existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const program = process.env.SUQIU ?? join(root, 'build/release/suqiu');
export const sample = (name) => join(root, 'tests/data/sample', name);
// Only how long a failure takes: on a busy machine a step may take seconds.
export const WAIT_MS = 60000;

/** Wait until look() gives something true; the last value, or an error. */
export async function until(look, what) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${WAIT_MS} ms in vain for ${what}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/**
 * A running server: {url, dir, output(), stop(), import(...files), records(objects)};
 * with access control when it is given `tokens`, names and their roles, one of
 * them "feed": then imports show that one's.
 */
export async function startServer(flags = ['--auth', 'off'], tokens = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'suqiu-web-'));
  const server = { dir, guarded: !flags.includes('off'), tokens: {} };
  for (const [name, role] of Object.entries(tokens)) {
    const { stdout } = await run(program, ['token', 'add', name, '--role', role, '--data', dir]);
    [server.tokens[name]] = /sq_\S+/.exec(stdout);
  }
  const shown = server.tokens.feed ? ['--token-file', join(dir, 'feed-token')] : [];
  if (server.tokens.feed) writeFileSync(shown[1], server.tokens.feed, { mode: 0o600 });
  const start = async () => {
    let output = '';
    const child = spawn(program, ['serve', '--data', dir, '--http-port', server.port ?? '0', '--feed-port', '0', ...flags]);
    child.stdout.on('data', (bytes) => { output += bytes; });
    child.stderr.on('data', (bytes) => { output += bytes; });
    const ports = join(dir, 'ports');
    await until(() => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${output}`);
      return existsSync(ports) && output.includes('is ready');
    }, 'the server');
    server.port = /http=(\d+)/.exec(readFileSync(ports, 'utf8'))[1];
    server.url = `http://127.0.0.1:${server.port}`;
    server.child = child;
    server.output = () => output;
  };
  await start();
  server.halt = async () => {
    const ended = new Promise((next) => { server.child.once('exit', next); });
    server.child.kill('SIGTERM');
    await ended;
  };
  server.startAgain = start;
  server.stop = async () => {
    if (server.child.exitCode === null) await server.halt();
    rmSync(dir, { recursive: true, force: true });
  };
  server.import = (...files) => run(program, ['import', '--to', server.url, ...shown, ...files]);
  server.importSample = async () => {
    await server.import(sample('quarter.ndjson'), sample('events.ndjson'));
    await run(program, ['facts', '--to', server.url, ...shown, sample('facts.json')]);
    await server.import(sample('review.ndjson'));
  };
  server.records = async (objects) => {
    const answer = await fetch(`${server.url}/v1/records`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson', ...server.headers },
      body: objects.map((o) => `${JSON.stringify(o)}\n`).join(''),
    });
    return answer.json();
  };
  server.get = async (path) => (await fetch(server.url + path, { headers: server.headers })).json();
  /** /metrics: of a series its value, of a name the sum of its series. */
  server.metrics = async () => {
    const text = await (await fetch(`${server.url}/metrics`, { headers: server.headers })).text();
    const series = text.split('\n').map((line) => /^suqiu_(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)).filter(Boolean)
      .map(([, name, labels = '', value]) => ({
        name, value: Number(value), labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, word]) => [key, word])),
      }));
    return (name, labels = {}) => series.filter((one) => one.name === name && Object.entries(labels).every(([key, words]) => words.split(',').includes(one.labels[key])))
      .reduce((sum, one) => sum + one.value, 0);
  };
  /** Sign in by the link that the server printed. */
  server.signIn = async (page) => {
    const link = await until(() => /sign in once.*(http:\S+)/.exec(server.output())?.[1], 'the link');
    await page.goto(link);
    await page.waitForFunction((url) => location.href.startsWith(url) && !location.pathname.includes('sign-in'), server.url);
    return link;
  };
  /** Ask as the browser's session does, from now on. */
  server.askAs = async (context) => {
    const [cookie] = await context.cookies();
    server.headers = { Cookie: `${cookie.name}=${cookie.value}`, Origin: server.url };
  };
  return server;
}

/**
 * A page; whatever goes wrong in it is in page.troubles: errors, refused
 * scripts, requests to anybody else, dialogs.
 */
export async function openPage(browser, server, { width = 1366, height = 768, language = 'zh' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, locale: language === 'en' ? 'en-GB' : 'zh-CN', timezoneId: 'America/New_York', acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // A server that is away is told by the browser as well; the page says it.
    if (message.type() === 'error' && !/net::ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)|status of 40[0134]/.test(message.text())) page.troubles.push(`console: ${message.text()}`);
  });
  page.on('dialog', async (dialog) => {
    page.troubles.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(server.url)) page.troubles.push(`asked elsewhere: ${request.url()}`);
  });
  // Whoever signs in sees no whole number, but in the answer to a reason and in
  // the file that was uploaded; viewers can do neither.
  const reading = [];
  page.on('requestfinished', (request) => {
    if (server.guarded && !/\/unmask$|\/v1\/imports\//.test(request.url())) {
      reading.push(request.response().then((answer) => answer.text()).then((text) => {
        if (holdsPhone(text)) page.troubles.push(`a whole number: ${request.url()}: …${text.slice(text.search(PHONE) - 60).slice(0, 90)}`);
      }, () => {})); // a redirect has no body
    }
  });
  /** What went wrong so far. */
  page.allTroubles = async () => {
    await Promise.all(reading);
    return page.troubles;
  };
  await page.addInitScript((value) => { localStorage.setItem('suqiu-language', value); }, language);
  page.view = async (hash) => {
    await page.goto(`${server.url}/${hash}`);
    await settled(page);
  };
  return page;
}

/** The view of the address is drawn and nothing loads any more. After a click
 * that changes the address wait for the address first, then for this: what is
 * looked for may stand in the view before, too. */
export async function settled(page) {
  await page.waitForFunction(() => document.body.dataset.shown === location.hash
    && document.querySelector('main').childElementCount > 0
    && !document.querySelector('[aria-busy], main .loading, #drawer[open] .loading'));
}

/** A file of the sample in Excel's Chinese encoding, with one heading that no
 * table knows. */
export async function sampleCsv(directory) {
  const heads = { id: '工单编号', accepted_at: '受理时间', type: '业务类型', caller: '来电号码', customer: '户号', address: '用电地址', unit: '供电单位', text: '客户说的话' };
  const cell = (value) => (/[",\n\r]/.test(value ?? '') ? `"${value.replaceAll('"', '""')}"` : value ?? '');
  const rows = readFileSync(sample('quarter.ndjson'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const text = [Object.values(heads), ...rows.map((row) => Object.keys(heads).map((name) => cell(row[name])))]
    .map((row) => `${row.join(',')}\r\n`).join('');
  const plain = join(directory, 'plain.csv');
  const path = join(directory, '一季度工单.csv');
  writeFileSync(plain, text);
  const { stdout } = await run('iconv', ['-f', 'UTF-8', '-t', 'GB18030', plain], { encoding: 'buffer', maxBuffer: 1 << 26 });
  writeFileSync(path, stdout);
  return path;
}

/** Chromium cut off from every network but this machine; the language is that of
 * its own words, such as a date's, where chromium-l10n is installed. */
export const openBrowser = (language = 'zh') => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  env: { ...process.env, LANGUAGE: language === 'zh' ? 'zh_CN' : 'en_GB' },
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
});

/** A mobile number in full; the fraction of a number is none. */
const PHONE = /(?<![0-9]|[0-9]\.)1[3-9][0-9]{9}(?![0-9])/;
export const holdsPhone = (text) => PHONE.test(text);

/** The parts of a zip file, {name: text}. */
export function unzip(bytes) {
  const parts = {};
  const end = bytes.lastIndexOf('PK\x05\x06');
  let at = bytes.readUInt32LE(end + 16); // the directory
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const packed = bytes.readUInt32LE(at + 20);
    const nameBytes = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameBytes);
    const local = bytes.readUInt32LE(at + 42);
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const data = bytes.subarray(from, from + packed);
    parts[name] = (bytes.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data)).toString('utf8');
    at += 46 + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return parts;
}

/** Rows of a CSV text without its heading; quoted line ends are no rows. */
export function csvRows(text) {
  const rows = [];
  let row = [''];
  let quoted = false;
  for (const c of text.replace(/^\uFEFF/, '')) {
    if (quoted) {
      if (c === '"') quoted = false;
      else row[row.length - 1] += c;
    } else if (c === '"') quoted = true;
    else if (c === ',') row.push('');
    else if (c === '\n') {
      rows.push(row);
      row = [''];
    } else if (c !== '\r') row[row.length - 1] += c;
  }
  if (row.length > 1 || row[0] !== '') rows.push(row);
  return rows.slice(1);
}

export const SAMPLE_NOW = '#/now?from=2018-01-01&to=2018-03-31';
export const VIEWS = {
  now: SAMPLE_NOW,
  tickets: '#/tickets?from=2018-01-01&to=2018-03-31&counter=complaints&category=grid',
  ticket: '#/tickets?from=2018-01-01&to=2018-03-31&counter=repeats&ticket=2018032239555173',
  repeats: '#/repeats?from=2018-01-01&to=2018-03-31',
  deadlines: '#/deadlines?tab=overdue&open=1',
  import: '#/import',
  rules: `#/rules?text=${encodeURIComponent('这个月都停了七回了，打95598说线路检修，问哪天修好没人说得清')}`,
  rule_table: '#/rules?tab=list&order=hits',
  tables: '#/rules?tab=tables',
  reports: '#/reports?from=2018-01-01&to=2018-03-31',
};
