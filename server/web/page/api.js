// The server's API: requests, and errors as something a person can act on.
import { language, t } from './i18n.js';

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.problem = problem ?? {};
  }

  /** What went wrong, in the page's language; the detail says how to mend it. */
  get title() {
    if (this.status === 0) return t('连不上服务器', 'The server cannot be reached');
    if (this.status === 401) return t('需要登录', 'Sign in first');
    if (this.status === 403) return t('没有权限', 'Your role does not allow this');
    return this.problem.title ?? `HTTP ${this.status}`;
  }
}

/** {a: 1, b: ''} -> 'a=1'; what is empty is left out. */
export function query(params) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.append(name, value);
  }
  return search.toString();
}

export function address(path, params) {
  const text = query(params);
  return text ? `${path}?${text}` : path;
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      headers: { 'Accept-Language': language(), ...options.headers },
      credentials: 'same-origin',
    });
  } catch (failure) {
    if (failure.name === 'AbortError') throw failure;
    throw new ApiError(0, { detail: t('请检查网络，或确认服务仍在运行，然后重试。', 'Check the network and whether the server still runs, then try again.') });
  }
  const text = await answer.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch { /* not JSON: the status says enough */ }
  if (answer.status === 401) window.location.assign('/sign-in');
  if (!answer.ok && answer.status !== 207) {
    // Records come back with their reasons even when all were refused.
    if (answer.status === 400 && body?.received !== undefined) return body;
    throw new ApiError(answer.status, body);
  }
  return body;
}

export const get = (path, params, signal) => ask(address(path, params), { signal });

/** A request with a body: an object as JSON, a file as it is, nothing. */
export function send(method, path, body, signal) {
  if (body === undefined) return ask(path, { method, signal });
  const isFile = body instanceof Blob;
  return ask(path, {
    method,
    signal,
    headers: { 'Content-Type': isFile ? 'application/octet-stream' : 'application/json' },
    body: isFile ? body : JSON.stringify(body),
  });
}

/** One record; throws when it was refused. */
export async function record(body) {
  const answer = await send('POST', '/v1/records', body);
  if (answer.rejected > 0) {
    throw new ApiError(400, { title: t('记录被拒收', 'The record was refused'), detail: answer.errors[0]?.detail });
  }
  return answer;
}
