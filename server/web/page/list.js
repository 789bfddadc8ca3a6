// A list of the API: its total, its rows page by page, and the whole as a file.
import { address, get } from './api.js';
import { fill, h, table } from './dom.js';
import { number, t } from './i18n.js';
import { empty, failed, loading } from './state.js';

const PAGE_ROWS = 100;

/**
 * The list at `path` with these parameters.
 *   columns   as of dom.table
 *   unit      what is counted: t('件', 'tickets')
 *   nothing   {what, whatToDo} when there are no rows
 *   onpage(answer)   told each page, may be missing
 */
export function listOf({ path, params, columns, signal, unit = '', nothing, rowProps, onpage, className = 'rows' }) {
  const head = h('div', { class: 'list-head' });
  const body = h('div', { class: 'list-body' });
  const foot = h('div', { class: 'list-foot' });
  let rows = [];
  let next = null;

  const drawHead = (answer) => {
    const exact = answer.total !== undefined;
    const total = exact ? answer.total : answer.total_at_least;
    fill(head,
      h('p', { class: 'total' }, exact ? t('共 ', 'In all ') : t('至少 ', 'At least '),
        h('strong', { 'data-total': exact ? total : '' }, number(total)), ` ${unit}`),
      h('span', { class: 'files' },
        h('a', { href: address(`${path}.xlsx`, params), download: '' }, t('下载 Excel', 'Excel')),
        h('a', { href: address(`${path}.csv`, { ...params, excel: 1 }), download: '' }, 'CSV')));
  };

  const load = async (cursor) => {
    fill(foot, loading());
    try {
      const answer = await get(path, { limit: PAGE_ROWS, ...params, cursor }, signal);
      if (signal.aborted) return;
      rows = cursor ? rows.concat(answer.items) : answer.items;
      next = answer.next;
      if (!cursor) drawHead(answer);
      onpage?.(answer);
      draw(answer);
    } catch (error) {
      if (signal.aborted) return;
      fill(foot, failed(error, () => load(cursor)));
    }
  };

  const draw = () => {
    if (rows.length === 0 && !next) fill(body, empty(nothing?.what ?? t('没有符合条件的。', 'Nothing fits.'), nothing?.whatToDo ?? t('放宽上面的条件再看。', 'Loosen the filters above.')));
    else fill(body, table(columns, rows, { className, rowProps }));
    fill(foot, next && h('button', { type: 'button', onclick: () => load(next) }, t(`再看 ${PAGE_ROWS} 条`, `${PAGE_ROWS} more`)));
  };

  load(null);
  return h('section', { class: 'panel list' }, head, body, foot);
}
