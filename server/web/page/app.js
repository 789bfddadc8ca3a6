// The frame: head, views by address, the ticket's drawer, the language.
import { fill, h } from './dom.js';
import { setLanguage, english, t } from './i18n.js';
import { addressOf, go, readAddress, withParams } from './link.js';
import { live } from './live.js';
import { mayAdminister, mayWrite, me, personName, signOut } from './me.js';
import { failed, loading } from './state.js';

// Each view has show(main, params, signal) and, where it can, update(params).
const views = [
  { name: 'now', title: () => t('实时', 'Now'), load: () => import('./now.js') },
  { name: 'tickets', title: () => t('工单', 'Tickets'), load: () => import('./tickets.js') },
  { name: 'repeats', title: () => t('重复来电', 'Repeat callers'), load: () => import('./repeats.js') },
  { name: 'deadlines', title: () => t('时限', 'Deadlines'), load: () => import('./deadlines.js') },
  { name: 'import', title: () => t('导入', 'Import'), load: () => import('./import.js'), may: mayWrite },
  { name: 'rules', title: () => t('规则', 'Rules'), load: () => import('./rules.js') },
  { name: 'reports', title: () => t('报表', 'Reports'), load: () => import('./reports.js') },
  { name: 'audit', title: () => t('审计', 'Audit'), load: () => import('./audit.js'), may: (p) => p.auth && mayAdminister(p) },
];

const head = document.getElementById('head');
const main = document.getElementById('main');
const drawer = document.getElementById('drawer');
let shown = null; // {view, text of the params, controller}
let feedDot = null;
let person = null; // who looks; known after the first answer

function drawHead(current) {
  feedDot = h('span', { class: 'feed-dot', role: 'status' });
  fill(head,
    h('button', { class: 'skip', type: 'button', onclick: () => main.focus() }, t('跳到内容', 'Skip to content')),
    h('a', { class: 'brand', href: '#/now' }, h('img', { src: '/assets/favicon.svg', alt: '', width: 22, height: 22 }), t('诉求', 'suqiu')),
    h('h1', { class: 'unseen' }, views.find((view) => view.name === current)?.title()),
    h('nav', { 'aria-label': t('视图', 'Views') }, views.filter((view) => !view.may || (person && view.may(person))).map((view) => h('a', {
      href: addressOf(view.name), 'aria-current': view.name === current && 'page',
    }, view.title()))),
    h('form', { class: 'find', role: 'search', onsubmit: find },
      h('input', {
        name: 'q', type: 'search', placeholder: t('工单编号或文字', 'Ticket number or words'),
        'aria-label': t('查找工单', 'Find tickets'),
      })),
    feedDot,
    person?.auth && h('span', { class: 'person' }, personName(person.name), ' ', h('button', { type: 'button', onclick: signOut }, t('退出', 'Sign out'))),
    h('button', { class: 'language', type: 'button', lang: english() ? 'zh-CN' : 'en', onclick: switchLanguage }, english() ? '中文' : 'English'));
  drawFeedDot();
}

/** A ticket's number opens the ticket, anything else is looked for in texts. */
function find(event) {
  event.preventDefault();
  const text = event.target.elements.q.value.trim();
  if (!text) return;
  if (/^[0-9]{8,}$/.test(text)) location.hash = withParams({ ticket: text });
  else go('tickets', { q: text });
}

function switchLanguage() {
  setLanguage(english() ? 'zh' : 'en');
  shown?.controller.abort();
  shown = null;
  show();
}

function drawFeedDot() {
  if (!feedDot) return;
  const texts = {
    idle: '', live: t('实时', 'live'), waiting: t('正在连接', 'connecting'), lost: t('已断开，正在重连', 'disconnected, trying again'),
  };
  feedDot.dataset.state = live.state;
  feedDot.textContent = texts[live.state];
}

async function show() {
  const { view: name, params } = readAddress();
  const view = views.find((v) => v.name === name);
  if (!view) {
    go('now');
    return;
  }
  const { ticket, ...rest } = params;
  const asked = location.hash;
  const text = JSON.stringify(rest);
  if (shown?.view !== name || shown.text !== text) {
    shown?.controller.abort();
    const controller = new AbortController();
    const sameView = shown?.view === name;
    shown = { view: name, text, controller };
    drawHead(name);
    document.title = `${view.title()} · ${t('诉求', 'suqiu')}`;
    if (!sameView) fill(main, loading());
    try {
      const module = await view.load();
      if (controller.signal.aborted) return;
      main.dataset.view = name;
      await module.show(main, rest, controller.signal);
      if (!sameView) main.scrollTo?.(0, 0);
    } catch (error) {
      if (!controller.signal.aborted) {
        if (!error.status && error.status !== 0) console.error(error); // no answer of the API
        fill(main, failed(error, () => location.reload()));
      }
    }
  }
  await showDrawer(ticket);
  if (asked === location.hash) document.body.dataset.shown = asked; // for tests: this much is drawn
}

async function showDrawer(ticket) {
  if (!ticket) {
    if (drawer.open) drawer.close();
    return;
  }
  const module = await import('./ticket.js');
  await module.open(drawer, ticket);
}

drawer.addEventListener('close', () => {
  fill(drawer);
  if (readAddress().params.ticket) location.hash = withParams({ ticket: '' });
});
drawer.addEventListener('click', (event) => {
  if (event.target === drawer) drawer.close(); // beside it
});
window.addEventListener('suqiu-signin', () => location.assign('/sign-in'));
window.addEventListener('hashchange', show);
// The other views are brought while there is a server to bring them.
const bringViews = () => Promise.allSettled([...views.map((view) => view.load()), import('./ticket.js')]);
(window.requestIdleCallback ?? setTimeout)(bringViews);

live.onState(drawFeedDot);
me().then((found) => {
  person = found;
  drawHead(readAddress().view);
}).catch(() => {}); // the view says what is wrong
show();
