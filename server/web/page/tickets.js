// 工单: every filter of the list, and the lines that could not be read.
import { get } from './api.js';
import { field, fill, h, put, select } from './dom.js';
import { counterName, pairs, t, word } from './i18n.js';
import { addressOf, go, ticketLink } from './link.js';
import { listOf } from './list.js';
import { unitPicker } from './periodbar.js';
import { shortTime } from './period.js';

const any = () => ['', t('不限', 'Any')];

export function show(main, params, signal) {
  const { tab, ...filter } = params;
  fill(main, h('div', { class: 'tabs' },
    h('a', { href: '#/tickets', 'aria-current': tab !== 'rejects' && 'page' }, t('工单', 'Tickets')),
    h('a', { href: addressOf('tickets', { tab: 'rejects' }), 'aria-current': tab === 'rejects' && 'page' }, t('拒收行', 'Refused lines'))));
  if (tab === 'rejects') put(main, [rejects(signal)]);
  else put(main, [filters(filter, signal), tickets(filter, signal)]);
}

function filters(params, signal) {
  const set = (changes) => go('tickets', { ...params, ...changes });
  const date = (name, label) => field(label, h('input', {
    type: 'date', name, value: (params[name] ?? '').slice(0, 10), onchange: (e) => set({ [name]: e.target.value }),
  }));
  const choice = (name, label, options) => field(label, select(name, options, params[name] ?? '', (value) => set({ [name]: value })));
  const subcategory = select('subcategory', [any(), ...(params.subcategory ? [[params.subcategory, params.subcategory]] : [])], params.subcategory ?? '', (value) => set({ subcategory: value }));
  get('/v1/dictionary', {}, signal).then(({ categories }) => {
    const fits = categories.filter((c) => !params.category || params.category.split(',').includes(c.code));
    put(subcategory, fits.map((c) => h('optgroup', { label: word('category', c.code) },
      c.subcategories.filter((s) => s.name !== params.subcategory).map((s) => h('option', { value: s.name }, s.name)))));
  }).catch(() => {});
  const known = new Set(pairs('category').map(([v]) => v));
  const categoryPairs = [any(), ...pairs('category')];
  if (params.category && !known.has(params.category)) categoryPairs.push([params.category, params.category.split(',').map((c) => word('category', c)).join('、')]);
  const statePairs = [any(), ...pairs('state'), ['open,replied', t('未办结', 'Not closed')]];

  return h('form', { class: 'filters', onsubmit: (e) => { e.preventDefault(); set({ q: e.target.elements.q.value.trim() }); } },
    date('from', t('受理从', 'Accepted from')), date('to', t('至（含）', 'to, that day too')),
    choice('category', t('类别', 'Category'), categoryPairs),
    field(t('二级分类', 'Subcategory'), subcategory),
    choice('region', t('城乡', 'Region'), [any(), ...pairs('region')]),
    choice('type', t('工单类型', 'Type'), [any(), ...pairs('type')]),
    choice('state', t('状态', 'State'), statePairs),
    choice('overdue', t('超时', 'Overdue'), [any(), ['1', t('有超时环节', 'Some clock')], ...pairs('clock').map(([v, text]) => [v, `${text} ${t('超时', 'overdue')}`]), ['0', t('无超时', 'None')]]),
    choice('repeat', t('重复致电', 'Repeat call'), [any(), ['1', t('是', 'Yes')], ['0', t('否', 'No')]]),
    choice('channel', t('渠道', 'Channel'), [any(), ...pairs('channel')]),
    choice('flag', t('标志', 'Flag'), [any(), ...pairs('flag')]),
    field(t('供电单位', 'Unit'), unitPicker({ unit: params.unit, range: {}, signal, onpick: (unit) => set({ unit }) })),
    h('label', { class: 'field wide' }, h('span', {}, t('文字或编号', 'Words or number')),
      h('input', { name: 'q', type: 'search', value: params.q ?? '' })),
    h('button', { type: 'submit' }, t('查找', 'Find')),
    params.counter && h('a', { class: 'chip on', href: addressOf('tickets', { ...params, counter: '' }), title: t('去掉这个条件', 'Take this filter out') }, `${counterName(params.counter)} ×`),
    params.complaint && h('a', { class: 'chip on', href: addressOf('tickets', { ...params, complaint: '' }) }, `${t('算作投诉', 'Counts as complaint')} ×`),
    /T/.test(`${params.from}${params.to}`) && h('span', { class: 'hint' }, `${shortTime(params.from)} – ${shortTime(params.to)}`),
    Object.keys(params).length > 0 && h('a', { class: 'chip', href: '#/tickets' }, t('清除条件', 'Clear')));
}

/** Columns of tickets; other views use them too. */
export const ticketColumns = () => [
  { head: t('工单编号', 'Number'), rowHead: true, cell: (row) => ticketLink(row.id) },
  { head: t('受理时间', 'Accepted'), class: 'nowrap', cell: (row) => shortTime(row.accepted_at) },
  { head: t('类别', 'Category'), class: 'nowrap', cell: (row) => [h('i', { class: `mark c-${row.category}` }), word('category', row.category)] },
  { head: t('二级分类', 'Subcategory'), class: 'nowrap', cell: (row) => row.subcategory ?? '—' },
  { head: t('城乡', 'Region'), class: 'nowrap', cell: (row) => word('region', row.region) },
  { head: t('受理内容', 'Text'), class: 'text', cell: (row) => h('div', { class: 'excerpt' }, row.text) },
  { head: t('单位', 'Unit'), class: 'unit', cell: (row) => h('span', { title: row.unit }, (row.unit ?? '—').split('/').slice(-2).join('/')) },
  { head: t('状态', 'State'), class: 'nowrap', cell: (row) => word('state', row.state) },
  { head: t('标记', 'Marks'), class: 'marks', cell: (row) => marks(row) },
];

function marks(row) {
  return [
    row.overdue?.map((kind) => h('span', { class: 'tag bad' }, `${word('clock', kind)}${t('超时', ' overdue')}`)),
    row.repeat && h('span', { class: 'tag warn' }, t(`第 ${row.calls} 次来电`, `call ${row.calls}`)),
    row.flags?.map((flag) => h('span', { class: 'tag' }, word('flag', flag))),
  ];
}

const tickets = (params, signal) => listOf({
  path: '/v1/tickets',
  params,
  signal,
  unit: t('件工单', 'tickets'),
  columns: ticketColumns(),
  rowProps: (row) => ({ onclick: (e) => { if (!e.target.closest('a')) location.hash = ticketLink(row.id).getAttribute('href'); } }),
  className: 'rows clickable',
});

const rejects = (signal) => listOf({
  path: '/v1/rejects',
  params: {},
  signal,
  unit: t('行', 'lines'),
  nothing: { what: t('没有拒收的行。', 'No line was refused.'), whatToDo: t('读不懂的行会连同原因留在这里，改好后可以重新报送。', 'Lines that cannot be read are kept here with the reason; send them again when mended.') },
  columns: [
    { head: t('时间', 'Time'), class: 'nowrap', rowHead: true, cell: (row) => shortTime(row.at) },
    { head: t('来源', 'Source'), cell: (row) => row.source },
    { head: t('行', 'Line'), class: 'right', cell: (row) => row.line },
    { head: t('字段', 'Field'), cell: (row) => row.field ?? '—' },
    { head: t('原因', 'Reason'), cell: (row) => [h('code', {}, row.code), ' ', row.detail] },
    { head: t('原文', 'Bytes'), class: 'text', cell: (row) => h('code', { class: 'excerpt' }, (row.bytes ?? '').slice(0, 400)) },
  ],
});
