// Charts by echarts, loaded when the first one is drawn. Every segment opens
// its list; beside each chart stands a table with the same numbers.
import { h } from './dom.js';

export const colours = {
  service: '#0b5394', business: '#c55a11', outage: '#6a3d9a', quality: '#2e7d32', grid: '#b71c4b', none: '#78848e',
};
const FONT = '"Noto Sans SC","Noto Sans CJK SC","Microsoft YaHei","PingFang SC","WenQuanYi Zen Hei",sans-serif';

let library = null;

/**
 * A chart in a new element. option: echarts' own; onpick(params of a click).
 * Returns {element, set(option)}; it goes with the signal.
 */
export function chart(className, label, signal, onpick) {
  const element = h('div', { class: `chart ${className}`, role: 'img', 'aria-label': label });
  let instance = null;
  let latest = null;
  const start = async () => {
    library ??= import('./echarts.js');
    const { init } = await library;
    if (signal.aborted) return;
    instance = init(element, null, { renderer: 'canvas' });
    element.chart = instance; // for tests
    if (onpick) instance.on('click', onpick);
    const observer = new ResizeObserver(() => instance.resize());
    observer.observe(element);
    signal.addEventListener('abort', () => {
      observer.disconnect();
      instance.dispose();
    });
    if (latest) instance.setOption(latest);
  };
  start();
  return {
    element,
    set(option) {
      latest = { animation: false, textStyle: { fontFamily: FONT }, ...option };
      instance?.setOption(latest, { notMerge: false });
    },
  };
}

/** A tooltip as text: no markup, so no customer's words can become any. */
export const plainTooltip = (text) => (params) => {
  const element = document.createElement('div');
  for (const line of text(params)) {
    const row = document.createElement('div');
    row.textContent = line;
    element.append(row);
  }
  return element;
};
