// 规则: try a sentence, look through the rules, put other tables in force.
import { send } from './api.js';
import { field, fill, h, put, select } from './dom.js';
import { number, pairs, t, word } from './i18n.js';
import { addressOf, go } from './link.js';
import { listOf } from './list.js';
import { mayAdminister, me } from './me.js';
import { evidenceTable, markedText, regionReason } from './marked.js';
import { shortTime } from './period.js';
import { into } from './state.js';
import { tablesPanel } from './tables.js';

export async function show(main, params, signal) {
  const person = await me();
  if (signal.aborted) return;
  const tab = params.tab ?? 'try';
  const tabs = [['try', t('试一句话', 'Try a sentence')], ['list', t('规则表', 'The rules')],
    ...(mayAdminister(person) ? [['tables', t('换词典', 'Other tables')]] : [])];
  fill(main, h('div', { class: 'tabs' }, tabs.map(([name, text]) => h('a', {
    href: addressOf('rules', { tab: name === 'try' ? '' : name }), 'aria-current': name === tab && 'page',
  }, text))));
  if (tab === 'list') put(main, explorer(params, signal));
  else if (tab === 'tables' && mayAdminister(person)) put(main, [tablesPanel(signal)]);
  else trySentence(main, params, signal);
}

/* ---- every rule, and how often it spoke ---- */

function explorer({ tab, ...params }, signal) {
  const set = (changes) => go('rules', { tab, ...params, ...changes });
  const choice = (name, label, options) => field(label, select(name, options, params[name] ?? '', (value) => set({ [name]: value })));
  const kind = params.never_hit ? 'never_hit' : params.always_lost ? 'always_lost' : '';
  return [
    h('form', { class: 'filters', onsubmit: (e) => { e.preventDefault(); set({ q: e.target.elements.q.value.trim(), text: e.target.elements.text.value.trim() }); } },
      choice('category', t('类别', 'Category'), [['', t('不限', 'Any')], ...pairs('category')]),
      field(t('哪些', 'Which'), select('kind', [['', t('全部', 'All')], ['never_hit', t('从没命中过', 'Never spoke')], ['always_lost', t('命中了但总不被采纳', 'Always overruled')]], kind,
        (value) => set({ never_hit: value === 'never_hit' ? 1 : '', always_lost: value === 'always_lost' ? 1 : '' }))),
      choice('order', t('顺序', 'Order'), [['', t('表里的顺序', 'As in the tables')], ['hits', t('命中最多', 'Most hits')], ['lost', t('最常被否定', 'Most overruled')], ['cost', t('最慢', 'Slowest')]]),
      h('label', { class: 'field wide' }, h('span', {}, t('编号或词句里有', 'In id or pattern')), h('input', { name: 'q', type: 'search', value: params.q ?? '' })),
      h('label', { class: 'field wide' }, h('span', {}, t('会在这句话上命中', 'Would speak on this text')), h('input', { name: 'text', type: 'search', value: params.text ?? '' })),
      h('button', { type: 'submit' }, t('查找', 'Find')),
      Object.keys(params).length > 0 && h('a', { class: 'chip', href: addressOf('rules', { tab }) }, t('清除条件', 'Clear'))),
    listOf({
      path: '/v1/rules',
      params,
      signal,
      unit: t('条规则', 'rules'),
      columns: [
        { head: t('编号', 'Id'), rowHead: true, cell: (row) => h('code', { title: `${row.table}:${row.line}` }, row.id) },
        { head: t('类别', 'Category'), class: 'nowrap', cell: (row) => [h('i', { class: `mark c-${row.category}` }), word('category', row.category)] },
        { head: t('二级 / 三级', 'Second, third level'), cell: (row) => [row.subcategory, row.topic].filter(Boolean).join(' › ') },
        { head: t('分值', 'Points'), class: 'right', cell: (row) => row.weight },
        { head: t('今日', 'Today'), class: 'right', cell: (row) => number(row.hits_today) },
        { head: t('累计命中', 'Hits'), class: 'right', cell: (row) => number(row.hits) },
        { head: t('最近', 'Last'), class: 'nowrap', cell: (row) => shortTime(row.last_hit_at) },
        { head: t('未被采纳', 'Overruled'), cell: (row) => (row.lost > 0 ? [number(row.lost), h('span', { class: 'hint' }, ` ${(row.lost_to ?? []).slice(0, 3).map((w) => w.split('=')).map(([c, n]) => `${word('category', c)} ${n}`).join(t('，', ', '))}`)] : '0') },
        { head: t('最坏用时', 'Worst'), class: 'right', cell: (row) => (row.cost_us === null || row.cost_us === undefined ? '—' : `${number(Math.round(row.cost_us))} µs`) },
        { head: t('词句', 'Pattern'), class: 'text', cell: (row) => h('code', { class: 'excerpt', title: row.pattern }, row.matched ? `“${row.matched}”` : row.pattern) },
      ],
    })];
}

/* ---- one sentence ---- */

function trySentence(main, params, signal) {
  const result = h('div', { class: 'panel', 'aria-live': 'polite' });
  const text = h('textarea', { name: 'text', rows: 4, maxlength: 8000, required: true, placeholder: t('例如：这个月都停了七回了，打95598说线路检修，问哪天修好没人说得清', 'A sentence in Chinese, as a customer says it') });
  text.value = params.text ?? '';
  const address = h('input', { name: 'address', maxlength: 200, placeholder: t('可不填，用来判城乡', 'may be empty; for urban or rural') });
  const type = select('type', [['', t('未知', 'Unknown')], ...pairs('type').filter(([v]) => v !== 'unknown')], 'complaint');
  const form = h('form', { class: 'panel try', onsubmit: (event) => { event.preventDefault(); run(); } },
    h('h2', {}, t('试一句话', 'Try a sentence')),
    h('label', { class: 'field wide' }, h('span', {}, t('受理内容', 'Text')), text),
    h('div', { class: 'row' }, field(t('用电地址', 'Address'), address), field(t('工单类型', 'Type'), type),
      h('button', { type: 'submit' }, t('判一判', 'Judge it'))),
    h('p', { class: 'hint' }, t('只试不存：不会产生工单，也不影响统计。', 'Nothing is stored and no number changes.')));

  function run() {
    const body = { text: text.value };
    if (address.value) body.address = address.value;
    if (type.value) body.type = type.value;
    into(result, signal, (s) => send('POST', '/v1/explain', body, s), (verdict) => draw(verdict, body));
  }
  put(main, [form, result]);
  if (params.text) run();
  else fill(result, h('p', { class: 'state empty' }, t('写一句话，按“判一判”。', 'Write a sentence and press “Judge it”.')));
}

const draw = (verdict, body) => put(h('div'), [
  h('p', { class: 'verdict' }, h('i', { class: `mark c-${verdict.category}` }),
    h('strong', { 'data-category': verdict.category }, word('category', verdict.category)),
    [verdict.subcategory, verdict.topic].filter(Boolean).map((name) => [' › ', name]),
    ' ', verdict.flags.map((flag) => h('span', { class: 'tag' }, word('flag', flag)))),
  h('dl', { class: 'facts two' },
    h('div', {}, h('dt', {}, t('置信度', 'Confidence')), h('dd', {}, `${Math.round(verdict.confidence * 100)} %`)),
    h('div', {}, h('dt', {}, t('第二名', 'Runner-up')), h('dd', {}, verdict.runner_up ? word('category', verdict.runner_up) : t('无', 'none'))),
    h('div', {}, h('dt', {}, t('城乡', 'Region')), h('dd', {}, `${word('region', verdict.region)}（${regionReason(verdict.region_evidence)}）`))),
  markedText(body.text, verdict.evidence, 'text'),
  evidenceTable(verdict.evidence),
]);
