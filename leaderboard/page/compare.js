// Two models on the conversations they share: paired differences with intervals and corrected p-values.

// A pair arrives as [a, b, difference, low, high, p, conversations]; a and b are places in the table's rows.
function comparisonOf(table, column, a, b) {
  const place = (slug) => table.rows.findIndex((row) => row.model === slug);
  const [one, other] = [place(a), place(b)];
  const pairs = comparisonsOf(table.id)[column] || [];
  const pair = pairs.find(([x, y]) => (x === one && y === other) || (x === other && y === one));
  if (!pair) return null;
  const [x, , difference, low, high, p_holm, clusters] = pair;
  if (x === one) return { difference, low, high, p_holm, clusters };
  const minus = (number) => (number === null ? null : -number);
  return { difference: -difference, low: minus(high), high: minus(low), p_holm, clusters };
}

const comparedTable = (id) => tableOf(compared.includes(id) ? id : compared[0]);

function compareView([id]) {
  const table = comparedTable(id);
  if (!table) return missing("There are no paired comparisons on this board.");
  const places = new Set(Object.values(comparisonsOf(table.id)).flatMap((pairs) => pairs.flatMap(([x, y]) => [x, y])));
  const slugs = table.rows.map((row) => row.model).filter((_, i) => places.has(i));
  if (!slugs.length) return missing("There are no paired comparisons in this table.");
  const a = slugs.includes(setting("a")) ? setting("a") : slugs[0];
  const b = slugs.includes(setting("b")) && setting("b") !== a ? setting("b") : slugs.find((slug) => slug !== a);
  const options = (without) => slugs.filter((slug) => slug !== without).map((slug) => [slug, nameOf(slug)]);
  const rows = table.columns.filter(wanted).map((column) => [column, comparisonOf(table, column.key, a, b)]).filter(([, found]) => found);
  const tables = compared.map((one) => [one, tableOf(one).title]);
  return h("div", {},
    h("h1", { tabindex: "-1" }, "Compare two models"),
    h("p", { class: "lead" }, `${table.title}: first minus second, on the conversations both answered. p is two-sided and corrected `
      + "(Holm) over all pairs of a column."),
    h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      tables.length > 1 && choice("Table", "table", tables, table.id, (value) => { location.hash = link(["compare", value], { a, b }); }),
      choice("First", "a", options(b), a, (value) => set({ a: value, b })),
      choice("Second", "b", options(a), b, (value) => set({ a, b: value })),
      choice("Metrics", "metrics", METRICS, setting("metrics"), (value) => set({ metrics: value })),
      h("button", { type: "button", class: "quiet", "data-key": "swap", onclick: () => set({ a: b, b: a }) }, "Swap")),
    h("section", { class: "card" }, rows.length ? differences(rows) : h("p", {}, "These two share none of these columns.")));
}

const undefinedOr = (number, column, write = shown) => (number === null ? UNDEFINED : write(number, column));

// rows: [column, what was found]; sides: the headings of both values, where they are shown.
function differences(rows, sides = []) {
  // Columns of one scale share it, so that their bars can be compared; people's 1 to 5 has nothing in common with scores up to 100.
  const unitOf = (column) => (column.rater === "People" ? "people" : column.scale);
  const reach = (column) => 1.1 * Math.max(1e-9, ...rows.filter(([one]) => unitOf(one) === unitOf(column))
    .flatMap(([, found]) => [found.low, found.high, found.difference]).map((number) => Math.abs(number ?? 0)));
  const cells = rows.map(([column, found]) => {
    const clear = found.low !== null && (found.low > 0 || found.high < 0);
    const drawn = found.difference !== null && bar({ ...found, value: found.difference }, [-reach(column), reach(column)], { zero: true });
    const interval = found.low === null ? intervalText(found, column) : `${bound(found.low, column)} to ${bound(found.high, column)}`;
    return [[column.label, column.group !== "" && small(column.group)], ...sides.length ? found.sides.map((value) => undefinedOr(value, column)) : [],
      undefinedOr(found.difference, column, signed),
      h("td", { class: `wide ${clear ? "" : "unclear"}` }, drawn), interval, probability(found.p_holm),
      found.alone ? [count(found.clusters), small(found.alone)] : count(found.clusters)];
  });
  return grid("Differences", ["Metric", ...sides, "Difference", "", CONFIDENCE, "p (Holm)", "Conversations"], cells);
}
