// 规则: try a sentence and see which rules speak.
import { send } from './api.js';
import { field, fill, h, put, select } from './dom.js';
import { pairs, t, word } from './i18n.js';
import { mayAdminister, me } from './me.js';
import { evidenceTable, markedText, regionReason } from './marked.js';
import { into } from './state.js';
import { tablesPanel } from './tables.js';

export function show(main, params, signal) {
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
  fill(main, form, result);
  me().then((person) => {
    if (!signal.aborted && mayAdminister(person)) main.append(tablesPanel(signal));
  }).catch(() => {});
  if (params.text) run();
  else fill(result, h('p', { class: 'state empty' }, t('写一句话，按“判一判”。', 'Write a sentence and press “Judge it”.')));
}

const draw = (verdict, body) => put(h('div'), [
  h('p', { class: 'verdict' }, h('i', { class: `mark c-${verdict.category}` }),
    h('strong', { 'data-category': verdict.category }, word('category', verdict.category)),
    [verdict.subcategory, verdict.topic].filter(Boolean).map((name) => [' › ', name]),
    verdict.flags.map((flag) => h('span', { class: 'tag' }, word('flag', flag)))),
  h('dl', { class: 'facts two' },
    h('div', {}, h('dt', {}, t('置信度', 'Confidence')), h('dd', {}, `${Math.round(verdict.confidence * 100)} %`)),
    h('div', {}, h('dt', {}, t('第二名', 'Runner-up')), h('dd', {}, verdict.runner_up ? word('category', verdict.runner_up) : t('无', 'none'))),
    h('div', {}, h('dt', {}, t('城乡', 'Region')), h('dd', {}, `${word('region', verdict.region)}（${regionReason(verdict.region_evidence)}）`))),
  markedText(body.text, verdict.evidence, 'text'),
  evidenceTable(verdict.evidence),
]);
