// The page of one model: its numbers beside the others', then the panels of its diagnosis, task by task.

function modelView([slug]) {
  const model = modelOf(slug);
  if (!model) return missing(`There is no model ${slug || ""} on this board.`);
  const known = model.base && modelOf(model.base);
  const base = known ? h("a", { href: link(["model", model.base]) }, model.base_name || known.name) : model.base_name;
  const facts = [KINDS[model.kind].replace(/s$/, ""), base && ["on ", base], parameters(model.parameters),
    ...Object.entries(model.settings).map(([key, value]) => `${key}: ${value}`)].filter(Boolean);
  return h("div", {},
    h("h1", { tabindex: "-1", class: "modelname" }, nameOf(slug)),
    h("p", { class: "lead" }, facts.map((fact, i) => [i > 0 && " · ", fact])),
    model.notes.length > 0 && h("ul", { class: "notes" }, model.notes.map((note) => h("li", {}, note))),
    board.tables.map((table) => numbers(table, table.rows.find((row) => row.model === slug))),
    contrastPanel(slug),
    diagnoses(slug));
}

function numbers(table, row) {
  if (!row) return null;
  const several = Object.keys(row.spreads).length > 0;
  const valueOf = (one, column) => one.values[column.key] && read(one.values[column.key]);
  const measured = table.columns.filter((column) => wanted(column) && (valueOf(row, column)?.value ?? null) !== null);
  const cells = measured.map((column) => {
    const value = valueOf(row, column);
    const others = table.rows.filter((one) => one !== row && !isClaimed(one, column)).map((one) => valueOf(one, column)).filter((one) => one && one.value !== null);
    return [[h("span", { title: column.signature }, column.label), " ", believed(column), small(column.group || column.task)],
      isClaimed(row, column) ? [shown(value.value, column), h("span", { class: "claimed", title: TRUST.claimed }, "†")]
        : shown(value.value, column),
      wide(!isClaimed(row, column) && bar(value, extentOf([value, ...others]), { others: others.map((one) => one.value) })),
      intervalText(value, column), count(value.items), ...several ? [spreadCell(row.spreads[column.key], column)] : []];
  });
  const reading = h("a", { href: link(["samples", table.id], { a: row.model }) }, "Read its conversations");
  const all = Object.entries(row.runs).flatMap(([task, run]) => (row.repeats[task] || [run]).map((one) => [task, one]));
  const runs = all.map(([task, run]) => h("li", {}, runText(taskName(table, task), run), h("code", {}, run.raw)));
  return h("section", { class: "card" },
    h("div", { class: "title" }, h("div", {}, h("h2", {}, table.title, " ", trustBadge(row.trust)), settingLine(table)),
      sampled.includes(table.id) && h("p", { class: "links" }, reading)),
    segments("Which metrics", `metrics ${table.id}`, METRICS, setting("metrics"), (value) => set({ metrics: value })),
    cells.length ? grid(`${table.title}: numbers`, ["Metric", "Value", "Its interval, the others as ticks", CONFIDENCE, "Items",
      ...several ? ["Between runs"] : []], cells)
      : h("p", { class: "setting" }, "None of these."),
    several && h("p", { class: "setting" }, "Means over runs that differ only in their seed. Diagnosis and conversations are of the newest."),
    statements(all.flatMap(([task, run]) => run.findings.map((one) => statement(taskName(table, task), one)))),
    h("details", { class: "footnotes" }, h("summary", {}, "Where these numbers come from"), h("ul", {}, runs)));
}

// Standard deviation and range of the runs that differ only in their seed.
function spreadCell(spread, column) {
  if (!spread) return NONE;
  return [spreadText(spread, column), h("small", { class: "spread" }, `${shown(spread.least, column)} to ${shown(spread.most, column)}`)];
}

function statement(task, { item, claimed, recomputed, sentence }) {
  return `${task}, ${item}: ${sentence}${claimed && recomputed ? ` (claimed ${claimed}, recomputed ${recomputed})` : ""}`;
}

function runText(task, run) {
  const within = run.conversations === null ? "" : ` in ${count(run.conversations)} conversations`;
  const size = `${count(run.items)} items${within}`;
  const trust = run.corpus ? `${run.trust} against ${run.corpus}` : run.trust;
  const name = `${task}${run.repeat ? ` (${run.repeat})` : ""}`;
  return `${name}: ${trust}, ${size}, ${day(run.date)}${run.lm_eval_version ? `, lm_eval ${run.lm_eval_version}` : ""}; `;
}

function diagnoses(slug) {
  const report = reportOf(slug);
  if (!report || !(report.diagnoses.length || report.gaps.length || report.variants.length)) {
    return h("p", { class: "notice" }, "There are no logged samples of this model, so nothing more can be said about it.");
  }
  const id = (one) => `${one.table} ${one.task}`;
  const place = (one) => (tableOf(one.table) ? tasksOf(tableOf(one.table)).indexOf(one.task) : -1);
  const known = [...report.diagnoses].sort((a, b) => (a.table === b.table ? place(a) - place(b) : 0));
  const options = known.map((one) => {
    const table = tableOf(one.table), name = taskName(table, one.task);
    return [id(one), board.tables.length > 1 && table ? `${table.title}: ${name}` : name];
  });
  const chosen = known.find((one) => id(one) === setting("part")) || known[0];
  const pick = (value) => set({ part: value });
  return [
    chosen && h("div", { class: "parts" }, h("h2", {}, "Diagnosis"), options.length > 4
      ? choice("Part", "part", options, id(chosen), pick) : segments("Part of the diagnosis", "part", options, id(chosen), pick)),
    chosen && panels(chosen),
    report.gaps.filter((one) => !chosen || one.table === chosen.table).map(gapPanel),
    variantPanel(report.variants),
  ];
}
