// Dates of Asia/Shanghai as 'YYYY-MM-DD'. The page may run in any time zone:
// a day is kept as UTC midnight of its date and never meets local time.

const DAY_MS = 86400000;
const SHANGHAI_MS = 8 * 3600000;

const toDate = (day) => new Date(`${day}T00:00:00Z`);
const toDay = (date) => date.toISOString().slice(0, 10);

/** Shanghai's wall clock now, as a Date whose UTC parts are to be read. */
export const shanghaiNow = () => new Date(Date.now() + SHANGHAI_MS);
export const today = () => toDay(shanghaiNow());

export const addDays = (day, count) => toDay(new Date(toDate(day).getTime() + count * DAY_MS));
export const daysBetween = (from, to) => Math.round((toDate(to) - toDate(from)) / DAY_MS);

/** The same date some months away; the end of a shorter month if need be. */
export function addMonths(day, count) {
  const date = toDate(day);
  const first = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0));
  first.setUTCDate(Math.min(date.getUTCDate(), last.getUTCDate()));
  return toDay(first);
}

/** {from, to} (both days inclusive) of the named period that holds the day. */
export function periodOf(kind, day) {
  const date = toDate(day);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const span = (m, count) => ({
    from: toDay(new Date(Date.UTC(year, m, 1))),
    to: toDay(new Date(Date.UTC(year, m + count, 0))),
  });
  switch (kind) {
    case 'week': {
      const from = addDays(day, -((date.getUTCDay() + 6) % 7));
      return { from, to: addDays(from, 6) };
    }
    case 'month': return span(month, 1);
    case 'quarter': return span(month - (month % 3), 3);
    case 'year': return span(0, 12);
    default: return { from: day, to: day };
  }
}

/** Which named period is this exactly, or 'range'. */
export function kindOf(range) {
  for (const kind of ['day', 'week', 'month', 'quarter', 'year']) {
    const whole = periodOf(kind, range.from);
    if (whole.from === range.from && whole.to === range.to) return kind;
  }
  return 'range';
}

/** '2018-Q1', '2018-03', '2018', '2018-03-31' or 'from – to'. */
export function nameOf(range) {
  switch (kindOf(range)) {
    case 'day': return range.from;
    case 'month': return range.from.slice(0, 7);
    case 'quarter': return `${range.from.slice(0, 4)}-Q${Math.floor((Number(range.from.slice(5, 7)) + 2) / 3)}`;
    case 'year': return range.from.slice(0, 4);
    default: return `${range.from} – ${range.to}`;
  }
}

/** The period before of the same kind or length. */
export function previous(range) {
  const kind = kindOf(range);
  if (kind === 'range') {
    const length = daysBetween(range.from, range.to) + 1;
    return { from: addDays(range.from, -length), to: addDays(range.from, -1) };
  }
  return periodOf(kind, addDays(range.from, -1));
}

/** The same period of last year. */
export function lastYear(range) {
  const kind = kindOf(range);
  if (kind === 'week') return { from: addDays(range.from, -364), to: addDays(range.to, -364) };
  const from = addMonths(range.from, -12);
  return kind === 'range' || kind === 'day' ? { from, to: addMonths(range.to, -12) } : periodOf(kind, from);
}

/** Step of a trend over the range: few enough bars to read. */
export function stepOf(range) {
  const days = daysBetween(range.from, range.to) + 1;
  if (days <= 2) return 'hour';
  if (days <= 62) return 'day';
  if (days <= 366) return 'week';
  return 'month';
}

/** '2018-03-31 21:17' of an RFC 3339 time of the server (always +08:00). */
export const shortTime = (time) => (time ? time.slice(0, 16).replace('T', ' ') : '—');
export const dayOfTime = (time) => (time ? time.slice(0, 10) : '');
/** This instant as the server writes it. */
export const nowText = () => `${shanghaiNow().toISOString().slice(0, 19)}+08:00`;

/** Minutes as '3 天 4 小时' or '3 d 4 h'. */
export function lengthText(minutes, english) {
  const units = english ? [' d', ' h', ' min'] : [' 天', ' 小时', ' 分'];
  const parts = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), Math.floor(minutes % 60)];
  const first = parts.findIndex((n) => n > 0);
  if (first < 0) return `0${units[2]}`;
  return parts.map((n, i) => (n > 0 && i >= first && i <= first + 1 ? `${n}${units[i]}` : ''))
    .filter(Boolean).join(' ');
}
