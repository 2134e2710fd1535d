// An interval as a bar: the track is the range of the metric over all rows, the line the interval, the mark the value.

function extentOf(values) {
  const numbers = values.flatMap((value) => (value ? [value.value, value.low, value.high] : [])).filter(Number.isFinite);
  if (!numbers.length) return [0, 1];
  const low = Math.min(...numbers), high = Math.max(...numbers);
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - margin, high + margin];
}

function bar(value, [low, high], { others = [], zero = false } = {}) {
  const at = (number) => `${(100 * Math.min(1, Math.max(0, (number - low) / (high - low)))).toFixed(2)}%`;
  const parts = others.map((other) => h("i", { class: "other", style: { left: at(other) } }));
  if (zero) parts.push(h("i", { class: "zero", style: { left: at(0) } }));
  if (value.low !== null) {
    const width = `calc(${at(value.high)} - ${at(value.low)})`;
    parts.push(h("i", { class: "range", style: { left: at(value.low), width } }));
  }
  parts.push(h("i", { class: "mark", style: { left: at(value.value) } }));
  return h("div", { class: "bar", "aria-hidden": "true" }, parts);
}
