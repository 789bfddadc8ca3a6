// Who looks at the page, and what they may do.
import { get } from './api.js';
import { t } from './i18n.js';

let known = null;

/** {name, role, auth, masked}; asked once a page. */
export function me() {
  known ??= get('/v1/me').catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

/** A name for people; who came by the server's one-time link has none. */
export const personName = (name) => (name === 'sign-in link' ? t('登录链接', 'sign-in link') : name);

/** May this person write events and take in files? */
export const mayWrite = (person) => !person.auth || person.role === 'supervisor' || person.role === 'admin';
/** … and put tables in force? */
export const mayAdminister = (person) => !person.auth || person.role === 'admin';

export async function signOut() {
  await fetch('/sign-out', { method: 'POST', credentials: 'same-origin' });
  location.assign('/sign-in');
}
