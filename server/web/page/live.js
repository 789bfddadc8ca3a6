// The server's event stream: numbers of one stretch of time, kept current.
// One connection a page; a view says which stretch it shows.
import { query } from './api.js';

const RETRY_MS = 5000;

class Live {
  state = 'idle'; // idle, waiting, live, lost
  #source = null;
  #key = null;
  #rows = new Map(); // "category region" -> {category, region, counts}
  #facts = {};
  #listeners = new Set();
  #stateListeners = new Set();
  #retry = null;

  onState(listener) {
    this.#stateListeners.add(listener);
  }

  /**
   * Follow a stretch: {from, to, unit}, without from the present day.
   * listener({rows, seq, feed, totals, alert}) after each change, until the
   * signal. What an answer with a later `snapshot` than seq said is newer.
   */
  follow(params, listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
    const key = query(params);
    if (key !== this.#key || !this.#source) this.#connect(key);
    else if (this.#rows.size > 0) listener(this.#view());
  }

  #view(alert = null) {
    return { rows: [...this.#rows.values()], ...this.#facts, alert };
  }

  #tell(alert) {
    for (const listener of this.#listeners) listener(this.#view(alert));
  }

  #setState(state) {
    this.state = state;
    for (const listener of this.#stateListeners) listener();
  }

  #connect(key) {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#key = key;
    this.#rows.clear();
    this.#setState('waiting');
    const source = new EventSource(`/v1/stream${key ? `?${key}` : ''}`);
    this.#source = source;
    source.addEventListener('snapshot', (event) => {
      const data = JSON.parse(event.data);
      this.#rows = new Map(data.counters.map((row) => [`${row.category} ${row.region}`, row]));
      this.#facts = { seq: data.seq, totals: data.totals, feed: data.feed, from: data.from, to: data.to };
      this.#setState('live');
      this.#tell();
    });
    source.addEventListener('delta', (event) => {
      const data = JSON.parse(event.data);
      for (const change of data.counters) this.#apply(change);
      this.#facts = { ...this.#facts, seq: data.seq, totals: data.totals, feed: data.feed };
      this.#setState('live');
      this.#tell();
    });
    source.addEventListener('alert', (event) => this.#tell(JSON.parse(event.data)));
    source.onopen = () => this.#setState('live');
    source.onerror = () => {
      this.#setState('lost');
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#retry = setTimeout(() => this.#connect(key), RETRY_MS); // refused: the browser gives up
      }
    };
  }

  #apply(change) {
    const key = `${change.category} ${change.region}`;
    const row = this.#rows.get(key) ?? { category: change.category, region: change.region, counts: {} };
    for (const [name, by] of Object.entries(change.counts)) row.counts[name] = (row.counts[name] ?? 0) + by;
    this.#rows.set(key, row);
  }
}

export const live = new Live();
