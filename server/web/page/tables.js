// The tables in force: what others would change, putting them in force, and
// judging what is stored again. For administrators.
import { get, send } from './api.js';
import { fill, h, table } from './dom.js';
import { categories, number, t, word } from './i18n.js';
import { ticketLink } from './link.js';
import { signed } from './marked.js';
import { failed, into } from './state.js';

const LOOK_AGAIN_MS = 700;

export function tablesPanel(signal) {
  const version = h('p', { class: 'hint' });
  const showVersion = () => into(version, signal, (s) => get('/v1/dictionary', {}, s), (d) => [
    t('正在使用的词典 ', 'Tables in force '), h('code', {}, d.version),
    t(`，日历到 ${d.calendar_until}，时限按 `, `, calendar until ${d.calendar_until}, limits of `), d.deadline_profile]);
  showVersion();
  return h('section', { class: 'panel' },
    h('h2', {}, t('换词典', 'Other tables')), version,
    h('p', { class: 'hint' }, t('管理员把改好的表放进服务器的词典目录之后：先看影响，再启用；已有工单要按新词典判，最后“全部重判”。', 'Once the changed tables lie in the server\'s directory: see what they would change, put them in force, then judge stored tickets again.')),
    whatIf(signal), reload(signal, showVersion), reclassify(signal));
}

/** Something long at `path`: begin, how far, stop. draw(answer) is its result. */
function longWork(path, { title, begin, draw, signal, controls = [], params = () => '' }) {
  const body = h('div', { 'aria-live': 'polite' });
  let timer = null;
  signal.addEventListener('abort', () => clearTimeout(timer));
  const show = (answer) => {
    if (signal.aborted) return;
    const running = answer.state === 'running';
    fill(body,
      running && h('p', {}, h('progress', { max: answer.total || 1, value: answer.done }), ` ${number(answer.done)} / ${number(answer.total)} `,
        answer.eta_seconds ? t(`还要约 ${answer.eta_seconds} 秒 `, `about ${answer.eta_seconds} s left `) : '',
        h('button', { type: 'button', onclick: () => act('DELETE') }, t('停下', 'Stop'))),
      answer.state === 'stopped' && h('p', { class: 'hint' }, t('已停下。', 'Stopped.')),
      answer.error && failed({ title: t('没有完成', 'It failed'), message: answer.error }),
      answer.state === 'done' && draw(answer));
    button.disabled = running;
    if (running) timer = setTimeout(look, LOOK_AGAIN_MS);
  };
  const act = async (method) => {
    try {
      show(await send(method, path + (method === 'POST' ? params() : ''), undefined, signal));
    } catch (error) {
      if (!signal.aborted) fill(body, failed(error));
    }
  };
  const look = () => get(path, {}, signal).then(show).catch(() => {});
  const button = h('button', { type: 'button', onclick: () => act('POST') }, begin);
  look();
  return h('div', { class: 'work' }, h('h3', {}, title), controls, button, body);
}

function whatIf(signal) {
  const from = h('input', { type: 'date', 'aria-label': t('从', 'From') });
  const to = h('input', { type: 'date', 'aria-label': t('到（含）', 'To, that day too') });
  return longWork('/v1/admin/replay', {
    title: t('① 换了会怎样（不改任何东西）', '1. What would move (changes nothing)'),
    begin: t('看影响', 'Look'),
    signal,
    controls: [from, ' – ', to, ' '],
    params: () => `?limit=200${from.value ? `&from=${from.value}` : ''}${to.value ? `&to=${to.value}` : ''}`,
    draw: ({ result }) => result && [
      h('p', {}, t(`${number(result.tickets)} 件里有 `, `Of ${number(result.tickets)} tickets `), h('strong', {}, number(result.moved)),
        t(` 件会变：大类 ${result.moved_category}，二级 ${result.moved_subcategory}，三级 ${result.moved_topic}，城乡 ${result.moved_region}；其中 ${result.moved_reviewed} 件已复核，不受影响。`,
          ` would move: category ${result.moved_category}, subcategory ${result.moved_subcategory}, topic ${result.moved_topic}, region ${result.moved_region}; ${result.moved_reviewed} of them are reviewed and stay.`)),
      result.moved > 0 && matrix(result.matrix),
      result.moves.length > 0 && table([
        { head: t('工单', 'Ticket'), rowHead: true, cell: (m) => ticketLink(m.id) },
        { head: t('现在', 'Now'), cell: (m) => verdict(m.was) },
        { head: t('换了以后', 'Then'), cell: (m) => verdict(m.is) },
        { head: t('新依据', 'Because'), cell: (m) => (m.is.evidence ?? []).map((e) => h('div', { class: 'hint' }, `${signed(e.weight)} ${e.rule} “${e.text}”`)) },
      ], result.moves, { className: 'rows' }),
      result.moves_truncated && h('p', { class: 'hint' }, t('只列出前面这些。', 'Only the first are listed.'))],
  });
}

const verdict = (v) => [h('i', { class: `mark c-${v.category}` }), word('category', v.category), v.subcategory && ` › ${v.subcategory}`, ` · ${word('region', v.region)}`];

/** Tickets by category now (rows) and then (columns). */
function matrix(cells) {
  const all = [...categories, 'none'];
  return table([
    { head: t('现在 \\ 换了以后', 'now \\ then'), rowHead: true, cell: (was) => word('category', was) },
    ...all.map((is) => ({
      head: word('category', is), class: 'right',
      cell: (was) => {
        const count = cells?.[was]?.[is] ?? 0;
        return was !== is && count > 0 ? h('strong', { class: 'late' }, number(count)) : number(count);
      },
    }))], all, { className: 'numbers' });
}

function reload(signal, done) {
  const body = h('div', { 'aria-live': 'polite' });
  const button = h('button', {
    type: 'button',
    onclick: async () => {
      button.disabled = true;
      try {
        const answer = await send('POST', '/v1/admin/reload', undefined, signal);
        fill(body, h('p', {}, answer.changed ? t(`已启用 ${answer.dictionary}，共 ${answer.rules} 条规则。`, `In force: ${answer.dictionary}, ${answer.rules} rules.`)
          : t('表没有变化。', 'The tables are the same.')),
        answer.reclassify && h('p', { class: 'hint' }, t('已有工单可能会判得不同：需要时用下面的“全部重判”。', 'Stored tickets may be judged otherwise: judge them again below if you wish.')));
        done();
      } catch (error) {
        fill(body, failed(error), tableErrors(error.problem?.errors));
      } finally {
        button.disabled = false;
      }
    },
  }, t('检查并启用', 'Check and put in force'));
  return h('div', { class: 'work' }, h('h3', {}, t('② 启用', '2. Put in force')), button, body);
}

function tableErrors(errors) {
  if (!errors?.length) return null;
  return table([
    { head: t('表', 'Table'), rowHead: true, cell: (e) => e.table },
    { head: t('行', 'Line'), class: 'right', cell: (e) => e.line ?? '—' },
    { head: t('列', 'Column'), cell: (e) => e.column ?? '—' },
    { head: t('现在的值', 'Value'), cell: (e) => e.value ?? '—' },
    { head: t('怎么改', 'How to mend it'), cell: (e) => [e.detail, e.excerpt && h('pre', {}, e.excerpt)] },
  ], errors);
}

const reclassify = (signal) => longWork('/v1/admin/reclassify', {
  title: t('③ 已有工单全部重判', '3. Judge stored tickets again'),
  begin: t('全部重判', 'Judge again'),
  signal,
  draw: (answer) => h('p', {}, t(`已按词典 ${answer.dictionary} 重判 ${number(answer.done)} 件，其中 ${number(answer.moved)} 件变了。复核过的不变。`,
    `Judged ${number(answer.done)} tickets by ${answer.dictionary}; ${number(answer.moved)} moved. Reviewed ones stay.`)),
});
