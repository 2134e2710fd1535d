"use strict";
// One rater's sheet: shows an item at a time, keeps ratings in the page (and, where the browser allows, in its storage), saves a file.
const data = JSON.parse(document.getElementById("data").textContent);
const WORDS = data.words;
const words = WORDS[data.language];
const store = `csc-ratings/${data.study}/${data.rater}`;
const at = (id) => document.getElementById(id);
let ratings = {}, comments = {}, place = 0, unsaved = false;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const complete = (item) => item.dimensions.every((name) => ratings[item.id]?.[name]);

function spoken(speaker, text, label, language, rated) {
  const made = element("div", undefined, `said ${speaker}${rated ? " rated" : ""}`);
  made.lang = language;
  made.append(element("b", label), document.createTextNode(text));
  return made;
}

function showContext(item) {
  const own = WORDS[item.language], parts = [];
  for (const name of ["instruction", "summary"]) {
    if (!item[name]) continue;
    const note = element("p", undefined, "note");
    note.lang = item.language;
    note.append(element("b", own[name]), document.createTextNode(item[name]));
    parts.push(note);
  }
  for (const [speaker, text] of item.conversation) {
    parts.push(spoken(speaker, text, own[speaker], item.language, item.kind === "conversation" && speaker === "supporter"));
  }
  if (item.kind !== "conversation") parts.push(spoken("supporter", item.reply, own.rated, item.language, true));
  at("context").replaceChildren(...parts);
}

function scale(item, name) {
  const [shown, meaning] = data.dimensions[item.language][name];
  const field = element("fieldset"), row = element("div", undefined, "scale"), own = WORDS[item.language];
  field.lang = item.language;
  for (let value = 1; value <= 5; value++) {
    const label = element("label"), input = element("input");
    Object.assign(input, { type: "radio", name, value: String(value), checked: ratings[item.id]?.[name] === value });
    if (value === 1) label.title = own.low;
    if (value === 5) label.title = own.high;
    input.addEventListener("change", () => {
      (ratings[item.id] ??= {})[name] = value;
      changed();
    });
    label.append(input, document.createTextNode(String(value)));
    row.append(label);
  }
  field.append(element("legend", shown), element("p", meaning), row);
  return field;
}

function show(position) {
  place = Math.max(0, Math.min(data.items.length - 1, position));
  const item = data.items[place], comment = element("textarea"), label = element("label", words.comment);
  showContext(item);
  comment.id = "comment";
  label.htmlFor = "comment";
  comment.value = comments[item.id] ?? "";
  comment.addEventListener("input", () => { comments[item.id] = comment.value; changed(); });
  at("ratings").replaceChildren(...item.dimensions.map((name) => scale(item, name)), label, comment);
  at("place").textContent = `${place + 1} / ${data.items.length}`;
  at("back").disabled = place === 0;
  at("next").disabled = place === data.items.length - 1;
  at("ratings").scrollTop = 0;
  window.scrollTo(0, 0);
}

function progress() {
  const done = data.items.filter(complete).length;
  at("progress").textContent = words.progress.replace("{done}", done).replace("{all}", data.items.length);
  at("done").style.width = `${(100 * done) / data.items.length}%`;
}

function changed() {
  unsaved = true;
  try { localStorage.setItem(store, JSON.stringify({ ratings, comments })); } catch { /* a browser without storage still saves files */ }
  progress();
}

function saved() {
  return { format: 1, study: data.study, rater: data.rater, ratings, comments: Object.fromEntries(Object.entries(comments).filter(([, text]) => text)) };
}

function save() {
  const link = element("a"), url = URL.createObjectURL(new Blob([JSON.stringify(saved(), null, 1)], { type: "application/json" }));
  Object.assign(link, { href: url, download: `${data.rater}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  unsaved = false;
}

async function load(file) {
  let found = null;
  try { found = JSON.parse(await file.text()); } catch { /* said below */ }
  if (found?.study !== data.study || found?.rater !== data.rater) { alert(words.wrong); return; }
  take(found);
  show(place);
  changed();
}

function take(found) {
  const ids = new Set(data.items.map((item) => item.id));
  const mine = (part) => Object.fromEntries(Object.entries(part ?? {}).filter(([id]) => ids.has(id)));
  ratings = mine(found.ratings);
  comments = mine(found.comments);
}

function nextUnrated() {
  const order = [...data.items.keys()].map((step) => (place + 1 + step) % data.items.length);
  show(order.find((position) => !complete(data.items[position])) ?? place);
}

for (const name of ["save", "load", "back", "next", "open"]) at(name).textContent = words[name];
at("save").addEventListener("click", save);
at("load").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", (event) => { if (event.target.files[0]) load(event.target.files[0]); event.target.value = ""; });
at("back").addEventListener("click", () => show(place - 1));
at("next").addEventListener("click", () => show(place + 1));
at("open").addEventListener("click", nextUnrated);
// 1-5 rate the dimension that has the focus and go on to the next one.
document.addEventListener("keydown", (event) => {
  const field = document.activeElement?.closest?.("fieldset");
  if (!field || !/^[1-5]$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
  field.querySelector(`input[value="${event.key}"]`).click();
  (field.nextElementSibling?.querySelector?.("input:checked, input") ?? at("next")).focus();
});
window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
try { take(JSON.parse(localStorage.getItem(store) ?? "{}")); } catch { /* nothing was kept */ }
progress();
show(0);
