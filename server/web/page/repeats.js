// 重复来电: who called again about the same matter, and where many call.
import { fill, h, put, select } from './dom.js';
import { number, t, word } from './i18n.js';
import { addressOf, go, numberLink, ticketLink } from './link.js';
import { listOf } from './list.js';
import { mayWrite, me } from './me.js';
import { daysBetween, dayOfTime, periodOf, shortTime, today } from './period.js';
import { periodBar, rangeOf } from './periodbar.js';
import { finalReply } from './ticket.js';

/** Without a choice the present quarter: repeats need some time to show. */
export async function show(main, params, signal) {
  const range = rangeOf(params, periodOf('quarter', today()));
  const hot = params.tab === 'hot';
  const least = hot ? 'min_callers' : 'min_calls';
  const choices = [2, 3, 4, 5, 6, 10].map((n) => [String(n), hot ? t(`${n} 户以上`, `${n} callers or more`) : t(`${n} 次以上`, `${n} calls or more`)]);
  const value = params[least] ?? (hot ? '3' : '2');
  if (!choices.some(([v]) => v === value)) choices.push([value, value]);
  const picker = select(least, choices, value, (n) => go('repeats', { ...params, [least]: n }));
  picker.setAttribute('aria-label', t('至少', 'At least'));
  fill(main,
    h('div', { class: 'tabs' },
      h('a', { href: addressOf('repeats', { ...params, tab: '' }), 'aria-current': !hot && 'page' }, t('重复来电客户', 'Repeat callers')),
      h('a', { href: addressOf('repeats', { ...params, tab: 'hot' }), 'aria-current': hot && 'page' }, t('热点', 'Hot spots'))),
    periodBar({ view: 'repeats', params, range, signal, more: [picker] }));
  const filter = { ...range, unit: params.unit, [least]: value };
  const writes = mayWrite(await me());
  if (signal.aborted) return;
  put(main, [hot ? hotSpots(filter, signal) : callers(filter, signal, writes, () => show(main, params, signal))]);
}

const days = (row) => daysBetween(dayOfTime(row.first_at), dayOfTime(row.last_at)) + 1;

function callers(filter, signal, writes, again) {
  const total = h('p', { class: 'hint' });
  const list = listOf({
    path: '/v1/repeat-callers',
    params: filter,
    signal,
    unit: t('位客户（同一诉求）', 'customers with one matter'),
    nothing: {
      what: t('这段时间没有重复来电。', 'Nobody called again in this stretch.'),
      whatToDo: t('同一客户为同一诉求 30 天内再次来电才算；换一段时间看看。', 'A repeat is the same customer about the same matter within 30 days; try another stretch.'),
    },
    onpage: (answer) => fill(total, t('其中计入重复的工单 ', 'Tickets counted as repeats: '),
      filter.min_calls === '2'
        ? numberLink(answer.repeat_tickets, 'tickets', { from: filter.from, to: filter.to, unit: filter.unit, counter: 'repeats' }, { name: 'repeat_tickets', label: t('重复工单', 'Repeat tickets') })
        : number(answer.repeat_tickets)),
    columns: [
      { head: t('次数', 'Calls'), class: 'right', rowHead: true, cell: (row) => h('strong', {}, row.calls) },
      { head: t('客户', 'Customer'), cell: (row) => [row.name, row.caller, row.customer].filter(Boolean).join(' · ') || '—' },
      { head: t('诉求', 'Matter'), cell: (row) => [h('i', { class: `mark c-${row.category}` }), row.matter] },
      { head: t('首次 – 末次', 'First – last'), cell: (row) => [h('span', { class: 'nowrap' }, shortTime(row.first_at)), ' – ', h('span', { class: 'nowrap' }, shortTime(row.last_at)), h('span', { class: 'hint' }, t(` 共 ${days(row)} 天`, ` ${days(row)} ${days(row) === 1 ? 'day' : 'days'}`))] },
      { head: t('供电单位', 'Units'), class: 'unit', cell: (row) => row.units.map((unit) => h('div', { title: unit }, unit.split('/').slice(-2).join('/'))) },
      { head: t('末次状态', 'Last state'), class: 'nowrap', cell: (row) => word('state', row.state) },
      { head: t('标记', 'Marks'), class: 'marks', cell: (row) => [
        row.burst && h('span', { class: 'tag bad' }, t('短时多次', 'burst')),
        row.third_call && h('span', { class: 'tag warn' }, t('三次致电', 'third call')),
        row.final_reply && h('span', { class: 'tag' }, t('已最终答复', 'final reply')),
        row.excluded && h('span', { class: 'tag' }, t('不计入', 'not counted')),
        h('span', { class: 'hint' }, word('key', row.key))] },
      { head: t('工单', 'Tickets'), class: 'ids', cell: (row) => [
        h('details', {}, h('summary', {}, t(`${row.ids.length} 张`, `${row.ids.length}`)), row.ids.map((id) => h('div', {}, ticketLink(id)))),
        h('a', { href: addressOf('tickets', { same_caller: row.ids.at(-1) }) }, t('全部来电', 'All calls'))] },
      { head: t('处理', 'To do'), cell: (row) => writes && !row.final_reply && finalReply(row.ids.at(-1), t('最终答复', 'Final reply'), again) },
    ],
  });
  list.prepend(total);
  return list;
}

const hotSpots = (filter, signal) => listOf({
  path: '/v1/hot-spots',
  params: filter,
  signal,
  unit: t('处热点', 'hot spots'),
  nothing: {
    what: t('这段时间没有热点。', 'No hot spots in this stretch.'),
    whatToDo: t('不同客户、同一地点、同一诉求、72 小时内；把户数放宽到 2 户看看。', 'Different callers, one place, one matter, within 72 hours; try two callers or more.'),
  },
  columns: [
    { head: t('客户', 'Callers'), class: 'right', rowHead: true, cell: (row) => h('strong', {}, row.callers) },
    { head: t('来电', 'Calls'), class: 'right', cell: (row) => row.calls },
    { head: t('未结', 'Open'), class: 'right', cell: (row) => row.open },
    { head: t('地点', 'Place'), cell: (row) => row.place },
    { head: t('诉求', 'Matter'), cell: (row) => row.matter },
    { head: t('供电单位', 'Unit'), class: 'unit', cell: (row) => row.unit },
    { head: t('首次 – 末次', 'First – last'), cell: (row) => `${shortTime(row.first_at)} – ${shortTime(row.last_at)}` },
    { head: t('工单', 'Tickets'), class: 'ids', cell: (row) => row.ids.map((id) => h('div', {}, ticketLink(id))) },
  ],
});
