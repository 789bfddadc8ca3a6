// 实时: what is going on, with every number leading to its tickets.
import { get } from './api.js';
import { chart, colours, plainTooltip } from './charts.js';
import { fill, h, table } from './dom.js';
import { categories, counterName, english, number, percent, t, word } from './i18n.js';
import { addressOf, go, numberLink, ticketLink } from './link.js';
import { live } from './live.js';
import { periodBar, rangeOf } from './periodbar.js';
import {
  addDays, dayOfTime, lastYear, lengthText, nameOf, periodOf, previous, shanghaiNow, shortTime, stepOf, today,
} from './period.js';
import { empty, into, note } from './state.js';

const CARDS = ['received', 'complaints', 'repeats', 'third_calls', 'bursts', 'overdue', 'unfinished', 'in_time'];
// The panels that the stream does not carry are read again after ten seconds; when
// that took long, as where many look, after a hundred times as long, a minute at most.
const REFRESH_MS = 10000;
const REFRESH_MOST_MS = 60000;
const REFRESH_TIMES = 100;

/** Sum of a counter over rows that fit. */
function sum(rows, counter, fits = () => true) {
  let total = 0;
  for (const row of rows) if (fits(row)) total += row.counts[counter] ?? 0;
  return total;
}

const rowsOf = (answer) => answer.items.map((item) => ({ category: item.category, region: item.region, counts: item }));
const isRural = (row) => row.region === 'rural' || row.region === 'remote';

export async function show(main, params, signal) {
  const day = today();
  let range = rangeOf(params, { from: day, to: day });
  let isToday = !params.from;
  let answer = await get('/v1/counters', { ...range, unit: params.unit, by: 'category,region' }, signal);
  let banner = null;
  if (isToday && sum(rowsOf(answer), 'received') === 0) {
    const newest = (await get('/v1/tickets', { limit: 1, unit: params.unit }, signal)).items[0];
    if (!newest) {
      fill(main, periodBar({ view: 'now', params, range, signal }), emptyStart());
      live.follow({ unit: params.unit }, ({ rows }) => {
        if (sum(rows, 'received') > 0) show(main, params, signal);
      }, signal);
      return;
    }
    range = periodOf('quarter', dayOfTime(newest.accepted_at));
    isToday = false;
    banner = h('p', { class: 'banner', role: 'status' },
      t(`今天还没有工单。现在显示最近有数据的一季：${nameOf(range)}。`, `No tickets today yet. This is the latest quarter that has some: ${nameOf(range)}.`));
    answer = await get('/v1/counters', { ...range, unit: params.unit, by: 'category,region' }, signal);
  }
  draw({ main, params: isToday ? params : { ...params, ...range }, range, isToday, banner, signal, rows: rowsOf(answer), seq: answer.snapshot });
}

const emptyStart = () => h('div', { class: 'panel' }, empty(
  t('还没有工单。', 'There are no tickets yet.'),
  h('span', {}, t('工单从热线系统的数据口进来，也可以用命令导入：', 'Tickets come in through the feed, or from a file: '),
    h('code', {}, `suqiu import --to ${location.origin} 工单.csv`),
    t('。有了工单，本页会自己显示。', '. This page shows them as they come.'))));

function draw(view) {
  const { main, params, range, isToday, banner, signal } = view;
  const base = { ...range, unit: params.unit };
  const slots = []; // numbers that follow the stream
  view.slot = (value, filter, label, name) => {
    const element = numberLink(value(view.rows), 'tickets', { ...base, ...filter }, { label, name });
    slots.push({ element, value });
    return element;
  };
  const charts = [];
  const slow = []; // panels read again now and then

  fill(main,
    periodBar({ view: 'now', params: isToday ? params : { ...params, ...range }, range, signal }),
    banner,
    cards(view, base),
    h('div', { class: 'grid three' },
      pie(view, base, charts),
      categoryTable(view),
      trend(view, base, slow)),
    h('div', { class: 'grid three' },
      hotSpots(view, base, slow),
      dueNow(view, slow),
      feedPanel(view)));

  let lastSlow = Date.now();
  let refreshMs = REFRESH_MS;
  let timer = null;
  const refreshSlow = () => {
    if (document.hidden) { // nobody looks: when somebody does
      document.addEventListener('visibilitychange', refreshSlow, { once: true, signal });
      return;
    }
    timer = null;
    lastSlow = Date.now();
    Promise.allSettled(slow.map((again) => again())).then(() => {
      refreshMs = Math.min(Math.max(REFRESH_MS, REFRESH_TIMES * (Date.now() - lastSlow)), REFRESH_MOST_MS);
    });
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  live.follow(isToday ? { unit: params.unit } : base, (update) => {
    if (isToday && update.from && update.from !== range.from) { // midnight
      show(main, params, signal);
      return;
    }
    if (update.seq < view.seq) return; // the stream has not come so far
    view.rows = update.rows;
    for (const { element, value } of slots) setNumber(element, value(view.rows));
    for (const again of charts) again();
    view.setFeed(update);
    if (update.alert) tellAlert(update.alert);
    timer ??= setTimeout(refreshSlow, Math.max(0, lastSlow + refreshMs - Date.now()));
  }, signal);
}

function setNumber(element, value) {
  const text = number(value);
  if (element.textContent === text) return;
  element.textContent = text;
  element.classList.toggle('zero', value === 0);
  element.classList.remove('moved');
  void element.offsetWidth; // begin the fade again
  element.classList.add('moved');
}

function tellAlert(alert) {
  if (alert.kind === 'overdue') note(t(`新增超时工单 ${alert.count} 件`, `${alert.count} more tickets are overdue`), 'warn');
  else if (alert.kind === 'burst') note(t(`新增短时多次致电 ${alert.count} 件`, `${alert.count} new bursts of calls`), 'warn');
}

/* ---- the counters ---- */

const cardValue = (name) => (rows) => (name === 'unfinished'
  ? sum(rows, 'received') - sum(rows, 'closed') : sum(rows, name));
const cardFilter = (name) => (name === 'unfinished' ? { state: 'open,replied' } : { counter: name });
const cardName = (name) => (name === 'unfinished' ? t('未办结', 'Not closed') : counterName(name));

function cards(view, base) {
  const holders = {};
  const element = h('div', { class: 'cards' }, CARDS.map((name) => {
    holders[name] = h('dl', { class: 'compare' });
    if (name === 'in_time') return inTimeCard(view, holders[name]);
    return h('section', { class: 'card' },
      h('h2', {}, cardName(name)),
      h('p', { class: 'big' }, view.slot(cardValue(name), cardFilter(name), cardName(name), name)),
      holders[name]);
  }));
  compareAll(view, base, holders).catch(() => {}); // the counters stand without
  return element;
}

/** Replies in time: a share, and the two numbers it is made of. */
function inTimeCard(view, holder) {
  const share = h('p', { class: 'big share' });
  const set = () => { share.textContent = percent(sum(view.rows, 'reply_in_time'), sum(view.rows, 'reply_judged')); };
  const numbers = h('p', { class: 'of' },
    view.slot((rows) => { set(); return sum(rows, 'reply_in_time'); }, { counter: 'reply_in_time' }, counterName('reply_in_time'), 'reply_in_time'),
    ' / ',
    view.slot((rows) => sum(rows, 'reply_judged'), { counter: 'reply_judged' }, counterName('reply_judged'), 'reply_judged'));
  set();
  return h('section', { class: 'card' }, h('h2', {}, t('投诉及时答复', 'Replied in time')), share, numbers, holder);
}

/** The same counters of other stretches: yesterday up to the same hour, … */
async function compareAll(view, base, holders) {
  const { range, isToday, signal } = view;
  const now = shanghaiNow();
  const hour = now.getUTCHours();
  const upTo = (day) => ({ from: day, to: `${day}T${String(hour).padStart(2, '0')}:00:00+08:00`, unit: base.unit });
  const others = isToday
    ? [[t('昨天同时', 'Yesterday'), upTo(addDays(range.from, -1))], [t('上周同时', 'Last week'), upTo(addDays(range.from, -7))]]
    : [[t('上期', 'Before'), { ...previous(range), unit: base.unit }], [t('去年同期', 'Last year'), { ...lastYear(range), unit: base.unit }]];
  if (isToday && hour === 0) return;
  const load = async (filter) => rowsOf(await get('/v1/counters', {
    ...filter, by: base.unit ? '' : 'category,region', period: isToday && !base.unit ? 'hour' : 'all',
  }, signal));
  const self = isToday ? await load(upTo(range.from)) : null;
  for (const [label, filter] of others) {
    const rows = await load(filter);
    for (const name of CARDS) {
      if (name === 'in_time') continue;
      const then = cardValue(name)(rows);
      const present = cardValue(name)(self ?? view.rows);
      const change = then > 0 ? ((present - then) / then) * 100 : null;
      holders[name].append(h('div', {
        title: isToday ? t(`截至 ${hour}:00，今天 ${present}`, `up to ${hour}:00 today ${present}`) : nameOf(filter),
      }, h('dt', {}, label), h('dd', {},
        numberLink(then, 'tickets', { ...filter, ...cardFilter(name) }, { label: `${label} ${cardName(name)}`, name: `${name}@${filter.from}` }),
        change !== null && h('span', { class: change > 0 ? 'up' : 'down' }, `${change > 0 ? '+' : ''}${change.toFixed(0)}%`))));
    }
  }
}

/* ---- categories ---- */

function panel(title, ...children) {
  return h('section', { class: 'panel' }, h('h2', {}, title), children);
}

function pie(view, base, charts) {
  const values = () => categories.map((category) => ({
    category,
    name: word('category', category),
    value: sum(view.rows, 'complaints', (row) => row.category === category),
    itemStyle: { color: colours[category] },
  }));
  const picture = chart('pie', t('投诉的五个类别；旁边的表里是同样的数', 'The five categories of complaints; the table beside has the same numbers'),
    view.signal, (event) => go('tickets', { ...base, counter: 'complaints', category: event.data.category }));
  const share = (value) => percent(value, sum(view.rows, 'complaints'));
  const set = () => picture.set({
    tooltip: { formatter: plainTooltip((p) => [`${p.name} ${number(p.value)}（${share(p.value)}）`]) },
    series: [{
      type: 'pie',
      radius: ['34%', '60%'],
      center: ['50%', '50%'],
      label: { formatter: (p) => `${p.name}\n${share(p.value)}`, fontSize: 12, color: '#1f2d3a', lineHeight: 15 },
      labelLine: { length: 12, length2: 8 },
      data: values().filter((v) => v.value > 0),
    }],
  });
  set();
  charts.push(set);
  return panel(t('投诉构成', 'Complaints by category'), picture.element);
}

function categoryTable(view) {
  const columns = [
    ['urban', t('城区', 'Urban'), (row) => row.region === 'urban', { region: 'urban' }],
    ['rural', t('农村', 'Rural'), isRural, { region: 'rural' }],
    ['unknown', t('未知', 'Unknown'), (row) => row.region === 'unknown', { region: 'unknown' }],
    ['all', t('合计', 'Total'), () => true, {}],
  ];
  const cell = (label, fits, filter, name) => view.slot(
    (rows) => sum(rows, 'complaints', fits), { counter: 'complaints', ...filter }, label, name);
  const share = (fits) => {
    const element = h('span');
    const set = () => { element.textContent = percent(sum(view.rows, 'complaints', fits), sum(view.rows, 'complaints')); };
    set();
    (view.shares ??= []).push(set);
    return element;
  };
  const line = (text, className, fits, filter, name) => h('tr', { class: className },
    h('th', { scope: 'row' }, filter.category && h('i', { class: `mark c-${filter.category}` }), text),
    columns.map(([region, regionText, regionFits, regionFilter]) => h('td', { class: 'right' },
      cell(`${text} ${regionText}`, (row) => fits(row) && regionFits(row), { ...filter, ...regionFilter }, `complaints/${name}/${region}`))),
    h('td', { class: 'right' }, share(fits)));
  const rest = sum(view.rows, 'complaints', (row) => row.category === 'none') > 0 ? ['none'] : [];
  return panel(t('类别与城乡', 'Category and region'),
    h('table', { class: 'numbers' },
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('类别', 'Category')),
        columns.map(([, text]) => h('th', { scope: 'col', class: 'right' }, text)),
        h('th', { scope: 'col', class: 'right' }, t('占比', 'Share')))),
      h('tbody', {}, [...categories, ...rest].map((category) => line(
        category === 'none' ? t('未判出', 'No category') : word('category', category), '',
        (row) => row.category === category, { category }, category))),
      h('tfoot', {}, line(t('合计', 'Total'), 'total', () => true, {}, 'all'))),
    h('p', { class: 'hint' }, t('农村含特殊边远地区', 'Rural includes remote areas')));
}

/* ---- the trend ---- */

/** From and to of a bar: [start, end). */
function barRange(step, start) {
  const day = start.slice(0, 10);
  if (step === 'hour') {
    const hour = Number(start.slice(11, 13));
    const end = hour === 23 ? `${addDays(day, 1)}T00` : `${day}T${String(hour + 1).padStart(2, '0')}`;
    return { from: `${day}T${start.slice(11, 13)}:00:00+08:00`, to: `${end}:00:00+08:00` };
  }
  return periodOf(step, day);
}

/** The bar's stretch inside the range shown. */
function clip(bar, range) {
  if (bar.from.length > 10) return bar;
  return { from: bar.from < range.from ? range.from : bar.from, to: bar.to > range.to ? range.to : bar.to };
}

function trend(view, base, slow) {
  const { range, signal } = view;
  const step = stepOf(range);
  const title = { hour: t('每小时投诉', 'Complaints by hour'), day: t('每日投诉', 'Complaints by day'), week: t('每周投诉', 'Complaints by week'), month: t('每月投诉', 'Complaints by month') }[step];
  let starts = [];
  const picture = chart('trend', title, signal, (event) => go('tickets', {
    unit: base.unit, counter: 'complaints', category: event.seriesId, ...clip(barRange(step, starts[event.dataIndex]), range),
  }));
  const details = h('div', { class: 'trend-table' });
  const load = async () => {
    const { items } = await get('/v1/counters', { ...base, period: step, by: 'category' }, signal);
    starts = [...new Set(items.map((row) => row.start))].sort();
    const label = (start) => (step === 'hour' ? start.slice(11, 13) : step === 'month' ? start.slice(0, 7) : start.slice(5, 10));
    const at = new Map(items.map((row) => [`${row.start} ${row.category}`, row.complaints]));
    const value = (start, category) => at.get(`${start} ${category}`) ?? 0;
    picture.set({
      grid: { left: 34, right: 8, top: 10, bottom: 24 },
      tooltip: { trigger: 'axis', axisPointer: { type: 'shadow' }, confine: true, formatter: plainTooltip((list) => [starts[list[0].dataIndex].slice(0, step === 'hour' ? 16 : 10).replace('T', ' '), ...list.map((p) => `${p.seriesName} ${p.value}`)]) },
      xAxis: { type: 'category', data: starts.map(label), axisTick: { show: false }, axisLabel: { color: '#3d4b57' } },
      yAxis: { type: 'value', minInterval: 1, axisLabel: { color: '#3d4b57' } },
      series: categories.map((category) => ({
        id: category, name: word('category', category), type: 'bar', stack: 'all', barMaxWidth: 28,
        itemStyle: { color: colours[category] }, data: starts.map((start) => value(start, category)),
      })),
    });
    fill(details, h('details', {}, h('summary', {}, t('数据表', 'As a table')), table([
      { head: t('时段', 'Period'), rowHead: true, cell: (start) => start.slice(0, step === 'hour' ? 16 : 10).replace('T', ' ') },
      ...categories.map((category) => ({
        head: word('category', category), class: 'right',
        cell: (start) => numberLink(value(start, category), 'tickets', { unit: base.unit, counter: 'complaints', category, ...clip(barRange(step, start), range) },
          { label: `${start.slice(0, 13)} ${word('category', category)}`, name: `trend/${category}` }),
      })),
    ], starts, { className: 'numbers' })));
  };
  load().catch((error) => { if (!signal.aborted) fill(details, h('p', { class: 'hint' }, error.message)); });
  slow.push(() => (details.querySelector('details[open]') ? null : load().catch(() => {})));
  return panel(title, picture.element, details);
}

/* ---- hot spots and clocks ---- */

function hotSpots(view, base, slow) {
  const body = h('div');
  const load = (quiet) => into(body, view.signal,
    (signal) => get('/v1/hot-spots', { ...base, min_callers: 2, limit: 6 }, signal),
    ({ items, total, total_at_least: atLeast }) => (items.length === 0
      ? empty(t('这段时间没有热点。', 'No hot spots in this stretch.'), t('不同客户、同一地点、同一诉求，72 小时内两户以上才列出。', 'Listed when two or more customers of one place call about one matter within 72 hours.'))
      : [table([
        { head: t('地点', 'Place'), rowHead: true, cell: (row) => h('span', { title: row.unit }, row.place) },
        { head: t('诉求', 'Matter'), cell: (row) => row.matter },
        { head: t('客户', 'Callers'), class: 'right', cell: (row) => row.callers },
        { head: t('未结', 'Open'), class: 'right', cell: (row) => row.open },
        { head: t('末次', 'Last'), class: 'nowrap', cell: (row) => shortTime(row.last_at).slice(5) },
      ], items),
      h('p', { class: 'hint' }, t('共 ', 'In all '), numberLink(total ?? atLeast, 'repeats', { ...base, tab: 'hot', min_callers: 2 }, { label: t('热点', 'Hot spots'), name: 'hot_spots' }), t(' 处', ''))]),
    { quiet });
  load(false);
  slow.push(() => load(true));
  return panel(t('热点', 'Hot spots'), body);
}

function dueNow(view, slow) {
  const { params, signal } = view;
  const body = h('div');
  const unit = params.unit;
  const load = (quiet) => into(body, signal, async () => {
    const [soon, late] = await Promise.all([
      get('/v1/overdue', { state: 'due_soon', unit, limit: 3 }, signal),
      get('/v1/overdue', { state: 'overdue', open: 1, unit, limit: 3 }, signal)]);
    return { soon, late };
  }, ({ soon, late }) => {
    const kinds = [...new Set([...Object.keys(soon.by_kind ?? {}), ...Object.keys(late.by_kind ?? {})])];
    const of = (list, kind) => list.by_kind?.[kind] ?? 0;
    const next = [...soon.items, ...late.items].slice(0, 3);
    return [
      table([
        { head: t('环节', 'Clock'), rowHead: true, cell: (kind) => (kind === '' ? t('合计', 'All') : word('clock', kind)) },
        { head: t('即将超时', 'Due soon'), class: 'right', cell: (kind) => numberLink(kind ? of(soon, kind) : soon.total, 'deadlines', { tab: 'due_soon', kind, unit }, { label: t('即将超时', 'Due soon'), name: `due_soon/${kind}` }) },
        { head: t('已超时未完成', 'Overdue, open'), class: 'right', cell: (kind) => numberLink(kind ? of(late, kind) : late.total, 'deadlines', { tab: 'overdue', open: 1, kind, unit }, { label: t('已超时未完成', 'Overdue, open'), name: `overdue/${kind}` }) },
      ], [...kinds, ''], { className: 'numbers' }),
      next.length > 0 && table([
        { head: t('最急的', 'Most urgent'), cell: (row) => ticketLink(row.id) },
        { head: t('环节', 'Clock'), cell: (row) => word('clock', row.kind) },
        { head: t('还剩/已过', 'Left/late'), class: 'right', cell: (row) => (row.overdue ? h('span', { class: 'late' }, `${t('过', 'late ')} ${lengthText(row.late_minutes, english())}`) : lengthText(row.left_minutes ?? 0, english())) },
      ], next),
    ];
  }, { quiet });
  load(false);
  slow.push(() => load(true));
  return panel(t('时限（截至现在）', 'Deadlines as of now'), body);
}

function feedPanel(view) {
  const body = h('dl', { class: 'facts' });
  const line = (name, value, className) => h('div', { class: className }, h('dt', {}, name), h('dd', {}, value));
  view.setFeed = ({ feed, totals }) => {
    for (const set of view.shares ?? []) set();
    if (!feed) return;
    const now = Date.now();
    const refused = totals.rejects - totals.expired_rejects;
    fill(body,
      line(t('状态', 'State'), feed.stopped ? t('已停止写入，请找管理员', 'Writing has stopped: call the operator')
        : feed.full ? t('磁盘或库已满，只能查询', 'Disk or store full: reading only') : t('正常', 'Fine'), feed.stopped || feed.full ? 'bad' : 'good'),
      line(t('上次入库', 'Last stored'), feed.last_at ? `${shortTime(feed.last_at)}${now - Date.parse(feed.last_at) > 600000 ? t('（十分钟以上没有新数据）', ' (more than ten minutes ago)') : ''}` : t('启动后还没有', 'none since the start')),
      line(t('数据口连接', 'Feeds connected'), number(feed.connections)),
      line(t('工单总数', 'Tickets in all'), number(totals.tickets - totals.expired_tickets)),
      line(t('等待工单的环节', 'Events waiting'), number(totals.waiting)),
      line(t('拒收行', 'Refused lines'), refused > 0
        ? h('a', { href: addressOf('tickets', { tab: 'rejects' }), class: 'number' }, number(refused)) : '0'));
  };
  fill(body, h('p', { class: 'state loading' }, t('正在连接…', 'Connecting…')));
  return panel(t('数据口', 'Feed'), body);
}
