// One ticket over the present view: text and why, clocks, repeats, correction.
import { get, record, send } from './api.js';
import { field, fill, h, select, table } from './dom.js';
import { categories, english, pairs, t, word } from './i18n.js';
import { addressOf, ticketLink } from './link.js';
import { mayWrite, me } from './me.js';
import { evidenceTable, markedText, regionReason } from './marked.js';
import { lengthText, nowText, shortTime } from './period.js';
import { failed, loading, note } from './state.js';

const BY_KEY = 'suqiu-by';
let controller = null;

export async function open(drawer, id) {
  controller?.abort();
  controller = new AbortController();
  const { signal } = controller;
  drawer.setAttribute('aria-label', t(`工单 ${id}`, `Ticket ${id}`));
  if (!drawer.open) {
    fill(drawer, head(drawer, id), loading());
    drawer.showModal();
  }
  await read(drawer, id, signal);
}

const head = (drawer, id) => h('div', { class: 'drawer-head' },
  h('h2', {}, t('工单 ', 'Ticket '), h('span', { class: 'id' }, id)),
  h('button', { type: 'button', class: 'close', 'aria-label': t('关闭', 'Close'), onclick: () => drawer.close() }, '×'));

async function read(drawer, id, signal) {
  try {
    const [ticket, dictionary, person] = await Promise.all([
      get(`/v1/tickets/${encodeURIComponent(id)}`, {}, signal),
      get('/v1/dictionary', {}, signal), me()]);
    if (signal.aborted) return;
    fill(drawer, head(drawer, id), draw(ticket, dictionary, person, () => read(drawer, id, signal)));
  } catch (error) {
    if (signal.aborted) return;
    const missing = error.status === 404;
    fill(drawer, head(drawer, id), missing
      ? h('div', { class: 'state empty' }, h('p', {}, t('没有这个编号的工单。', 'No ticket has this number.')),
        h('p', { class: 'hint' }, h('a', { href: addressOf('tickets', { q: id }) }, t('在工单文字里找', 'Look for it in the texts'))))
      : failed(error, () => read(drawer, id, signal)));
  }
}

function draw(ticket, dictionary, person, again) {
  const writes = mayWrite(person);
  const personal = h('div', { class: 'personal' }, personalFacts(ticket));
  return [
    summary(ticket), personal,
    writes && person.masked && unmask(ticket.id, personal),
    h('section', {}, h('h3', {}, t('受理内容', 'Text')), markedText(ticket.text, ticket.evidence, 'text'),
      evidenceTable(ticket.evidence)),
    writes && correction(ticket, dictionary, again),
    h('section', {}, h('h3', {}, t('时限', 'Deadlines')), clocks(ticket)),
    h('section', {}, h('h3', {}, t('经过', 'What happened')), timeline(ticket)),
    h('section', {}, h('h3', {}, t('来电', 'Calls')), repeats(ticket, writes, again)),
    versions(ticket),
  ];
}

function summary(ticket) {
  const line = (name, ...value) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
  const changed = ticket.judged.category !== ticket.category || ticket.judged.subcategory !== ticket.subcategory
    || ticket.judged.region !== ticket.region;
  return h('section', { class: 'summary' },
    h('p', { class: 'verdict' }, h('i', { class: `mark c-${ticket.category}` }),
      h('strong', { 'data-category': ticket.category }, word('category', ticket.category)),
      [ticket.subcategory, ticket.topic].filter(Boolean).map((name) => [' › ', name]),
      ' ', h('span', { class: 'tag' }, word('state', ticket.state)),
      ticket.reviewed && h('span', { class: 'tag good' }, changed ? t('已改判', 'corrected') : t('已复核', 'reviewed')),
      ticket.flags.map((flag) => h('span', { class: 'tag' }, word('flag', flag)))),
    h('dl', { class: 'facts two' },
      line(t('置信度', 'Confidence'), `${Math.round(ticket.confidence * 100)} %`),
      line(t('第二名', 'Runner-up'), ticket.runner_up ? word('category', ticket.runner_up) : t('无', 'none')),
      changed && line(t('程序原判', 'Judged as'), [word('category', ticket.judged.category), ticket.judged.subcategory, word('region', ticket.judged.region)].filter(Boolean).join(' · ')),
      ticket.secondary.length > 0 && line(t('次要诉求', 'Also about'), ticket.secondary.map((c) => word('category', c)).join('、')),
      line(t('城乡', 'Region'), `${word('region', ticket.region)}（${regionReason(ticket.region_evidence)}）`),
      line(t('类型 / 渠道', 'Type / channel'), `${word('type', ticket.type ?? 'unknown')} / ${word('channel', ticket.channel)}`),
      line(t('受理时间', 'Accepted'), shortTime(ticket.accepted_at)),
      line(t('供电单位', 'Unit'), ticket.unit || '—')));
}

/** Masked for everybody until somebody says why it must be seen. */
function personalFacts(ticket) {
  const line = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, value || '—'));
  return h('dl', { class: 'facts two' },
    line(t('客户', 'Customer'), [ticket.name, ticket.caller, ticket.customer && t(`户号 ${ticket.customer}`, `no. ${ticket.customer}`)].filter(Boolean).join(' · ')),
    line(t('地址', 'Address'), ticket.address));
}

function unmask(id, personal) {
  const details = h('details', { class: 'unmask' }, h('summary', {}, t('看完整号码和地址（要写原因，会记入审计）', 'See them whole (for a reason that is kept)')),
    eventForm([field(t('原因', 'Reason'), h('input', { name: 'reason', required: true, minlength: 2, maxlength: 200 }))],
      t('显示', 'Show'), async ({ reason }) => {
        const whole = await send('POST', `/v1/tickets/${encodeURIComponent(id)}/unmask`, { reason });
        fill(personal, personalFacts(whole), whole.text && h('p', { class: 'ticket-text' }, whole.text));
        details.remove();
      }));
  return details;
}

/* ---- clocks, as bars on one time line ---- */

function clocks(ticket) {
  if (ticket.clocks.length === 0) return h('p', { class: 'hint' }, t('这类工单没有时限。', 'No clock runs on this kind of ticket.'));
  const now = Date.now();
  const start = Date.parse(ticket.accepted_at);
  const ends = ticket.clocks.flatMap((c) => [c.due, c.stopped]).filter(Boolean).map(Date.parse);
  const end = Math.max(start + 1, ...ends, Math.min(now, Math.max(...ends, start) + 86400000));
  const at = (time) => Math.max(0, Math.min(100, ((time - start) / (end - start)) * 100));
  return h('div', { class: 'clocks' }, ticket.clocks.map((clock) => {
    const from = clock.from ? Date.parse(clock.from) : start;
    const due = clock.due ? Date.parse(clock.due) : null;
    const stop = clock.stopped ? Date.parse(clock.stopped) : null;
    const reached = stop ?? Math.min(now, end);
    const svg = svgBar(at(from), due === null ? 100 : at(due), at(reached), clock.overdue, stop !== null);
    return h('div', { class: 'clock' },
      h('div', { class: 'clock-name' }, h('strong', {}, english() ? word('clock', clock.kind) : clock.name), ' ', clockState(clock, now)),
      svg,
      h('p', { class: 'hint' },
        `${shortTime(clock.from ?? ticket.accepted_at)} → ${clock.due ? shortTime(clock.due) : t('挂起中', 'paused')}`,
        clock.limit && ` · ${t('限', 'limit ')} ${clock.limit_unit === 'day_end' && clock.limit === '0' ? t('当日', 'same day') : `${clock.limit} ${word('limit', clock.limit_unit)}`}`,
        clock.source && ` · ${clock.source}`),
      daysOff(clock));
  }));
}

/** Which days inside the limit did not count, and why. */
function daysOff(clock) {
  if (!clock.days_off?.length) return null;
  return h('p', { class: 'hint days-off' }, t('不计的日子：', 'Days that did not count: '),
    clock.days_off.map((d) => `${d.date.slice(5)} ${d.name || t('周末', 'weekend')}`).join(t('，', ', ')));
}

function clockState(clock, now) {
  if (clock.paused) return h('span', { class: 'tag' }, t('挂起中', 'paused'));
  const due = Date.parse(clock.due);
  const minutes = Math.abs((clock.stopped ? Date.parse(clock.stopped) : now) - due) / 60000;
  const length = lengthText(minutes, english());
  if (clock.stopped && clock.overdue) return h('span', { class: 'tag bad' }, t(`超时 ${length} 完成`, `done ${length} late`));
  if (clock.stopped) return h('span', { class: 'tag good' }, t(`提前 ${length} 完成`, `done, ${length} left`));
  if (clock.overdue || due < now) return h('span', { class: 'tag bad' }, t(`已超时 ${length}`, `${length} late`));
  return h('span', { class: `tag ${Date.parse(clock.due_soon) <= now ? 'warn' : ''}` }, t(`还剩 ${length}`, `${length} left`));
}

function svgBar(from, due, reached, overdue, stopped) {
  const make = (tag, props) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
    return element;
  };
  const svg = make('svg', { class: 'clock-bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  svg.append(make('rect', { x: from, y: 2, width: Math.max(0.5, due - from), height: 4, class: 'limit' }));
  svg.append(make('rect', { x: from, y: 2, width: Math.max(0.5, Math.min(reached, due) - from), height: 4, class: 'used' }));
  if (overdue && reached > due) svg.append(make('rect', { x: due, y: 2, width: reached - due, height: 4, class: 'late' }));
  svg.append(make('rect', { x: Math.max(0, due - 0.4), y: 0, width: 0.8, height: 8, class: 'due' }));
  if (stopped) svg.append(make('rect', { x: Math.max(0, reached - 0.4), y: 0, width: 0.8, height: 8, class: 'done' }));
  return svg;
}

/* ---- what happened ---- */

function timeline(ticket) {
  const events = [{ event: 'accepted', at: ticket.accepted_at }, ...ticket.timeline];
  const detail = (e) => [
    e.satisfaction && word('satisfaction', e.satisfaction), e.substantiated && word('substantiated', e.substantiated),
    e.category && word('category', e.category), e.subcategory, e.region && word('region', e.region), e.reason, e.by,
  ].filter(Boolean).join(' · ');
  return h('ol', { class: 'timeline' }, events.map((e) => h('li', {},
    h('time', { datetime: e.at }, shortTime(e.at)), ' ', h('strong', {}, word('event', e.event)), ' ', detail(e))),
  ticket.timeline_truncated && h('li', {}, t('更早的环节没有列出', 'earlier events are left out')));
}

function repeats(ticket, writes, again) {
  const { repeat } = ticket;
  const nodes = [];
  if (repeat.calls > 1) {
    nodes.push(h('p', {}, t(`第 ${repeat.calls} 次来电`, `Call ${repeat.calls}`), `（${word('key', repeat.key)}）`,
      repeat.calls >= 3 && h('span', { class: 'tag warn' }, t('三次致电', 'third call')),
      repeat.burst_calls > 1 && h('span', { class: 'tag warn' }, t(`短时 ${repeat.burst_calls} 次`, `${repeat.burst_calls} in a burst`)),
      repeat.settled && h('span', { class: 'tag' }, t('已作最终答复，不计', 'settled by a final reply, not counted'))));
    nodes.push(table([
      { head: t('此前', 'Before'), cell: (row) => ticketLink(row.id) },
      { head: t('受理时间', 'Accepted'), cell: (row) => shortTime(row.accepted_at) }], repeat.previous));
  } else {
    nodes.push(h('p', { class: 'hint' }, t('没有重复致电。', 'Not a repeat call.')));
  }
  nodes.push(h('p', {}, h('a', { href: addressOf('tickets', { same_caller: ticket.id }) }, t('这位客户的全部工单', 'All tickets of this customer'))));
  if (writes) nodes.push(finalReply(ticket.id, t('记一条最终答复（报备）', 'Record a final reply'), again));
  return nodes;
}

function versions(ticket) {
  if (ticket.version_count < 2) return null;
  return h('section', {}, h('details', {}, h('summary', {}, t(`同号报送过 ${ticket.version_count} 次`, `Sent ${ticket.version_count} times under this number`)),
    ticket.versions.map((v) => h('div', {}, h('p', { class: 'hint' }, shortTime(v.received_at)), h('p', { class: 'ticket-text' }, v.text)))));
}

/* ---- what a supervisor says ---- */

const whoInput = () => {
  let who = '';
  try { who = localStorage.getItem(BY_KEY) ?? ''; } catch { /* none kept */ }
  return h('input', { name: 'by', required: true, maxlength: 60, value: who, autocomplete: 'name' });
};

function remember(who) {
  try { localStorage.setItem(BY_KEY, who); } catch { /* asked again next time */ }
}

/** A form that sends one event about a ticket. */
function eventForm(fields, button, send) {
  const message = h('div', { role: 'alert' });
  const submit = h('button', { type: 'submit' }, button);
  return h('form', {
    class: 'event-form',
    onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      fill(message);
      try {
        const values = Object.fromEntries(new FormData(event.target));
        if (values.by) remember(values.by);
        await send(values);
      } catch (error) {
        fill(message, failed(error));
      } finally {
        submit.disabled = false;
      }
    },
  }, fields, submit, message);
}

function correction(ticket, dictionary, again) {
  const categoryPairs = [...categories, 'none'].map((c) => [c, word('category', c)]);
  const subcategory = select('subcategory', [], '');
  const fillSubcategories = (category) => {
    const found = dictionary.categories.find((c) => c.code === category);
    fill(subcategory, h('option', { value: '' }, t('（不填）', '(none)')),
      (found?.subcategories ?? []).map((s) => h('option', { value: s.name, selected: s.name === ticket.subcategory }, s.name)));
  };
  fillSubcategories(ticket.category);
  return h('section', { class: 'correct' },
    h('details', {}, h('summary', {}, t('改判或确认', 'Correct or confirm')),
      eventForm([
        field(t('类别', 'Category'), select('category', categoryPairs, ticket.category, fillSubcategories)),
        field(t('二级分类', 'Subcategory'), subcategory),
        field(t('城乡', 'Region'), select('region', pairs('region').filter(([v]) => v !== 'unknown' || ticket.region === 'unknown'), ticket.region)),
        field(t('原因', 'Reason'), h('input', { name: 'reason', maxlength: 200 })),
        field(t('操作人', 'By'), whoInput()),
      ], t('记为改判', 'Record the correction'), async ({ category, subcategory: second, region, reason, by }) => {
        const event = { id: ticket.id, event: 'corrected', at: nowText(), category, by };
        if (second) event.subcategory = second;
        if (region && region !== 'unknown') event.region = region;
        if (reason) event.reason = reason;
        await record(event);
        note(t(`工单 ${ticket.id} 已改判，统计已更新`, `Ticket ${ticket.id} corrected, the numbers follow`));
        await again();
      })));
}

/** A form for a final reply, folded away until it is wanted. */
export function finalReply(id, title, again) {
  return h('details', { class: 'final-reply' }, h('summary', {}, title),
    h('p', { class: 'hint' }, t('记录之后，同一诉求再次来电不再计入重复，但仍列在表里。', 'After it, further calls about this matter are listed and no longer counted.')),
    eventForm([
      field(t('答复要点', 'What was said'), h('input', { name: 'reason', required: true, maxlength: 200 })),
      field(t('操作人', 'By'), whoInput()),
    ], t('记为最终答复', 'Record it'), async ({ reason, by }) => {
      await record({ id, event: 'final_reply', at: nowText(), reason, by });
      note(t(`工单 ${id} 已记最终答复`, `Final reply recorded for ${id}`));
      await again();
    }));
}

