// The script a team writes: a TCP server with JSON.parse, RegExp and lmdb, in a
// process a processor. It speaks suqiu's feed protocol (lines in, {"ack":N} out).
//   node node_server.js serve RULES.tsv DIR PROCESSES    prints "port N"
//   node node_server.js dump DIR                         prints ID <tab> MASK
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const lmdb = require('lmdb');

const WINDOW_MS = 30 * 86400 * 1000;

function openStore(dir) {
  const root = lmdb.open({ path: dir, mapSize: 64 * 2 ** 30, noMemInit: true });
  return {
    root,
    tickets: root.openDB('tickets', { encoding: 'json' }),
    callers: root.openDB('callers', { encoding: 'json' }),
    counters: root.openDB('counters', { encoding: 'json' }),
  };
}

function readRules(path) {
  return fs.readFileSync(path, 'utf8').trim().split('\n').map((line) => {
    const [bit, , pattern] = line.split('\t');
    return { mask: 2 ** Number(bit), regexp: new RegExp(pattern, 's') };
  });
}

function classify(rules, text) {
  let mask = 0;
  for (const rule of rules) {
    if ((mask & rule.mask) === 0 && rule.regexp.test(text)) mask |= rule.mask;
  }
  return mask;
}

function putTicket(store, line, ticket, mask) {
  const at = Date.parse(ticket.accepted_at);
  let repeats = 0;
  if (ticket.caller) {
    repeats = store.callers.getCount({
      start: [ticket.caller, at - WINDOW_MS], end: [ticket.caller, at] });
    store.callers.put([ticket.caller, at], ticket.id);
  }
  const day = ticket.accepted_at.slice(0, 10);
  for (let bit = 0; bit < 31; bit++) {
    if (mask >> bit & 1) {
      const key = [bit, day];
      store.counters.put(key, (store.counters.get(key) || 0) + 1);
    }
  }
  store.tickets.put(ticket.id, { mask, repeats, line });
}

function serveConnection(store, rules, socket) {
  let rest = Buffer.alloc(0);
  let acked = 0;
  let busy = Promise.resolve();

  async function take(lines) {
    const judged = [];
    for (const line of lines) {
      const ticket = JSON.parse(line);
      judged.push([line, ticket, classify(rules, ticket.text)]);
    }
    await store.root.transaction(() => {
      for (const [line, ticket, mask] of judged) putTicket(store, line, ticket, mask);
    });
    await store.root.flushed;
    acked += lines.length;
    socket.write(`{"ack":${acked}}\n`);
  }

  socket.on('data', (data) => {
    const all = rest.length ? Buffer.concat([rest, data]) : data;
    const end = all.lastIndexOf(10);
    if (end < 0) { rest = all; return; }
    rest = Buffer.from(all.subarray(end + 1));
    const lines = all.toString('utf8', 0, end).split('\n');
    socket.pause();
    busy = busy.then(() => take(lines)).then(() => socket.resume()).catch((error) => {
      console.error(error);
      process.exit(3);
    });
  });
  socket.on('error', () => {});
}

function serve(rulesPath, dir, processes) {
  if (cluster.isPrimary) {
    openStore(dir).root.close();
    let listening = 0;
    cluster.on('listening', (worker, address) => {
      if (++listening === processes) console.log(`port ${address.port}`);
    });
    cluster.on('exit', (worker, code) => { if (code) process.exit(code); });
    for (let i = 0; i < processes; i++) cluster.fork();
    const end = () => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
      process.exit(0);
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
    return;
  }
  const store = openStore(dir);
  const rules = readRules(rulesPath);
  net.createServer({ highWaterMark: 1024 * 1024 }, (socket) => serveConnection(store, rules, socket))
    .listen(0, '127.0.0.1');
}

function dump(dir) {
  const store = openStore(dir);
  const out = [];
  for (const { key, value } of store.tickets.getRange()) out.push(`${key}\t${value.mask}\n`);
  process.stdout.write(out.join(''));
  store.root.close();
}

const [command, ...args] = process.argv.slice(2);
if (command === 'serve') serve(args[0], args[1], Number(args[2]));
else if (command === 'dump') dump(args[0]);
else process.exit(2);
