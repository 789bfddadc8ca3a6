// Which stretch of time and which unit: the bar above a view.
import { get } from './api.js';
import { h, put, select } from './dom.js';
import { t } from './i18n.js';
import { addressOf, go } from './link.js';
import { addDays, kindOf, nameOf, periodOf, today } from './period.js';

const kinds = () => [
  ['day', t('日', 'Day')], ['week', t('周', 'Week')], ['month', t('月', 'Month')],
  ['quarter', t('季', 'Quarter')], ['year', t('年', 'Year')],
];

/** The range of a view's parameters; none given is `otherwise`. */
export function rangeOf(params, otherwise) {
  if (!params.from) return otherwise;
  const from = params.from.slice(0, 10);
  const to = (params.to || params.from).slice(0, 10);
  return { from, to: to < from ? from : to };
}

function step(view, params, range, direction) {
  const kind = kindOf(range);
  const length = (Date.parse(range.to) - Date.parse(range.from)) / 86400000 + 1;
  const from = direction < 0 ? addDays(range.from, -1) : addDays(range.to, 1);
  const next = kind !== 'range' ? periodOf(kind, from)
    : { from: addDays(range.from, direction * length), to: addDays(range.to, direction * length) };
  go(view, { ...params, ...next });
}

/** The bar; `more` are further controls. */
export function periodBar({ view, params, range, signal, withUnit = true, more = [] }) {
  const kind = kindOf(range);
  const change = (changes) => go(view, { ...params, ...range, ...changes });
  const dateInput = (name, label) => h('input', {
    type: 'date', name, value: range[name], 'aria-label': label,
    onchange: (e) => { if (e.target.value) change({ [name]: e.target.value }); },
  });
  const bar = h('div', { class: 'bar' },
    h('div', { class: 'chips', role: 'group', 'aria-label': t('时段', 'Period') },
      h('a', { class: 'chip', href: addressOf(view, { ...params, from: '', to: '' }), 'aria-current': !params.from && 'true' }, t('今天', 'Today')),
      kinds().map(([value, text]) => h('a', {
        class: 'chip',
        href: addressOf(view, { ...params, ...periodOf(value, kind === 'range' || params.from ? range.from : today()) }),
        'aria-current': params.from && kind === value && 'true',
      }, text))),
    h('button', { type: 'button', 'aria-label': t('上一段', 'Earlier'), onclick: () => step(view, params, range, -1) }, '‹'),
    h('strong', { class: 'range-name' }, nameOf(range)),
    h('button', { type: 'button', 'aria-label': t('下一段', 'Later'), onclick: () => step(view, params, range, 1) }, '›'),
    dateInput('from', t('从', 'From')), h('span', {}, t('至', 'to')), dateInput('to', t('到（含）', 'To, that day too')));
  if (withUnit) put(bar, unitPicker({ unit: params.unit, range, signal, onpick: (unit) => go(view, { ...params, unit }) }));
  return put(bar, more);
}

/** A unit, those above it and, once they are known, those one level below. */
export function unitPicker({ unit = '', range, signal, onpick }) {
  const parts = unit ? unit.split('/') : [];
  const above = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
  const element = select('unit', [['', t('全部单位', 'All units')],
    ...above.map((path, i) => [path, `${'　'.repeat(i)}${parts[i]}`])], unit, onpick);
  element.setAttribute('aria-label', t('供电单位', 'Unit'));
  get('/v1/counters', { ...range, unit, by: 'unit' }, signal).then(({ items }) => {
    const below = items.map((row) => row.unit).filter((path) => path && path !== unit && path.startsWith(unit));
    put(element, below.map((path) => h('option', { value: path }, `${'　'.repeat(parts.length)}${path.split('/').pop()}`)));
  }).catch(() => {}); // the picker works without them
  return element;
}
