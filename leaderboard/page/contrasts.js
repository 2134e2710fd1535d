// Two runs of one model that differ in one condition: paired differences with intervals and corrected p-values.

function contrastPanel(slug) {
  const all = contrastsOf(slug);
  if (!all.length) return null;
  const named = all.map((one) => [contrastId(one), `${one.title}: ${contrastName(one)}`]);
  const chosen = all.find((one) => contrastId(one) === setting("contrast")) || all[0];
  const columns = chosen.numbers.map((one) => [contrastColumn(chosen, one.metric), one]).filter(([column]) => wanted(column));
  const rows = columns.map(([column, one]) => {
    const { value, ...apart } = read(one.difference), [first, second] = one.alone;
    const alone = first || second ? ` (${count(first)} and ${count(second)} of one alone)` : "";
    return [column, { ...apart, difference: value, p_holm: one.p_holm, sides: [one.first, one.second], alone }];
  });
  const skipped = Object.entries(chosen.skipped).map(([metric, why]) => `${contrastColumn(chosen, metric).label}: ${why}`);
  return h("section", { class: "card", id: "contrasts" }, h("h2", {}, "Contrasts"),
    h("p", { class: "setting" }, "Two runs of one model that differ in one condition: first minus second, on the conversations that both have with "
      + "the same turns. p is two-sided and corrected (Holm) over all contrasts of one condition in a metric."),
    choice("Contrast", "contrast", named, contrastId(chosen), (value) => set({ contrast: value })),
    h("h3", {}, contrastName(chosen)),
    rows.length ? differences(rows, [chosen.first.level, chosen.second.level]) : h("p", { class: "setting" }, "None of these metrics."),
    skipped.length > 0 && h("p", { class: "setting" }, `Not contrasted: ${skipped.join("; ")}.`));
}

const contrastId = ({ family, within, first, second }) => [family, first, second, within]
  .map((part) => (part.model ? `${part.model}/${part.task}` : part)).filter(Boolean).join(" ");

// As the first run's column; which tasks they are of stands above the table.
function contrastColumn({ first }, metric) {
  const key = `${first.task}/${metric}`;
  const column = board.tables.map((table) => columnOf(table, key)).find(Boolean) || shownAs(metric, "");
  return { ...column, group: "" };
}

// Which task, where both have the same; the models, where they differ.
function contrastName({ first, second, within }) {
  const side = ({ model, level }) => ([second.model, first.model].every((one) => one === model) || nameOf(model) === level
    ? level : `${level} (${nameOf(model)})`);
  const table = tableOf(board.tables.find((one) => one.columns.some((column) => column.task === first.task))?.id);
  const where = [first.task === second.task && taskName(table, first.task), within].filter(Boolean);
  return [`${side(first)} − ${side(second)}`, ...where].join(", ");
}
