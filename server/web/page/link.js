// Addresses inside the page: '#/tickets?from=2018-01-01&counter=complaints'.
// Everything a person sees is in the address, so it can be sent to a colleague.
import { query } from './api.js';
import { h } from './dom.js';
import { number, t } from './i18n.js';

export function readAddress() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  return { view: path || 'now', params: Object.fromEntries(new URLSearchParams(search ?? '')) };
}

export function addressOf(view, params) {
  const text = query(params);
  return `#/${view}${text ? `?${text}` : ''}`;
}

export function go(view, params) {
  location.hash = addressOf(view, params);
}

/** The same view with some parameters changed; '' takes one out. */
export function withParams(changes) {
  const { view, params } = readAddress();
  return addressOf(view, { ...params, ...changes });
}

/** A number that opens its list. */
export function numberLink(value, view, params, { name, label } = {}) {
  if (value === null || value === undefined) return h('span', { class: 'none' }, '—');
  return h('a', {
    class: `number${value === 0 ? ' zero' : ''}`,
    href: addressOf(view, params),
    'data-number': name,
    'aria-label': label && `${label} ${number(value)} ${t('，打开清单', ', open the list')}`,
  }, number(value));
}

/** A ticket's number that opens it over the present view. */
export const ticketLink = (id) => h('a', { class: 'id', href: withParams({ ticket: id }) }, id);
