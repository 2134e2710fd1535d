// Heat-maps as tables: arrow keys move through the cells, and the line below says what the current cell holds.

// cells[i][j]: {level: -1..1 (0 is empty; below zero in the other colour), text, said}.
function heatmap({ label, rows, columns, cells, corner }) {
  const said = h("p", { class: "said" }, "Point at a cell, or move with the arrow keys.");
  const show = (cell) => { said.textContent = cell.said; };
  const grid = cells.map((line, i) => line.map((cell, j) => h("td", {
    role: "gridcell", tabindex: i || j ? "-1" : "0", title: cell.said, class: Math.abs(cell.level) > 0.75 ? "strong" : null,
    style: { background: shade(cell.level) },
    onmouseenter: () => show(cell), onfocus: () => show(cell), onclick: () => show(cell),
  }, cell.text)));
  const move = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const i = grid.findIndex((line) => line.includes(event.target));
    if (!step || i < 0) return;
    event.preventDefault();
    const next = grid[i + step[0]]?.[grid[i].indexOf(event.target) + step[1]];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };
  const short = ({ id, name }) => h("abbr", { title: name }, id);
  const head = h("tr", { role: "row" }, h("th", { class: "corner" }, corner),
    columns.map((one) => h("th", { scope: "col", role: "columnheader", "aria-label": one.name }, short(one))));
  const body = rows.map((one, i) => h("tr", { role: "row" },
    h("th", { scope: "row", role: "rowheader", "aria-label": one.name }, h("span", { class: "full" }, one.name), short(one)), grid[i]));
  const table = h("table", { role: "grid", "aria-label": label, onkeydown: move }, h("thead", {}, head), h("tbody", {}, body));
  return h("div", { class: "heat" }, scroller(label, table), said);
}

function shade(level) {
  const strength = Math.round(Math.min(1, Math.abs(level)) * 100);
  return strength ? `color-mix(in oklab, var(${level > 0 ? "--heat" : "--cold"}) ${strength}%, transparent)` : "transparent";
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function confusionMap(confusion) {
  const named = (id) => (id === "unparsed" ? { id: "?", name: "unparsed" } : { id, name: strategyName(id) });
  const [golds, answers] = [confusion.labels.map(named), confusion.predicted.map(named)];
  const cells = confusion.counts.map((line, i) => line.map((n, j) => {
    const total = sum(line), share = total ? n / total : 0;
    return {
      level: share, text: share >= 0.01 ? Math.round(100 * share) : n ? "·" : "",
      said: `Gold ${golds[i].name}, answered with ${answers[j].name}: ${count(n)} of ${count(total)} turns (${percent(share)})`,
    };
  }));
  return heatmap({ label: "Confusion of strategies", rows: golds, columns: answers, cells, corner: "gold ↓ answer →" });
}

function transitionMap({ before, after, gold, predicted }) {
  const named = (id) => (id === "START" ? { id: "▷", name: "(start)" } : { id, name: strategyName(id) });
  const [froms, tos] = [before.map(named), after.map(named)];
  const share = (line, j) => (sum(line) ? line[j] / sum(line) : 0);
  const cells = before.map((_, i) => after.map((__, j) => {
    const [is, was] = [share(predicted[i], j), share(gold[i], j)];
    const points = Math.round(100 * (is - was));
    return {
      // Differences are small: half of the scale is full colour.
      level: points ? Math.max(-1, Math.min(1, 2 * (is - was))) : 0,
      text: points ? `${points > 0 ? "+" : "−"}${Math.abs(points)}` : "",
      said: `After ${froms[i].name} came ${tos[j].name}: ${percent(is)} of the model's steps (${count(predicted[i][j])}), `
        + `${percent(was)} of gold's (${count(gold[i][j])})`,
    };
  }));
  return heatmap({ label: "Transitions, model minus gold", rows: froms, columns: tos, cells, corner: "from ↓ to →" });
}
