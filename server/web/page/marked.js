// A text with the words the rules found marked, and the rules behind each.
import { colours } from './charts.js';
import { h, table } from './dom.js';
import { t, word } from './i18n.js';

/**
 * The text of one field with its evidence. A click on a mark shows its rules;
 * offsets are in characters (code points), as the API gives them.
 */
export function markedText(text, evidence, fieldName) {
  const here = evidence.filter((e) => e.field === fieldName && e.end > e.start);
  const characters = [...text];
  const cuts = [...new Set([0, characters.length, ...here.flatMap((e) => [e.start, e.end])])]
    .filter((at) => at <= characters.length).sort((a, b) => a - b);
  const pieces = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const piece = characters.slice(cuts[i], cuts[i + 1]).join('');
    const behind = here.filter((e) => e.start <= cuts[i] && e.end >= cuts[i + 1]);
    if (behind.length === 0) {
      pieces.push(piece);
      continue;
    }
    const against = behind.every((e) => e.weight < 0);
    pieces.push(h('mark', {
      class: against ? 'against' : `c-${behind[0].category}`,
      title: behind.map((e) => `${e.rule}  ${signed(e.weight)}  ${word('category', e.category)}`).join('\n'),
    }, piece));
  }
  return h('p', { class: 'ticket-text' }, pieces);
}

export const signed = (weight) => `${weight > 0 ? '+' : ''}${weight.toFixed(2)}`;

/** The rules that spoke, strongest first, with what they found. */
export function evidenceTable(evidence) {
  if (evidence.length === 0) return h('p', { class: 'hint' }, t('没有规则命中。', 'No rule matched.'));
  return table([
    { head: t('分值', 'Points'), class: 'right', cell: (e) => h('span', { class: e.weight < 0 ? 'down' : '' }, signed(e.weight)) },
    { head: t('类别', 'Category'), class: 'nowrap', cell: (e) => [h('i', { class: `mark c-${e.category ?? 'none'}` }), word('category', e.category)] },
    { head: t('规则', 'Rule'), rowHead: true, cell: (e) => h('code', {}, e.rule) },
    { head: t('命中的字', 'Words'), cell: (e) => (e.text ? `“${e.text}”` : '—') },
  ], evidence, { className: 'evidence' });
}

export const categoryColour = (category) => colours[category] ?? colours.none;

/** 地名表 “解放西街”. */
export function regionReason(evidence) {
  if (!evidence) return '—';
  const step = word('step', (evidence.rule ?? '').split(':')[0]);
  return evidence.text ? `${step} “${evidence.text}”` : step;
}
