"use strict";
// Texts reach the page through textContent and value only: whatever stands in them, it is never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const store = `csc review ${data.dataset} ${data.conversations.map((one) => one.check).join("").slice(0, 400)} ${data.conversations.length}`;
const names = new Map(data.strategies.map((one) => [one.id, one]));
const by = (id) => document.getElementById(id);

// id -> {decision, comment, fixes: {turn: {strategy, text}}}; turns are counted from 1.
let decisions = {};
let reviewer = "";
let current = 0;
let unsaved = false;

function remembered() {
  try {
    ({ decisions = {}, reviewer = "" } = JSON.parse(localStorage.getItem(store)) ?? {});
  } catch {
    decisions = {};
  }
}

function remember() {
  unsaved = true;
  try {
    localStorage.setItem(store, JSON.stringify({ decisions, reviewer }));
  } catch {
    by("hint").textContent = "This browser keeps nothing for local files: save your decisions before you close the page.";
  }
}

function verdictOf(one) {
  return (decisions[one.id] ??= { decision: "", comment: "", fixes: {} });
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function speakerName(speaker, language) {
  return data.speakers[language]?.[speaker] ?? speaker;
}

function firstWords(one) {
  return (one.turns.find((turn) => turn.speaker === "customer") ?? one.turns[0]).text.slice(0, 80);
}

function drawList() {
  const openOnly = by("open-only").checked;
  by("list").replaceChildren(
    ...data.conversations.flatMap((one, i) => {
      const decision = decisions[one.id]?.decision ?? "";
      if (openOnly && decision && i !== current) return [];
      const button = element(
        "button",
        { type: "button", title: [one.id, one.topic].filter(Boolean).join(", "), onclick: () => show(i) },
        element("span", { className: "name", textContent: `${i + 1}. ${firstWords(one)}` }),
        element("span", { className: `mark ${decision}`, textContent: decision }),
      );
      button.setAttribute("aria-current", String(i === current));
      return [element("li", {}, button)];
    }),
  );
  const done = data.conversations.filter((one) => decisions[one.id]?.decision).length;
  by("progress").textContent = `${done} of ${data.conversations.length} decided`;
}

// What a judge of the build dropped is no part of the dataset: it can be read and not decided on.
function drawDropped(shown) {
  by("dropped-side").hidden = !data.dropped.length;
  by("dropped").replaceChildren(
    ...data.dropped.map((one, i) => {
      const button = element(
        "button",
        { type: "button", title: [one.id, one.topic].filter(Boolean).join(", "), onclick: () => showDropped(i) },
        element("span", { className: "name", textContent: firstWords(one) }),
      );
      button.setAttribute("aria-current", String(i === shown));
      return element("li", {}, button);
    }),
  );
}

function drawReading(turn, language) {
  const who = element("div", { className: "who", textContent: speakerName(turn.speaker, language) });
  const strategy = names.get(turn.strategy);
  if (strategy) who.append(element("span", { textContent: strategy[language] ?? strategy.en }));
  return element("li", { className: turn.speaker }, who, element("div", { textContent: turn.text }));
}

function correct(one, number, part, value) {
  const turn = one.turns[number - 1];
  const verdict = verdictOf(one);
  const fix = { ...verdict.fixes[number], [part]: value === turn[part] ? "" : value };
  if (fix.strategy || fix.text) verdict.fixes[number] = fix;
  else delete verdict.fixes[number];
  const any = Object.keys(verdict.fixes).length > 0;
  if (any && verdict.decision !== "drop") verdict.decision = "fix";
  if (!any && verdict.decision === "fix") verdict.decision = "";
  remember();
  drawDecision();
  drawList();
}

function drawTurn(one, turn, number) {
  const fix = decisions[one.id]?.fixes[number] ?? {};
  const who = element("div", { className: "who" }, element("span", { textContent: speakerName(turn.speaker, one.language) }));
  const item = element("li", { className: turn.speaker }, who);
  item.classList.toggle("changed", Boolean(fix.strategy || fix.text));
  if (turn.speaker === "supporter") {
    const select = element("select", { onchange: () => { correct(one, number, "strategy", select.value); redraw(); } });
    select.setAttribute("aria-label", `Strategy of turn ${number}`);
    if (!turn.strategy) select.append(element("option", { value: "", textContent: "–" }));
    select.append(...data.strategies.map((s) => element("option", { value: s.id, textContent: s[one.language] ?? s.en })));
    select.value = fix.strategy || turn.strategy;
    who.append(select);
    if (fix.strategy) who.append(element("del", { textContent: names.get(turn.strategy)?.[one.language] ?? "–" }));
  }
  const redraw = () => item.replaceWith(drawTurn(one, turn, number));
  const edit = element("button", { type: "button", textContent: "Edit" });
  edit.setAttribute("aria-label", `Edit turn ${number}`);
  who.append(edit);
  const text = element("div", { textContent: fix.text || turn.text });
  if (fix.text) item.append(element("del", { textContent: turn.text }));
  item.append(text);
  edit.onclick = () => {
    const area = element("textarea", { value: fix.text || turn.text });
    area.setAttribute("aria-label", `New text of turn ${number}`);
    const close = () => { correct(one, number, "text", area.value.trim() || turn.text); redraw(); };
    area.onblur = close;
    area.onkeydown = (event) => { if (event.key === "Escape") { event.preventDefault(); area.blur(); by("main").focus(); } };
    text.replaceWith(area);
    edit.hidden = true;
    area.focus();
  };
  return item;
}

function drawDecision() {
  const verdict = verdictOf(data.conversations[current]);
  for (const button of document.querySelectorAll("[data-decision]")) {
    button.setAttribute("aria-pressed", String(Boolean(verdict.decision) && button.dataset.decision === verdict.decision));
  }
  by("comment").value = verdict.comment;
}

function showHead(one, judge, original) {
  by("about").textContent = [one.id, one.topic, one.source].filter(Boolean).join(" · ");
  by("judge").textContent = judge;
  by("judge").hidden = !judge;
  by("original-side").hidden = !original;
  document.querySelector(".sides").classList.toggle("alone", !original);
  by("rewrite-title").textContent = original ? "Rewrite" : "Conversation";
}

function showDropped(i) {
  const one = data.dropped[i];
  showHead(one, `Dropped. ${one.judge}`, false);
  by("rewrite").replaceChildren(...one.turns.map((turn) => drawReading(turn, one.language)));
  by("rewrite").lang = one.language;
  by("decide").hidden = true;
  document.querySelector('#list [aria-current="true"]')?.setAttribute("aria-current", "false");
  document.querySelector(".sides").scrollTop = 0;
  drawDropped(i);
}

function show(i) {
  if (!data.conversations.length) return;
  current = Math.min(Math.max(i, 0), data.conversations.length - 1);
  const one = data.conversations[current];
  showHead(one, one.judge, one.original.length > 0);
  by("decide").hidden = false;
  drawDropped();
  by("original").replaceChildren(...one.original.map((turn) => drawReading(turn, one.language)));
  by("rewrite").replaceChildren(...one.turns.map((turn, k) => drawTurn(one, turn, k + 1)));
  for (const list of document.querySelectorAll(".turns")) list.lang = one.language;
  document.querySelector(".sides").scrollTop = 0;
  by("hint").textContent = "";
  drawDecision();
  drawList();
  document.querySelector('#list [aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

function decide(decision) {
  if (by("decide").hidden) return;
  const one = data.conversations[current];
  const verdict = verdictOf(one);
  const corrected = Object.keys(verdict.fixes).length > 0;
  if (decision === "fix" && !corrected) {
    by("hint").textContent = "Nothing is corrected yet: choose another strategy or edit a text, and the decision becomes fix by itself.";
    return;
  }
  if (decision === "keep" && corrected) {
    by("hint").textContent = "There are corrections: take them away with Clear first, or let the decision be fix.";
    return;
  }
  if (decision === "" && corrected) {
    if (!window.confirm("Take all corrections of this conversation away?")) return;
    verdict.fixes = {};
  }
  verdict.decision = decision;
  remember();
  if (decision === "keep" || decision === "drop") show(current + 1 < data.conversations.length ? current + 1 : current);
  else show(current);
}

function nextOpen() {
  const count = data.conversations.length;
  for (let step = 1; step <= count; step += 1) {
    const i = (current + step) % count;
    if (!decisions[data.conversations[i].id]?.decision) return show(i);
  }
  by("hint").textContent = "Every conversation is decided: save your decisions.";
}

function save() {
  const rows = data.conversations.filter((one) => decisions[one.id]?.decision).map((one) => ({
    conversation_id: one.id,
    check: one.check,
    decision: decisions[one.id].decision,
    comment: decisions[one.id].comment,
    fixes: decisions[one.id].decision !== "fix" ? [] : Object.entries(decisions[one.id].fixes).map(([turn, fix]) => ({
      turn: Number(turn), strategy: fix.strategy ?? "", text: fix.text ?? "",
    })),
  }));
  const saved = JSON.stringify({ format: data.format, dataset: data.dataset, reviewer, decisions: rows }, null, 1);
  const name = reviewer.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  const link = element("a", {
    href: URL.createObjectURL(new Blob([saved], { type: "application/json" })), download: `review${name ? `-${name}` : ""}.json`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  unsaved = false;
  by("hint").textContent = `Saved ${rows.length} decisions as ${link.download}.`;
}

const KEYS = {
  k: () => decide("keep"), f: () => decide("fix"), d: () => decide("drop"), n: nextOpen, s: save,
  ArrowLeft: () => show(current - 1), ArrowRight: () => show(current + 1),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
for (const button of document.querySelectorAll("[data-decision]")) button.onclick = () => decide(button.dataset.decision);
by("decide").onsubmit = (event) => event.preventDefault();
by("previous").onclick = KEYS.ArrowLeft;
by("next").onclick = KEYS.ArrowRight;
by("next-open").onclick = nextOpen;
by("save").onclick = save;
by("open-only").onchange = drawList;
by("comment").oninput = () => { verdictOf(data.conversations[current]).comment = by("comment").value; remember(); };
by("reviewer").oninput = () => { reviewer = by("reviewer").value; remember(); };
window.addEventListener("beforeunload", (event) => { if (unsaved && Object.values(decisions).some((one) => one.decision)) event.preventDefault(); });

remembered();
document.title = `Review of ${data.dataset}`;
by("dataset").textContent = `Review of ${data.dataset}`;
by("reviewer").value = reviewer;
show(0);
