// As many pages as are open: listeners.mjs URL COUNT PANELS, until it is killed.
// Each listens to /v1/stream; with PANELS "on" each also asks what Now asks again
// ten seconds and more after it last did, when something came. Says "ready" when all listen;
// on SIGTERM a JSON line of what came.
import { request } from 'node:http';

const [url, count, panels] = process.argv.slice(2);
const REFRESH_MS = 10000; // these three as in server/web/page/now.js
const REFRESH_MOST_MS = 60000;
const REFRESH_TIMES = 100;
const today = new Date(Date.now() + 8 * 3600000).toISOString().slice(0, 10);
const range = `from=${today}&to=${today}`;
const paths = [
  `/v1/counters?${range}&period=hour&by=category`, `/v1/hot-spots?${range}&min_callers=2&limit=6`,
  '/v1/overdue?state=due_soon&limit=3', '/v1/overdue?state=overdue&open=1&limit=3'];
const seen = { bytes: 0, deltas: 0, asked: 0, refused: 0, slowest_us: 0 };
let listening = 0;

const ask = (path) => new Promise((next) => {
  const begin = process.hrtime.bigint();
  request(url + path, (answer) => {
    answer.resume().on('end', () => {
      seen.asked++;
      if (answer.statusCode !== 200) seen.refused++;
      seen.slowest_us = Math.max(seen.slowest_us, Number((process.hrtime.bigint() - begin) / 1000n));
      next();
    });
  }).on('error', next).end();
});

function listen(i) {
  request(`${url}/v1/stream`, (answer) => {
    if (answer.statusCode !== 200) throw new Error(`the stream answers ${answer.statusCode}`);
    listening++;
    if (listening === Number(count)) console.log('ready');
    let due = Date.now() + (REFRESH_MS * i) / count; // pages were not opened at once
    let timer = null;
    answer.on('data', (bytes) => {
      seen.bytes += bytes.length;
      seen.deltas++;
      if (panels !== 'on') return;
      timer ??= setTimeout(() => {
        const begin = Date.now();
        timer = null;
        due = begin + REFRESH_MS;
        Promise.all(paths.map(ask)).then(() => {
          due = begin + Math.min(Math.max(REFRESH_MS, REFRESH_TIMES * (Date.now() - begin)), REFRESH_MOST_MS);
        });
      }, Math.max(0, due - Date.now()));
    });
    answer.on('close', () => process.exit(1)); // it was cut
  }).on('error', (error) => { throw error; }).end();
}
for (let i = 0; i < Number(count); i++) listen(i);
process.on('SIGTERM', () => {
  console.log(JSON.stringify({ listeners: listening, ...seen }));
  process.exit(0);
});
