// The panels of a diagnosis, in the order in which they stand on a model's page.

function panel(title, text, ...content) {
  return h("section", { class: "card" }, h("h3", {}, title), text && h("p", { class: "setting" }, text), content);
}

function panels(found) {
  const unparsed = found.unparsed ? ` Replies without exactly one strategy: ${percent(read(found.unparsed).value, 1)}.` : "";
  return [
    found.confusion && panel("Confusion of strategies", `Per cent of a gold strategy's turns; a row sums to 100.${unparsed}`,
      confusionMap(found.confusion)),
    found.strategies.length > 0 && panel("Strategy by strategy", null, strategyTable(found.strategies)),
    found.transitions && transitionPanel(found.transitions),
    found.stage_order && stagePanel(found.stage_order),
    breakdownPanel(found),
    found.lengths.length > 0 && panel("Length of replies", null, lengthTable(found.lengths)),
    found.facts && factPanel(found.facts),
  ];
}

function strategyTable(scores) {
  const cell = (share) => h("td", {}, h("span", { class: "number" }, shown(share, SHARES)),
    share !== null && h("div", { class: "fillbar", "aria-hidden": "true" }, h("i", { style: { width: `${100 * share}%` } })));
  const rows = scores.map((one) => [strategyName(one.strategy), cell(one.precision), cell(one.recall), cell(one.f1),
    count(one.gold), count(one.predicted)]);
  return grid("Strategy by strategy", ["Strategy", "Precision", "Recall", "F1", "Gold turns", "Chosen"], rows);
}

function transitionPanel(found) {
  const distance = found.distance === null ? "" : ` Mean distance ${found.distance.toFixed(2)} (0 alike, 1 disjoint).`;
  const skipped = found.skipped ? ` ${count(found.skipped)} steps from or to unparsed turns are left out.` : "";
  return panel("What follows what", `Model minus gold, percentage points.${distance}${skipped}`, transitionMap(found));
}

// Rows of [name, packed value]: the number, its bar on a common scale, its interval; with `tested`, a third one of each is its corrected p.
function valueGrid(label, rows, column, { zero = false, tested = false } = {}) {
  const values = rows.map(([, packed]) => read(packed));
  const extent = extentOf(zero ? [...values, { value: 0, low: null, high: null }] : values);
  const heads = ["", "Value", "", CONFIDENCE, "Items", ...tested ? ["p (Holm)"] : []];
  return grid(label, heads, rows.map(([name, , p], i) => [name, values[i].value === null ? UNDEFINED : shown(values[i].value, column),
    wide(values[i].value !== null && bar(values[i], extent, { zero })),
    intervalText(values[i], column), count(values[i].items), ...tested ? [probability(p)] : []]), "values");
}

function stagePanel(order) {
  const moves = { label: "", scale: 1, digits: 2 };
  return panel("Order of stages", "Backward moves between stages per conversation: the fewest that any assignment of stages allows.",
    valueGrid("Backward moves", [["Model", order.predicted], ["Gold", order.gold], ["Model minus gold", order.difference]], moves, { zero: true }),
    h("h4", {}, "Conversations without a backward move, %"),
    valueGrid("Conversations without a backward move", [["Model", order.predicted_in_order], ["Gold", order.gold_in_order]], SHARES));
}

const BY = { stage: "By stage", topic: "By topic", language: "By language", turn_index: "By turn", part: "By part of the conversation" };

function breakdownPanel(found) {
  const metrics = [...new Set(found.breakdowns.flatMap((one) => one.groups.flatMap((group) => Object.keys(group.values))))];
  if (!metrics.length) return null;
  const chosen = metrics.includes(setting("by")) ? setting("by") : metrics[0];
  const column = shownAs(chosen, found.table);
  const parts = found.breakdowns.map((one) => {
    const groups = one.groups.filter((group) => group.values[chosen] && read(group.values[chosen]).value !== null);
    if (!groups.length) return null;
    const points = () => groups.map((group) => ({ x: Number(group.name), value: read(group.values[chosen]), p: group.p_holm[chosen] ?? null }));
    return [h("h4", {}, BY[one.by]), one.by === "turn_index"
      ? curve({ label: `${column.label} by turn`, column, series: [{ name: column.label, points: points() }] })
      : valueGrid(BY[one.by], groups.map((group) => [group.name, group.values[chosen], group.p_holm[chosen]]), column, { tested: true })];
  });
  const options = metricOptions(metrics, found.table);
  const tests = "p: whether a group is like the items outside it, corrected (Holm) over the groups.";
  return panel("Breakdown", tests, choice("Metric", "by", options, chosen, (value) => set({ by: value })), parts);
}

const metricOptions = (metrics, table) => metrics.map((metric) => [metric, shownAs(metric, table).label]);

function gapPanel({ table, gaps, divergence }) {
  if (!gaps.length) return null;
  const chosen = gaps.find((gap) => gap.metric === setting("gap")) || gaps[0];
  const column = shownAs(chosen.metric, table), overall = read(chosen.overall);
  const points = (context, tested) => chosen.points
    .map((point) => ({ x: point.turn_index, value: read(point[context]), ...tested && { p: point.p_holm } }))
    .filter((point) => point.value.value !== null);
  const series = [{ name: "Reference context", points: points("reference") }, { name: "Generated context", points: points("generated", true) }];
  const mark = chosen.first_significant && { x: chosen.first_significant, text: `significant from turn ${chosen.first_significant}` };
  const median = divergence && divergence.median !== null ? `first differ at turn ${divergence.median} (median)` : "rarely differ";
  const never = divergence && `${count(divergence.never)} of ${count(divergence.conversations)} conversations`;
  const gap = `Reference minus generated context: ${signed(overall.value, column)} (${intervalText(overall, column)}).`;
  return panel("Context gap", divergence ? `${gap} The strategies ${median}; in ${never} never.` : gap,
    choice("Metric", "gap", metricOptions(gaps.map((gap) => gap.metric), table), chosen.metric, (value) => set({ gap: value })),
    curve({ label: `${column.label} by turn in both contexts`, column, series, mark }));
}

function variantPanel(all) {
  if (!all.length) return null;
  const metrics = [...new Set(all.map((one) => one.metric))];
  return panel("Summaries of the history", "The same questions with other summaries.", metrics.map((metric) => {
    const column = shownAs(metric, "");
    const rows = all.filter((one) => one.metric === metric).map((one) => [one.within ? `${one.config} (${one.within})` : one.config, one.value]);
    return [h("h4", {}, column.label), valueGrid(column.label, rows, column)];
  }));
}

function lengthTable(all) {
  const heads = ["Language", "Mean", "Median", "5 % to 95 %", "Gold: mean", "Median", "5 % to 95 %"];
  const three = (found) => {
    if (!found) return ["N/A", "N/A", "N/A"];
    const [mean, low, median, high] = found;
    return [mean.toFixed(1), median.toFixed(0), `${low.toFixed(0)} to ${high.toFixed(0)}`];
  };
  return grid("Length of replies", heads, all.map((one) => [[one.language, small(`${one.unit}, ${count(one.items)} replies`)],
    ...three(one.reply), ...three(one.reference)]));
}

function factPanel(audit) {
  const rate = read(audit.hallucination_rate);
  const text = `Replies with a fact that nothing supports: ${shown(rate.value, SHARES)} % (${intervalText(rate, SHARES)}). `
    + `Support: ${audit.support.join(", ")}.`;
  const rows = Object.entries(audit.kinds).map(([kind, [all, bad]]) => [kind, count(all), count(bad), all ? percent(bad / all) : NONE]);
  const examples = audit.examples.map((one) => h("li", {}, h("strong", {}, one.text),
    small(`${one.kind}, ${one.conversation_id}, turn ${one.turn}`), h("p", { dir: "auto" }, one.reply)));
  return panel("Facts without support", text, grid("Facts without support", ["Kind", "Facts", "Without support", "Share"], rows),
    examples.length > 0 && h("details", {}, h("summary", {}, `Examples (${examples.length})`), h("ul", { class: "examples" }, examples)));
}
