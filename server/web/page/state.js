// What a part of the page shows while it loads, when it is empty, when it fails.
import { h, fill } from './dom.js';
import { t } from './i18n.js';

export const loading = () => h('p', { class: 'state loading', role: 'status' }, t('正在读取…', 'Loading…'));

export const empty = (what, whatToDo) => h('div', { class: 'state empty' },
  h('p', {}, what), whatToDo && h('p', { class: 'hint' }, whatToDo));

export function failed(error, again) {
  return h('div', { class: 'state failed', role: 'alert' },
    h('p', {}, error.title ?? t('页面出错了', 'The page failed')),
    h('p', { class: 'hint' }, error.message),
    again && h('button', { type: 'button', onclick: again }, t('重试', 'Try again')));
}

/**
 * Load something into an element: load(signal) -> data, draw(data) -> nodes.
 * What comes too late (another view is open) is dropped. Returns a promise.
 */
export async function into(element, signal, load, draw, { quiet = false } = {}) {
  if (!quiet) fill(element, loading());
  element.setAttribute('aria-busy', 'true');
  try {
    const data = await load(signal);
    if (!signal.aborted) fill(element, draw(data));
  } catch (error) {
    if (signal.aborted || error.name === 'AbortError') return;
    if (!error.status && error.status !== 0) console.error(error);
    fill(element, failed(error, () => into(element, signal, load, draw)));
  } finally {
    element.removeAttribute('aria-busy');
  }
}

/** A short message at the foot of the page. */
export function note(text, kind = 'fine') {
  const element = h('p', { class: `note ${kind}` }, text);
  document.getElementById('notes').append(element);
  setTimeout(() => element.remove(), 6000);
}
