// The sample browser: one conversation at a time, gold and generated replies side by side.

const sampledTable = (id) => tableOf(sampled.includes(id) ? id : sampled[0]);

function samplesView([id]) {
  const table = sampledTable(id);
  if (!table) return missing("No conversations were sampled for this board.");
  const sample = samplesOf(table.id);
  const turns = sample.conversations.flatMap((one) => one.turns);
  const slugs = table.rows.map((row) => row.model).filter((slug) => turns.some((turn) => turn.replies[slug]));
  const a = slugs.includes(setting("a")) ? setting("a") : slugs[0];
  const b = besides(a, slugs);
  const shownSlugs = [a, b].filter(Boolean);
  const asked = new Set(turns.flatMap((turn) => shownSlugs.flatMap((slug) => Object.keys(turn.replies[slug] || {}))));
  const tasks = tasksOf(table).filter((task) => asked.has(task));
  const task = tasks.includes(setting("task")) ? setting("task") : tasks[0];
  const [language, topic] = [setting("language"), setting("topic")];
  const fitting = sample.conversations.filter((one) => (!language || one.language === language) && (!topic || one.topic === topic));
  const number = Math.min(fitting.length, Math.max(1, Number.parseInt(setting("c", "1"), 10) || 1));
  const size = `${count(sample.conversations.length)} of ${count(sample.total)} conversations`;
  return h("div", {},
    h("h1", { tabindex: "-1" }, "Conversations"),
    h("p", { class: "lead" }, `${table.title}: ${size}, drawn with seed ${sample.seed}, the same for every model.`),
    sampleFilters(table, sample, { slugs, a, b, tasks, task, language, topic }),
    pager(number, fitting.length),
    fitting.length > 0 && conversationCard(table, fitting[number - 1], shownSlugs, task));
}

function besides(a, slugs) {
  if (setting("b") === "none") return "";
  return slugs.includes(setting("b")) && setting("b") !== a ? setting("b") : slugs.find((slug) => slug !== a) || "";
}

function sampleFilters(table, sample, { slugs, a, b, tasks, task, language, topic }) {
  const values = (of) => [["", "All"], ...[...new Set(sample.conversations.map(of))].sort().map((one) => [one, one])];
  const others = (without) => slugs.filter((slug) => slug !== without).map((slug) => [slug, nameOf(slug)]);
  const elsewhere = (value) => { location.hash = link(["samples", value], { a, b: b || "none" }); };
  return h("form", { class: "filters", "aria-label": "What to read", onsubmit: (event) => event.preventDefault() },
    sampled.length > 1 && choice("Table", "table", sampled.map((one) => [one, tableOf(one).title]), table.id, elsewhere),
    choice("Model", "a", others(b), a, (value) => set({ a: value, b: b || "none" })),
    choice("Beside", "b", [["none", "nothing"], ...others(a)], b || "none", (value) => set({ a, b: value })),
    tasks.length > 1 && choice("Context", "task", tasks.map((one) => [one, taskName(table, one)]), task, (value) => set({ task: value })),
    choice("Language", "language", values((one) => one.language), language, (value) => set({ language: value, c: null })),
    choice("Topic", "topic", values((one) => one.topic), topic, (value) => set({ topic: value, c: null })));
}

function pager(number, total) {
  const step = (text, key, to) => h("button", {
    type: "button", class: "quiet", "data-key": key, "aria-disabled": String(to < 1 || to > total),
    onclick: () => {
      if (to < 1 || to > total) return;
      set({ c: String(to) });
      announce(`Conversation ${to} of ${total}`);
    },
  }, text);
  const place = total ? `${number} of ${total}` : "none fits";
  return h("div", { class: "pager" },
    step("← Previous", "previous", number - 1), h("span", {}, place), step("Next →", "next", number + 1));
}

const said = (text) => h("p", { class: "said-text", dir: "auto" }, text);

function conversationCard(table, found, slugs, task) {
  const scored = new Map(found.turns.map((turn) => [turn.turn, turn]));
  const about = [found.topic, found.language, found.source, found.part, found.conversation_id].filter(Boolean).join(" · ");
  const head = h("p", { class: "setting" }, about);
  // A question stands after the dialogue, a supporter's turn within it.
  if (found.turns.every((turn) => turn.question === null)) {
    return h("article", { class: "card talk" }, head,
      found.dialogue.map((spoken, i) => (scored.has(i) ? exchange(table, scored.get(i), slugs, task) : utterance(spoken))));
  }
  return h("article", { class: "card talk" }, head,
    found.instruction && h("details", {}, h("summary", {}, "Instruction"), said(found.instruction)),
    h("details", {}, h("summary", {}, `The conversation before it (${found.dialogue.length} turns)`), found.dialogue.map(utterance)),
    found.summary && h("div", { class: "summary" }, small("Summary of the history"), said(found.summary)),
    found.turns.map((turn) => [utterance({ speaker: "customer", strategy: "", text: turn.question }), exchange(table, turn, slugs, task)]));
}

function utterance({ speaker, strategy, text }) {
  const side = speaker === "customer" ? "customer" : "supporter";
  return h("div", { class: `utterance ${side}` }, h("small", {}, speaker, strategy && [" ", tag(strategy)]), said(text));
}

// gold: the strategy to compare with; without it the tag is neutral.
function tag(strategy, gold = null) {
  const state = gold === null ? "" : strategy === gold ? "right" : "wrong";
  const spoken = { right: " (as gold)", wrong: " (not as gold)" }[state];
  const name = strategy ? strategyName(strategy) : "unparsed";
  return h("span", { class: `tag ${state}` }, name, spoken && h("span", { class: "unseen" }, spoken));
}

function exchange(table, turn, slugs, task) {
  const gold = h("div", { class: "reply gold" },
    h("small", {}, h("b", {}, "gold"), turn.strategy && [" ", tag(turn.strategy)]), said(turn.reference || "(held out)"));
  const replies = slugs.map((slug) => {
    const reply = (turn.replies[slug] || {})[task];
    const chose = reply && turn.strategy && (reply.strategy || reply.unparsed);
    return h("div", { class: "reply" }, h("small", {}, h("b", {}, nameOf(slug)), chose && [" ", tag(reply.strategy, turn.strategy)]),
      reply ? [said(reply.text || "(no reply)"), marks(table, task, reply)] : h("p", { class: "none" }, "was not asked here"));
  });
  return h("div", { class: `exchange of-${slugs.length + 1}` }, gold, replies);
}

function marks(table, task, reply) {
  const unsupported = reply.unsupported.length > 0 && `without support: ${reply.unsupported.join(", ")}`;
  const notes = [reply.failed && "the server gave no answer", reply.truncated && "cut by the token limit",
    reply.thinking_cut && "cut while thinking", unsupported].filter(Boolean);
  // The strategy stands in its tag already.
  const scores = Object.entries(reply.scores).map(([name, number]) => [columnOf(table, `${task}/${name}`), number])
    .filter(([column]) => column?.headline && !column.metric.startsWith("strategy"))
    .map(([column, number]) => `${column.label} ${shown(number, column)}${column.whole ? " (whole conversation)" : ""}`);
  return [notes.length > 0 && h("small", { class: "warned" }, notes.join("; ")),
    scores.length > 0 && h("small", { class: "scores" }, scores.join(" · "))];
}
