// Building elements. Names and texts come from models and corpora: they are only ever set as text, never as HTML.

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

// A labelled <select>. options: [[value, text], ...]; key: its name in the address, and what keeps the focus over a redraw.
function choice(label, key, options, chosen, onchange) {
  const items = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return h("label", { class: "choice" }, h("span", {}, label),
    h("select", { "data-key": key, onchange: (event) => onchange(event.target.value) }, items));
}

// A wide thing that scrolls sideways on its own, by keyboard too.
function scroller(label, content) {
  return h("div", { class: "scroller", role: "region", "aria-label": label, tabindex: "0", "data-key": `scroll ${label}` }, content);
}

// One of a few, as buttons side by side.
function segments(label, key, options, chosen, onchoose) {
  return h("div", { class: "segments", role: "group", "aria-label": label }, options.map(([value, text]) => h("button", {
    type: "button", "aria-pressed": String(value === chosen), "data-key": `${key} ${value}`, onclick: () => onchoose(value),
  }, text)));
}

// A plain table in a scroller. rows: the first cell of each heads the row; a cell is text (a number) or an element of its own.
function grid(label, heads, rows, kind = "") {
  const cell = (content) => (content instanceof Element ? content : h("td", { class: "number" }, content));
  const head = h("thead", {}, h("tr", {}, heads.map((text) => (text ? h("th", { scope: "col" }, text) : h("td")))));
  const body = rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), cells.map(cell)));
  return scroller(label, h("table", { class: `plain ${kind}` }, head, h("tbody", {}, body)));
}

// A long name is broken where it has a slash before it is broken within a word.
const breakable = (name) => name.split("/").flatMap((part, i) => (i ? ["/", h("wbr"), part] : [part]));

const small = (text) => h("small", {}, text);
const wide = (content) => h("td", { class: "wide" }, content);
