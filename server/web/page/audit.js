// 审计: who signed in, unmasked, took lists away. For administrators.
import { fill, h, select } from './dom.js';
import { t } from './i18n.js';
import { go, ticketLink } from './link.js';
import { listOf } from './list.js';
import { personName } from './me.js';
import { shortTime } from './period.js';

const actions = () => [
  ['', t('全部', 'All')], ['sign_in', t('登录', 'Sign in')], ['sign_out', t('退出', 'Sign out')], ['unmask', t('看全部号码', 'Unmask')],
  ['export', t('导出', 'Export')], ['import', t('导入', 'Import')], ['reload', t('换词典', 'Reload')],
  ['reclassify', t('重判', 'Judge again')], ['replay', t('看影响', 'Replay')], ['expire', t('到期清除', 'Expire')], ['audit_removed', t('清理审计', 'Audit removed')],
];

const roles = () => new Map([['feed', t('数据口', 'Feed')], ['viewer', t('查看', 'Viewer')], ['supervisor', t('质检主管', 'Supervisor')], ['admin', t('管理员', 'Administrator')]]);

export function show(main, params, signal) {
  const set = (changes) => go('audit', { ...params, ...changes });
  const date = (name, label) => h('input', { type: 'date', value: params[name] ?? '', 'aria-label': label, onchange: (e) => set({ [name]: e.target.value }) });
  const action = select('action', actions(), params.action ?? '', (value) => set({ action: value }));
  action.setAttribute('aria-label', t('动作', 'Action'));
  const names = new Map(actions());
  const roleNames = roles();
  fill(main,
    h('div', { class: 'bar' }, date('from', t('从', 'From')), h('span', {}, t('至', 'to')), date('to', t('到（含）', 'To, that day too')), action,
      h('input', { type: 'search', value: params.who ?? '', placeholder: t('谁', 'Who'), 'aria-label': t('谁', 'Who'), onchange: (e) => set({ who: e.target.value.trim() }) })),
    listOf({
      path: '/v1/audit',
      params,
      signal,
      unit: t('条', 'entries'),
      nothing: { what: t('没有这样的记录。', 'No such entry.'), whatToDo: t('换一段时间或动作再看。', 'Try another stretch or action.') },
      columns: [
        { head: t('时间', 'Time'), rowHead: true, class: 'nowrap', cell: (row) => shortTime(row.at) },
        { head: t('谁', 'Who'), cell: (row) => personName(row.who) || '—' },
        { head: t('角色', 'Role'), cell: (row) => roleNames.get(row.role) ?? row.role },
        { head: t('动作', 'Action'), class: 'nowrap', cell: (row) => [names.get(row.action) ?? row.action, ' ', !row.ok && h('span', { class: 'tag bad' }, t('未成功', 'failed'))] },
        { head: t('对象', 'Object'), cell: (row) => (row.action === 'unmask' && row.object ? ticketLink(row.object) : row.object ?? '—') },
        { head: t('原因', 'Reason'), cell: (row) => row.reason ?? '' },
        { head: t('来自', 'From'), cell: (row) => row.from },
      ],
    }));
}
