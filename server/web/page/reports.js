// 报表: one period's figures on paper.
import { address, get } from './api.js';
import { fill, h, put, table } from './dom.js';
import { categories, counterName, english, number, percent, t, word } from './i18n.js';
import { numberLink } from './link.js';
import { periodBar, rangeOf } from './periodbar.js';
import { kindOf, lastYear, nameOf, nowText, periodOf, previous, shortTime, today } from './period.js';
import { empty, into } from './state.js';

export async function show(main, params, signal) {
  const range = rangeOf(params, periodOf('quarter', today()));
  const body = h('article', { class: 'report' });
  fill(main,
    periodBar({ view: 'reports', params, range, signal, more: [
      h('button', { type: 'button', onclick: () => window.print() }, t('打印', 'Print')),
      h('a', { href: address('/v1/report', { ...range, unit: params.unit, format: 'xlsx' }), download: '' }, t('Excel（带图）', 'Excel with charts')),
      h('a', { href: address('/v1/report', { ...range, unit: params.unit, format: 'html' }), target: '_blank' }, t('单独成页', 'As a page'))] }),
    body);
  await into(body, signal, (s) => load(range, params.unit, s), (data) => draw(data, range, params.unit));
}

async function load(range, unit, signal) {
  const base = { ...range, unit };
  const counters = (filter, by) => get('/v1/counters', { ...filter, unit, by }, signal).then((a) => a.items);
  const periods = ['month', 'quarter', 'year'].includes(kindOf(range));
  const [areas, before, year, subcategories, units, clocks, repeat, indicators] = await Promise.all([
    counters(range, 'category,region'), counters(previous(range), ''), counters(lastYear(range), ''),
    counters(range, 'subcategory'), counters(range, 'unit'), counters(range, 'clock'),
    get('/v1/repeat-callers', { ...base, limit: 1 }, signal),
    periods ? get('/v1/indicators', { period: nameOf(range), unit }, signal).then((a) => a.items) : []]);
  return { areas, before: before[0] ?? {}, year: year[0] ?? {}, subcategories, units, clocks, repeat, indicators };
}

const sum = (rows, counter, fits = () => true) => rows.reduce((total, row) => total + (fits(row) ? row[counter] ?? 0 : 0), 0);

function draw(data, range, unit) {
  const base = { ...range, unit };
  const { areas } = data;
  const received = sum(areas, 'received');
  if (received === 0) return empty(t(`${nameOf(range)} 没有工单。`, `No tickets in ${nameOf(range)}.`), t('在上面换一个有数据的时段。', 'Choose a period above that has some.'));
  const link = (value, filter, name) => numberLink(value, 'tickets', { ...base, ...filter }, { name: `report/${name}` });
  const complaints = sum(areas, 'complaints');
  return [
    h('header', {}, h('h1', {}, t('供电服务工单分析', 'Power service tickets')),
      h('p', {}, `${range.from} ${t('至', 'to')} ${range.to}（${nameOf(range)}） · ${unit || t('全部单位', 'all units')} · ${t('打印于', 'printed')} ${shortTime(nowText())}`)),
    h('p', { class: 'lead' }, t('受理工单 ', 'Tickets '), link(received, { counter: 'received' }, 'received'), t(' 件，其中投诉 ', ', complaints '), link(complaints, { counter: 'complaints' }, 'complaints'), t(' 件', '')),
    section(t('主要数字', 'Main figures'), mainFigures(data, link)),
    section(t('投诉分类与城乡分布', 'Complaints by category and region'), byArea(areas, complaints, link)),
    section(t('二级分类', 'Subcategories'), bySubcategory(data, complaints, link)),
    section(t('重复致电', 'Repeat calls'), h('p', {},
      t('重复致电工单 ', 'Repeat tickets '), link(sum(areas, 'repeats'), { counter: 'repeats' }, 'repeats'), `（${t('占受理', 'of all')} ${percent(sum(areas, 'repeats'), received)}）${t('，涉及客户 ', ', callers ')}`,
      numberLink(data.repeat.total, 'repeats', base, { name: 'report/callers' }), t(' 户。三次及以上致电 ', '. Third calls '), link(sum(areas, 'third_calls'), { counter: 'third_calls' }, 'third_calls'), t(' 件，短时多次 ', ', bursts '), link(sum(areas, 'bursts'), { counter: 'bursts' }, 'bursts'), t(' 件。', '.'))),
    section(t('超时环节', 'Overdue clocks'), data.clocks.length === 0 ? h('p', { class: 'hint' }, t('没有超时。', 'None.')) : table([
      { head: t('环节', 'Clock'), rowHead: true, cell: (row) => word('clock', row.clock) },
      { head: t('超时', 'Overdue'), class: 'right', cell: (row) => link(row.overdue_clocks, { overdue: row.clock }, `clock/${row.clock}`) }], data.clocks, { className: 'numbers' })),
    section(t('供电单位', 'Units'), table([
      { head: t('单位', 'Unit'), rowHead: true, cell: (row) => row.unit || t('未给单位', 'no unit') },
      ...['received', 'complaints', 'repeats', 'overdue'].map((counter) => ({
        head: counterName(counter), class: 'right',
        cell: (row) => (row.unit ? numberLink(row[counter], 'tickets', { ...range, unit: row.unit, counter }, { name: `report/unit/${counter}` }) : number(row[counter])),
      }))], data.units, { className: 'numbers' })),
    data.indicators.length > 0 && section(t('指标', 'Indicators'), indicatorTable(data.indicators)),
    h('p', { class: 'hint no-print' }, h('a', { href: address('/v1/counters.csv', { ...base, by: 'category,region', excel: 1 }) }, t('下载计数 CSV', 'Counters as CSV')), '　',
      h('a', { href: address('/v1/indicators.csv', { period: nameOf(range), unit, excel: 1 }) }, t('下载指标 CSV', 'Indicators as CSV'))),
  ];
}

const section = (title, ...children) => h('section', {}, h('h2', {}, title), children);

function mainFigures(data, link) {
  const change = (now, then) => (then > 0 ? `${now >= then ? '+' : ''}${(((now - then) / then) * 100).toFixed(1)} %` : '—');
  return table([
    { head: t('项目', 'Figure'), rowHead: true, cell: (name) => counterName(name) },
    { head: t('本期', 'Now'), class: 'right', cell: (name) => link(sum(data.areas, name), { counter: name }, name) },
    { head: t('上期', 'Before'), class: 'right', cell: (name) => number(data.before[name] ?? 0) },
    { head: t('环比', 'Change'), class: 'right', cell: (name) => change(sum(data.areas, name), data.before[name] ?? 0) },
    { head: t('去年同期', 'Last year'), class: 'right', cell: (name) => number(data.year[name] ?? 0) },
    { head: t('同比', 'Change'), class: 'right', cell: (name) => change(sum(data.areas, name), data.year[name] ?? 0) },
  ], ['received', 'complaints', 'repeats', 'overdue', 'closed', 'substantiated', 'revisited', 'satisfied', 'reply_judged', 'reply_in_time'], { className: 'numbers' });
}

function byArea(areas, complaints, link) {
  const isRural = (row) => row.region === 'rural' || row.region === 'remote';
  const line = (text, fits, filter, name) => h('tr', {}, h('th', { scope: 'row' }, text),
    h('td', { class: 'right' }, link(sum(areas, 'complaints', (r) => fits(r) && r.region === 'urban'), { ...filter, region: 'urban' }, `${name}/urban`)),
    h('td', { class: 'right' }, link(sum(areas, 'complaints', (r) => fits(r) && isRural(r)), { ...filter, region: 'rural' }, `${name}/rural`)),
    h('td', { class: 'right' }, link(sum(areas, 'complaints', (r) => fits(r) && r.region === 'unknown'), { ...filter, region: 'unknown' }, `${name}/unknown`)),
    h('td', { class: 'right' }, link(sum(areas, 'complaints', fits), filter, `${name}/all`)),
    h('td', { class: 'right' }, percent(sum(areas, 'complaints', fits), complaints)));
  const rows = [...categories].map((category) => ({ category, count: sum(areas, 'complaints', (r) => r.category === category) }))
    .sort((a, b) => b.count - a.count).map((row) => row.category);
  return h('table', { class: 'numbers' },
    h('thead', {}, h('tr', {}, [t('类别', 'Category'), t('城区', 'Urban'), t('农村', 'Rural'), t('未知', 'Unknown'), t('合计', 'Total'), t('占比', 'Share')].map((text, i) => h('th', { scope: 'col', class: i && 'right' }, text)))),
    h('tbody', {}, rows.map((category) => line(word('category', category), (r) => r.category === category, { counter: 'complaints', category }, category))),
    h('tfoot', {}, line(t('合计', 'Total'), () => true, { counter: 'complaints' }, 'all')));
}

function bySubcategory(data, complaints, link) {
  const rows = data.subcategories.filter((row) => row.subcategory && row.complaints > 0).sort((a, b) => b.complaints - a.complaints);
  return table([
    { head: t('二级分类', 'Subcategory'), rowHead: true, cell: (row) => row.subcategory },
    { head: t('投诉', 'Complaints'), class: 'right', cell: (row) => link(row.complaints, { counter: 'complaints', subcategory: row.subcategory }, `subcategory/${row.subcategory}`) },
    { head: t('占比', 'Share'), class: 'right', cell: (row) => percent(row.complaints, complaints) },
  ], rows, { className: 'numbers' });
}

function indicatorTable(items) {
  const value = (row, v) => (v === null || v === undefined ? h('span', { class: 'none' }, t('无数据', 'no data'))
    : `${number(v)}${row.measure === '%' ? ' %' : ''}`);
  return put(h('div'), [table([
    { head: '#', class: 'right', cell: (row) => row.number },
    { head: t('指标', 'Indicator'), rowHead: true, cell: (row) => (english() ? row.name_en : row.name) },
    { head: t('本期', 'Now'), class: 'right', cell: (row) => value(row, row.value) },
    { head: t('单位', 'Unit'), cell: (row) => row.measure },
    { head: t('上期', 'Before'), class: 'right', cell: (row) => value(row, row.previous_value) },
    { head: t('去年同期', 'Last year'), class: 'right', cell: (row) => value(row, row.last_year_value) },
    { head: t('来源', 'Source'), cell: (row) => ({ live: t('系统统计', 'counted'), fed: t('填报', 'fed'), proxy: t('填报（替代）', 'fed, stand-in') }[row.source]) },
  ], items, { className: 'numbers' })]);
}
