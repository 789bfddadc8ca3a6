// Elements from plain values. Text always becomes a text node, so that nothing
// a customer wrote is ever read as markup.

/** h('a', {href, class, onclick, dataset}, ...children): an element. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name === 'value') element.value = value;
    else if (name === 'checked' || name === 'disabled' || name === 'selected') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  put(element, children);
  return element;
}

/** Append values: nodes, texts, numbers, nested arrays; null is left out. */
export function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Replace what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, children);
}

/** A table: columns [{head, cell(row), class}], rows of anything. */
export function table(columns, rows, { caption, foot, className = '', rowProps } = {}) {
  return h('table', { class: className },
    caption && h('caption', {}, caption),
    h('thead', {}, h('tr', {}, columns.map((c) => h('th', { scope: 'col', class: c.class }, c.head)))),
    h('tbody', {}, rows.map((row) => h('tr', rowProps ? rowProps(row) : {},
      columns.map((c, i) => h(c.rowHead ? 'th' : 'td',
        { class: c.class, scope: c.rowHead && 'row', 'data-column': c.name }, c.cell(row, i)))))),
    foot && h('tfoot', {}, foot));
}

/** A labelled form field. */
export function field(label, control) {
  return h('label', { class: 'field' }, h('span', {}, label), control);
}

/** <select> of [value, text] pairs. */
export function select(name, pairs, value, onchange) {
  const element = h('select', { name, onchange: onchange && ((e) => onchange(e.target.value)) },
    pairs.map(([v, text]) => h('option', { value: v, selected: v === value }, text)));
  element.value = value ?? '';
  return element;
}
