// Curves over the turn index, with their intervals as bands: inline SVG, drawn for the width there is.

// series: [{name, points: [{x, value: {value, low, high, ...}, p}]}], at most two; p: corrected, undefined where none was asked for; mark: {x, text} of a vertical line.
function curve({ label, series, column, mark }) {
  const box = h("div", { class: "curve" });
  new ResizeObserver(() => {
    const width = Math.max(260, Math.min(box.clientWidth, 820));
    if (box.clientWidth) box.replaceChildren(picture(label, series, column, mark, width, width < 480 ? 220 : 260));
  }).observe(box);
  const legend = series.length > 1 && h("p", { class: "legend" }, series.map((one, i) => h("span", { class: `key line-${i}` }, one.name)));
  return h("figure", {}, legend, box, h("details", {}, h("summary", {}, "As a table"), curveTable(label, series, column)));
}

const turnsOf = (series) => [...new Set(series.flatMap((one) => one.points.map((point) => point.x)))].sort((a, b) => a - b);

function picture(label, series, column, mark, width, height) {
  const left = 44, right = 12, top = 14, bottom = 34, turns = turnsOf(series);
  const [low, high, ticks] = scaleOf(series, column);
  const x = (turn) => left + (turns.length > 1 ? (turn - turns[0]) / (turns.at(-1) - turns[0]) : 0.5) * (width - left - right);
  const y = (number) => top + (1 - (Math.min(high, Math.max(low, number)) - low) / (high - low)) * (height - top - bottom);
  const tickColumn = column.scale === 100 && ticks[1] - ticks[0] >= 0.01 ? { ...column, digits: 0 } : column;
  const every = Math.ceil(turns.length / Math.max(2, Math.floor((width - left) / 36)));
  const named = { role: "img", "aria-label": `${label}; its numbers are in the table below` };
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, ...named },
    ticks.map((tick) => svg("g", { class: "grid" }, svg("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, shown(tick, tickColumn)))),
    turns.map((turn, i) => i % every === 0 && svg("text", { x: x(turn), y: height - bottom + 18, "text-anchor": "middle" }, String(turn))),
    svg("text", { x: (left + width - right) / 2, y: height - 1, "text-anchor": "middle" }, "scored turn"),
    mark && markLine(mark, x(mark.x), top, height - bottom, x(mark.x) > width / 2),
    series.map((one, i) => line(one, i, x, y, column)));
}

function line(one, i, x, y, column) {
  const pair = (turn, number) => `${x(turn).toFixed(1)},${y(number).toFixed(1)}`;
  const within = one.points.filter(({ value }) => value.low !== null);
  const edge = [...within.map((p) => pair(p.x, p.value.high)), ...within.toReversed().map((p) => pair(p.x, p.value.low))];
  return svg("g", { class: `line-${i}` }, svg("polygon", { class: "band", points: edge.join(" ") }),
    svg("polyline", { points: one.points.map((point) => pair(point.x, point.value.value)).join(" ") }),
    one.points.map((point) => svg("circle", { cx: x(point.x), cy: y(point.value.value), r: 3 },
      svg("title", {}, `${one.name}, turn ${point.x}: ${explained(point.value, column)}`))));
}

function markLine(mark, at, top, bottom, leftwards) {
  const text = { x: at + (leftwards ? -6 : 6), y: top + 8, "text-anchor": leftwards ? "end" : "start" };
  return svg("g", { class: "marked" }, svg("line", { x1: at, x2: at, y1: top, y2: bottom }), svg("text", text, mark.text));
}

// [low, high, ticks]. A turn that few conversations reach has a wide interval: such a band may run out of the picture.
function scaleOf(series, column) {
  const points = series.flatMap((one) => one.points.map((point) => point.value));
  const bands = points.filter((value) => value.clusters >= 10 && value.low !== null).flatMap((value) => [value.low, value.high]);
  // A share lies within 0 and 1, whatever its interval by the t distribution says.
  const cut = (number) => (column.scale === 100 ? Math.min(1, Math.max(0, number)) : number);
  return ticksOf([...points.map((value) => value.value), ...bands.map(cut)]);
}

// [low, high, ticks] of an axis that holds these numbers: at round ones.
function ticksOf(numbers) {
  const span = Math.max(...numbers) - Math.min(...numbers) || Math.abs(numbers[0]) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((size) => span / size <= 5);
  const first = Math.floor(Math.min(...numbers) / step), last = Math.max(first + 1, Math.ceil(Math.max(...numbers) / step));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return [ticks[0], ticks.at(-1), ticks];
}

function curveTable(label, series, column) {
  const tested = (one) => one.points.some((point) => point.p !== undefined);
  const heads = ["Turn", ...series.flatMap((one) => [one.name, "interval", "items", ...tested(one) ? ["p (Holm)"] : []])];
  return grid(`${label}, as a table`, heads, turnsOf(series).map((turn) => [String(turn), ...series.flatMap((one) => {
    const { value, p } = one.points.find((point) => point.x === turn) || {};
    const numbers = value ? [shown(value.value, column), intervalText(value, column), count(value.items)] : [NONE, "", ""];
    return tested(one) ? [...numbers, probability(p)] : numbers;
  })]));
}
