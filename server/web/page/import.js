// 导入: a file is dropped, looked at, told which column is which, taken in.
import { get, send } from './api.js';
import { fill, h, select, table } from './dom.js';
import { number, t, word } from './i18n.js';
import { addressOf, go } from './link.js';
import { shortTime } from './period.js';
import { empty, failed, into } from './state.js';

const LOOK_AGAIN_MS = 500;

export async function show(main, params, signal) {
  if (params.id) {
    await one(main, params.id, signal);
    return;
  }
  const earlier = h('section', { class: 'panel' });
  fill(main, dropZone(main), earlier);
  await into(earlier, signal, (s) => get('/v1/imports', {}, s), ({ items }) => [
    h('h2', {}, t('最近的导入', 'Recent imports')),
    items.length === 0 ? empty(t('还没有导入过文件。', 'No file was imported yet.'), t('一小时没人看的导入会从这里消失，已入库的工单不受影响。', 'An import goes from here after an hour; its tickets stay.'))
      : table([
        { head: t('文件', 'File'), rowHead: true, cell: (row) => h('a', { href: addressOf('import', { id: row.id }) }, row.name ?? row.id) },
        { head: t('状态', 'State'), cell: (row) => stateName(row.state) },
        { head: t('时间', 'Time'), cell: (row) => shortTime(row.created_at) },
      ], items)]);
}

const stateName = (state) => ({
  looking: t('正在查看', 'being looked at'),
  preview: t('等待确认', 'waits for you'),
  running: t('正在导入', 'being taken in'),
  done: t('完成', 'done'),
  failed: t('失败', 'failed'),
}[state] ?? state);

function dropZone() {
  const message = h('div', { 'aria-live': 'polite' });
  const input = h('input', { type: 'file', id: 'import-file', accept: '.xlsx,.csv,.txt,.ndjson,.json', onchange: () => input.files[0] && upload(input.files[0]) });
  const zone = h('section', { class: 'panel drop' },
    h('h2', {}, t('导入工单或环节', 'Import tickets or events')),
    h('p', {}, h('label', { for: 'import-file' }, t('把 Excel 或 CSV 文件拖到这里，或者选一个文件：', 'Drop an Excel or CSV file here, or choose one: ')), input),
    h('p', { class: 'hint' }, t('先看后存：会先猜每一列是什么，列出前几行怎么判，您确认之后才入库。CSV 用 UTF-8、GB18030（Excel 默认）或 UTF-16 都可以。', 'Nothing is stored before you have looked and confirmed. CSV in UTF-8, GB18030 or UTF-16.')),
    message);
  const mark = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', on);
  };
  zone.addEventListener('dragover', mark(true));
  zone.addEventListener('dragleave', mark(false));
  zone.addEventListener('drop', (event) => {
    mark(false)(event);
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });

  async function upload(file) {
    fill(message, h('p', { class: 'state loading', role: 'status' }, t(`正在上传 ${file.name}…`, `Sending ${file.name}…`)));
    try {
      const made = await send('POST', `/v1/imports?name=${encodeURIComponent(file.name)}`, file);
      go('import', { id: made.id });
    } catch (error) {
      fill(message, failed(error));
    }
  }
  return zone;
}

/* ---- one import ---- */

async function one(main, id, signal) {
  const path = `/v1/imports/${encodeURIComponent(id)}`;
  const head = h('p', { class: 'back' }, h('a', { href: '#/import' }, t('‹ 全部导入', '‹ All imports')));
  const body = h('div');
  fill(main, head, body);
  let timer = null;
  signal.addEventListener('abort', () => clearTimeout(timer));

  const draw = (found) => {
    if (signal.aborted) return;
    fill(body, drawOne(found, act));
    if (found.state === 'looking' || found.state === 'running') timer = setTimeout(look, LOOK_AGAIN_MS);
  };
  const look = async () => {
    try {
      draw(await get(path, {}, signal));
    } catch (error) {
      if (signal.aborted) return;
      fill(body, error.status === 404
        ? empty(t('这次导入已经过期。', 'This import has gone.'), t('请重新上传文件；已入库的行不会重复计。', 'Send the file again; what was stored is not counted twice.'))
        : failed(error, look));
    }
  };
  const act = async (verb, choice) => {
    try {
      draw(await send('POST', `${path}/${verb}`, choice, signal));
    } catch (error) {
      if (!signal.aborted) body.prepend(failed(error));
    }
  };
  await look();
}

function drawOne(found, act) {
  const choice = () => ({
    ...(found.sheet ? { sheet: found.sheet } : {}),
    ...(found.columns.length > 0 ? { columns: Object.fromEntries(found.columns.map((c) => [c.index, c.field])) } : {}),
  });
  return [
    summary(found, act),
    found.problem && h('div', { class: 'state failed', role: 'alert' }, h('p', {}, found.problem.title), h('p', { class: 'hint' }, found.problem.detail)),
    found.state === 'preview' && [columns(found, choice, act), confirmBar(found, choice, act), preview(found)],
    (found.state === 'running' || found.state === 'done') && result(found),
    errors(found),
  ];
}

function summary(found, act) {
  return h('section', { class: 'panel' },
    h('h2', {}, found.name ?? found.id, ' ', h('span', { class: 'tag' }, stateName(found.state))),
    h('p', { class: 'hint' }, [found.format, found.encoding, found.bytes !== null && t(`${number(found.bytes)} 字节`, `${number(found.bytes)} bytes`), found.header_line && t(`表头在第 ${found.header_line} 行`, `headings in line ${found.header_line}`)].filter(Boolean).join(' · ')),
    found.sheets?.length > 1 && found.state === 'preview' && h('label', {}, t('工作表 ', 'Sheet '),
      select('sheet', found.sheets.map((s) => [s, s]), found.sheet, (sheet) => act('preview', { sheet }))));
}

function columns(found, choice, act) {
  if (found.columns.length === 0) return null;
  const options = [['', t('（保留为附加字段）', '(kept as extra)')], ...found.fields.map((f) => [f.field, `${f.name}${f.needed ? ' *' : ''}`])];
  return h('section', { class: 'panel' },
    h('h2', {}, t('每一列是什么', 'What each column is')),
    h('div', { class: 'scroll' }, table([
      { head: t('列名', 'Heading'), rowHead: true, class: 'nowrap', cell: (c) => c.heading || t(`第 ${c.index + 1} 列`, `column ${c.index + 1}`) },
      { head: t('当作', 'Taken as'), cell: (c) => {
        const picker = select(`column-${c.index}`, options, c.field ?? '', (field) => {
          const all = choice();
          // One column a field: the other one gives it up.
          for (const other of Object.keys(all.columns)) if (field && all.columns[other] === field) all.columns[other] = null;
          all.columns[c.index] = field || null;
          act('preview', all);
        });
        picker.setAttribute('aria-label', t(`“${c.heading}”当作`, `"${c.heading}" is`));
        return picker;
      } },
      { head: t('前几个值', 'First values'), cell: (c) => h('span', { class: 'hint' }, c.samples.filter(Boolean).slice(0, 3).map((s) => s.slice(0, 40)).join(' ｜ ')) },
    ], found.columns, { className: 'columns' })));
}

function confirmBar(found, choice, act) {
  const names = new Map(found.fields.map((f) => [f.field, f.name]));
  const missing = found.missing ?? [];
  return h('section', { class: 'panel confirm' },
    missing.length > 0 && h('p', { class: 'late', role: 'alert' }, t(`还差必需的列：${missing.map((m) => names.get(m) ?? m).join('、')}。请在上面指定。`, `Columns still needed: ${missing.join(', ')}. Choose them above.`)),
    h('button', { type: 'button', class: 'main', disabled: missing.length > 0, onclick: () => act('confirm', choice()) }, t('确认导入', 'Take it in')),
    h('a', { href: '#/import' }, t('不导入，换一个文件', 'Not this file')));
}

function preview(found) {
  return h('section', { class: 'panel' },
    h('h2', {}, t('前几行会怎么判', 'How the first rows are judged')),
    h('div', { class: 'scroll' }, table([
      { head: t('行', 'Line'), class: 'right', rowHead: true, cell: (row) => row.line },
      { head: t('编号', 'Number'), cell: (row) => row.id ?? '—' },
      { head: t('判定', 'Verdict'), class: 'nowrap', cell: (row) => (row.error ? h('span', { class: 'tag bad' }, row.error.heading ?? row.error.field ?? '', ' ', row.error.title ?? row.error.detail)
        : row.verdict ? [h('i', { class: `mark c-${row.verdict.category}` }), word('category', row.verdict.category), row.verdict.subcategory && ` › ${row.verdict.subcategory}`]
          : h('span', { class: 'tag' }, row.record === 'event' ? t('环节', 'event') : '—')) },
      { head: t('城乡', 'Region'), cell: (row) => (row.verdict ? word('region', row.verdict.region) : '') },
      { head: t('内容', 'Cells'), class: 'text', cell: (row) => h('div', { class: 'excerpt' }, (row.cells ?? []).join(' ｜ ')) },
    ], found.preview ?? [], { className: 'rows' })));
}

function result(found) {
  const path = `/v1/imports/${encodeURIComponent(found.id)}/rejects`;
  const line = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, number(value)));
  return h('section', { class: 'panel' },
    h('h2', {}, found.state === 'done' ? t('导入完成', 'Taken in') : t('正在导入', 'Being taken in')),
    h('progress', { max: 100, value: found.state === 'done' ? 100 : found.percent ?? 0, 'aria-label': t('进度', 'Progress') }), ' ', `${found.state === 'done' ? 100 : found.percent ?? 0} %`,
    h('dl', { class: 'facts narrow' },
      line(t('读到', 'Read'), found.received), line(t('入库', 'Stored'), found.accepted),
      line(t('重复报送（没有变化）', 'Already there'), found.duplicate), line(t('更新', 'New versions'), found.updated),
      line(t('拒收', 'Refused'), found.rejected)),
    found.state === 'done' && [
      found.rejected > 0 && h('p', {}, t('拒收的行原样给回，多一列“错误原因”，改好再拖进来即可：', 'The refused rows come back as they were, with their reasons; mend them and drop the file again: '),
        h('a', { href: `${path}.xlsx`, download: '' }, 'Excel'), '　', h('a', { href: `${path}.csv`, download: '' }, 'CSV')),
      h('p', {}, h('a', { href: '#/now' }, t('看实时数字', 'See the numbers')), '　', h('a', { href: '#/tickets' }, t('看工单', 'See the tickets')))]);
}

function errors(found) {
  if (!found.errors?.length) return null;
  return h('section', { class: 'panel' },
    h('h2', {}, t('读不懂的行', 'Lines that cannot be read')),
    found.state === 'preview' && h('p', { class: 'hint' }, t(`看了前 ${found.looked_at ?? 0} 行；其余的行会照样导入。`, `The first ${found.looked_at ?? 0} rows were looked at; the other lines are taken in all the same.`)),
    table([
      { head: t('行', 'Line'), class: 'right', rowHead: true, cell: (e) => e.line },
      { head: t('列', 'Column'), cell: (e) => e.heading ?? e.field ?? '—' },
      { head: t('原因', 'Reason'), cell: (e) => [e.title ?? h('code', {}, e.code), h('span', { class: 'hint' }, ` ${e.detail ?? ''}`)] },
    ], found.errors));
}

