// Quality against what it takes: a cross a row, whose arms are the intervals of both, as inline SVG above the table that stands in the page.

// The table is part of the page as it is without JavaScript.
const efficiencyText = document.getElementById("efficiency");
// Batch times are no user's latency, so they are no axis.
const AXES = {
  "cost/conversation": "Cost of a conversation",
  "last_token_s/median": "Latency: last token, s (median)",
  "first_token_s/median": "Latency: first token, s (median)",
};

function efficiencySection() {
  if (!efficiencyText) return null;
  const section = efficiencyText.cloneNode(true);
  const points = board.efficiency.map((one, i) => ({ ...one, column: columnOf(tableOf(one.table), judged[i]) || null }));
  const measured = (axis) => points.filter((one) => one.column && crossOf(one, axis));
  const axes = Object.entries(AXES).filter(([axis]) => measured(axis).length);
  if (!axes.length) return section;
  const [axis, title] = axes.find(([name]) => name === setting("axis")) || axes[0];
  const tasks = [...new Map(measured(axis).map((one) => [one.column.key, one.column]))];
  const [key, column] = tasks.find(([name]) => name === setting("judged")) || tasks[0];
  const crosses = measured(axis).filter((one) => one.column.key === key)
    .map((one) => ({ name: nameOf(one.model), ...crossOf(one, axis) }));
  section.querySelector("h2").after(
    h("div", { class: "filters" },
      axes.length > 1 && choice("Against", "axis", axes, axis, (value) => set({ axis: value })),
      tasks.length > 1 && choice("Quality", "judged", tasks.map(([id, one]) => [id, `${one.label}, ${one.group}`]), key,
        (value) => set({ judged: value }))),
    scatter(`${column.label} (${column.group}) against ${title.toLowerCase()}`, crosses, column, title));
  return section;
}

// {x, y} as values with intervals, or null where one of them has no number.
function crossOf(one, axis) {
  const row = tableOf(one.table).rows.find((other) => other.model === one.model);
  const x = read(one.numbers[axis]), y = row && one.column && read(row.values[one.column.key]);
  return x && y && x.value !== null && y.value !== null ? { x, y } : null;
}

function scatter(label, crosses, column, title) {
  const box = h("div", { class: "curve scatter" });
  new ResizeObserver(() => {
    const width = Math.max(260, Math.min(box.clientWidth, 820));
    if (box.clientWidth) box.replaceChildren(crossesPicture(label, crosses, column, title, width, width < 480 ? 260 : 320));
  }).observe(box);
  return h("figure", {}, box);
}

function crossesPicture(label, crosses, column, title, width, height) {
  const left = 44, right = 16, top = 26, bottom = 40;
  const ends = (of) => crosses.flatMap((one) => [of(one).low, of(one).value, of(one).high]).filter((number) => number !== null);
  const [x0, x1, xTicks] = ticksOf([0, ...ends((one) => one.x)]);
  const [y0, y1, yTicks] = ticksOf(ends((one) => one.y));
  const x = (number) => left + ((number - x0) / (x1 - x0)) * (width - left - right);
  const y = (number) => top + (1 - (number - y0) / (y1 - y0)) * (height - top - bottom);
  const text = (number) => String(Number(number.toPrecision(6)));
  const seconds = { label: title, scale: 1, digits: 4 };
  const arm = (value, along) => value.low !== null && svg("line", along(value.low, value.high));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `${label}: ${crosses.length} rows; the numbers are in the table below` },
    yTicks.map((tick) => svg("g", { class: "grid" }, svg("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, shown(tick, column)))),
    xTicks.map((tick) => svg("text", { x: x(tick), y: height - bottom + 18, "text-anchor": "middle" }, text(tick))),
    svg("text", { x: left, y: 12 }, directed(column)),
    svg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, title),
    crosses.map((one, i) => {
      const cx = x(one.x.value), cy = y(one.y.value), leftwards = cx > (width + left) / 2;
      return svg("g", { class: `line-${i % 2}` },
        arm(one.x, (low, high) => ({ x1: x(low), x2: x(high), y1: cy, y2: cy })),
        arm(one.y, (low, high) => ({ x1: cx, x2: cx, y1: y(low), y2: y(high) })),
        svg("circle", { cx, cy, r: 3.5 },
          svg("title", {}, `${one.name}: ${explained(one.y, column)}; ${explained(one.x, seconds)}`)),
        svg("text", { x: cx + (leftwards ? -8 : 8), y: cy - 7, "text-anchor": leftwards ? "end" : "start" }, one.name));
    }));
}

const directed = (column) => `${column.label} ${column.higher_is_better ? "↑" : "↓"}`;
