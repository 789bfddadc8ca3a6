// 时限: what is late, what will be, and what will be by a certain hour.
import { fill, h, put, select } from './dom.js';
import { english, pairs, t, word } from './i18n.js';
import { addressOf, go, numberLink, ticketLink } from './link.js';
import { listOf } from './list.js';
import { unitPicker } from './periodbar.js';
import { lengthText, shortTime, today } from './period.js';

const tabs = () => [
  ['due_soon', t('即将超时', 'Due soon'), { state: 'due_soon' }],
  ['by', t('到点会超时', 'Late by a time'), {}],
  ['overdue', t('已超时', 'Overdue'), { state: 'overdue' }],
];

export function show(main, params, signal) {
  const tab = params.tab ?? 'due_soon';
  const [, , fixed] = tabs().find(([name]) => name === tab) ?? tabs()[0];
  const set = (changes) => go('deadlines', { ...params, ...changes });
  const kindPicker = select('kind', [['', t('全部环节', 'All clocks')], ...pairs('clock')], params.kind ?? '', (kind) => set({ kind }));
  kindPicker.setAttribute('aria-label', t('环节', 'Clock'));
  const byDay = (params.by ?? `${today()}T18:00`).slice(0, 16);
  const byInput = h('input', {
    type: 'datetime-local', value: byDay, 'aria-label': t('到什么时候', 'By when'), onchange: (e) => e.target.value && set({ by: `${e.target.value}:00+08:00` }),
  });
  const openBox = h('input', { type: 'checkbox', checked: params.open === '1', onchange: (e) => set({ open: e.target.checked ? '1' : '' }) });
  fill(main,
    h('div', { class: 'tabs' }, tabs().map(([name, text]) => h('a', {
      href: addressOf('deadlines', { ...params, tab: name, open: name === 'overdue' ? '1' : '', by: '' }), 'aria-current': name === tab && 'page',
    }, text))),
    h('div', { class: 'bar' }, kindPicker,
      unitPicker({ unit: params.unit, range: {}, signal, onpick: (unit) => set({ unit }) }),
      tab === 'by' && [h('span', {}, t('到这个时刻：', 'By: ')), byInput,
        h('button', { type: 'button', onclick: () => set({ by: `${today()}T18:00:00+08:00` }) }, t('今天 18:00', 'Today 18:00'))],
      tab === 'overdue' && h('label', { class: 'check' }, openBox, t('只看还没完成的', 'Only those still to be done'))));
  const filter = { ...fixed, kind: params.kind, unit: params.unit };
  if (tab === 'by') filter.by = params.by ?? `${today()}T18:00:00+08:00`;
  if (tab === 'overdue') filter.open = params.open;
  const kinds = h('p', { class: 'by-kind' });
  put(main, [kinds, listOf({
    path: '/v1/overdue',
    params: filter,
    signal,
    unit: t('个环节', 'clocks'),
    nothing: nothing(tab),
    onpage: (answer) => fill(kinds, Object.entries(answer.by_kind ?? {}).map(([kind, count]) => [
      h('span', {}, word('clock', kind), ' ', numberLink(count, 'deadlines', { ...params, tab, kind }, { label: word('clock', kind), name: `by_kind/${kind}` })), '　'])),
    columns: [
      { head: t('工单编号', 'Number'), rowHead: true, cell: (row) => ticketLink(row.id) },
      { head: t('环节', 'Clock'), class: 'nowrap', cell: (row) => (english() ? word('clock', row.kind) : row.kind_name) },
      { head: t('到期', 'Due'), class: 'nowrap', cell: (row) => [shortTime(row.due_at), row.provisional && h('span', { class: 'tag', title: t('日历还没有那一年', 'the calendar does not reach so far') }, t('暂定', 'provisional'))] },
      { head: t('还剩 / 超过', 'Left / late'), class: 'nowrap', cell: (row) => (row.overdue
        ? h('span', { class: 'late' }, t('超 ', 'late '), lengthText(row.late_minutes, english()))
        : t('剩 ', 'left ') + lengthText(row.left_minutes ?? 0, english())) },
      { head: t('完成', 'Done'), class: 'nowrap', cell: (row) => (row.stopped_at ? shortTime(row.stopped_at) : h('span', { class: 'tag warn' }, t('未完成', 'to do'))) },
      { head: t('类型', 'Type'), class: 'nowrap', cell: (row) => word('type', row.type ?? 'unknown') },
      { head: t('类别', 'Category'), class: 'nowrap', cell: (row) => [h('i', { class: `mark c-${row.category}` }), word('category', row.category)] },
      { head: t('城乡', 'Region'), class: 'nowrap', cell: (row) => word('region', row.region) },
      { head: t('供电单位', 'Unit'), class: 'unit', cell: (row) => h('span', { title: row.unit }, (row.unit ?? '—').split('/').slice(-2).join('/')) },
      { head: t('来电', 'Calls'), class: 'right', cell: (row) => row.calls },
    ],
  })]);
}

function nothing(tab) {
  if (tab === 'overdue') return { what: t('没有超时的环节。', 'Nothing is overdue.'), whatToDo: t('很好。去掉“只看还没完成的”可以看事后才完成的。', 'Good. Untick the box to see what was finished late.') };
  if (tab === 'by') return { what: t('到这个时刻不会有新的超时。', 'Nothing will be late by then.'), whatToDo: t('把时刻往后推再看。', 'Choose a later time.') };
  return { what: t('没有快要超时的环节。', 'Nothing is about to be late.'), whatToDo: t('时限用掉四分之三还没完成的会列在这里；要看更远的，用“到点会超时”。', 'What has used three quarters of its limit is listed here; to look further ahead take “Late by a time”.') };
}
