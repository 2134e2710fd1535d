// Two models on the conversations they share: paired differences with intervals and corrected p-values.

function comparisonOf(table, column, a, b) {
  const of = (one, other) => table.comparisons.find((found) => found.column === column && found.a === one && found.b === other);
  const turned = of(b, a);
  if (!turned) return of(a, b);
  const minus = (number) => (number === null ? null : -number);
  return { ...turned, a, b, difference: -turned.difference, low: minus(turned.high), high: minus(turned.low) };
}

function compareView([id]) {
  const table = tableOf(id) || board.tables.find((one) => one.comparisons.length);
  if (!table) return missing("There are no paired comparisons on this board.");
  const compared = (slug) => table.comparisons.some((one) => one.a === slug || one.b === slug);
  const slugs = table.rows.map((row) => row.model).filter(compared);
  if (!slugs.length) return missing("There are no paired comparisons in this table.");
  const a = slugs.includes(setting("a")) ? setting("a") : slugs[0];
  const b = slugs.includes(setting("b")) && setting("b") !== a ? setting("b") : slugs.find((slug) => slug !== a);
  const options = (without) => slugs.filter((slug) => slug !== without).map((slug) => [slug, modelOf(slug).name]);
  const rows = table.columns.filter(wanted).map((column) => [column, comparisonOf(table, column.key, a, b)]).filter(([, found]) => found);
  const tables = board.tables.filter((one) => one.comparisons.length).map((one) => [one.id, one.title]);
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

function differences(rows) {
  // Columns of one scale share it, so that their bars can be compared; people's 1 to 5 has nothing in common with scores up to 100.
  const unitOf = (column) => (column.rater === "People" ? "people" : column.scale);
  const reach = (column) => 1.1 * Math.max(1e-9, ...rows.filter(([one]) => unitOf(one) === unitOf(column))
    .flatMap(([, found]) => [found.low, found.high, found.difference]).map((number) => Math.abs(number ?? 0)));
  const cells = rows.map(([column, found]) => {
    const clear = found.low !== null && (found.low > 0 || found.high < 0);
    const drawn = bar({ ...found, value: found.difference }, [-reach(column), reach(column)], { zero: true });
    const interval = found.low === null ? NONE : `${signed(found.low, column)} to ${signed(found.high, column)}`;
    return [[column.label, small(column.group || column.task)], signed(found.difference, column),
      h("td", { class: `wide ${clear ? "" : "unclear"}` }, drawn), interval, probability(found.p_holm), count(found.clusters)];
  });
  return grid("Differences", ["Metric", "Difference", "", CONFIDENCE, "p (Holm)", "Conversations"], cells);
}
