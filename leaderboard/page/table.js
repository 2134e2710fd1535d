// The tables of the board: sorting, filters, intervals as bars, reported rows apart.

const RATED = board.tables.some((table) => table.columns.some((column) => column.rater));
const METRICS = [["", "Main metrics"], RATED && ["ratings", "Ratings"], ["all", "All metrics"]].filter(Boolean);
const KINDS = { model: "Models", adapter: "Adapters", baseline: "Baselines" };

function filters() {
  const tasks = new Map(board.tables.flatMap((table) => table.columns.map((column) => [column.task, taskName(table, column.task)])));
  const languages = [...new Set(board.tables.flatMap((table) => table.setting.languages))].sort();
  const kinds = Object.keys(KINDS).filter((kind) => Object.values(board.models).some((model) => model.kind === kind));
  const pick = (name) => (value) => set({ [name]: value, sort: null });
  const taskOptions = [...tasks].map(([id, name]) => [id, name === id ? id : `${name} (${id})`]);
  return h("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    choice("Task", "task", [["", "All tasks"], ...taskOptions], setting("task"), pick("task")),
    choice("Language", "language", [["", "All languages"], ...languages.map((one) => [one, languageName(one)])],
      setting("language"), pick("language")),
    choice("Group", "group", [["", "All groups"], ...kinds.map((kind) => [kind, KINDS[kind]])], setting("group"), pick("group")),
    choice("Metrics", "metrics", METRICS, setting("metrics"), pick("metrics")));
}

function wanted(column) {
  return { all: true, ratings: column.rater !== null }[setting("metrics")] ?? column.headline;
}

function visibleColumns(table) {
  const task = setting("task"), language = setting("language");
  if (language && !table.setting.languages.includes(language)) return [];
  return table.columns.filter((column) => (!task || column.task === task) && (!language || !column.language || column.language === language)
    && wanted(column));
}

function visibleRows(table, columns) {
  const group = setting("group");
  return table.rows.filter((row) => (!group || modelOf(row.model).kind === group) && columns.some((column) => row.values[column.key]));
}

// {key, up}: from the address if it names a column of this table, else the ranked one that most rows have, best first.
function sortingOf(table, columns) {
  const [id, key, direction] = setting("sort").split(" ");
  if (id === table.id && (key === "model" || columns.some((column) => column.key === key))) return { key, up: direction === "up" };
  const size = (column) => table.rows.filter((row) => row.values[column.key]).length;
  const ranked = columns.filter((column) => column.ranked);
  const first = (ranked.length ? ranked : columns).reduce((best, column) => (size(column) > size(best) ? column : best));
  return { key: first.key, up: !first.higher_is_better };
}

function sorted(table, rows, { key, up }) {
  const name = (row) => nameOf(row.model).toLowerCase();
  if (key === "model") return [...rows].sort((a, b) => name(a).localeCompare(name(b)) * (up ? 1 : -1));
  const number = (row) => (row.values[key] ? row.values[key][0] : null);
  const below = (row) => (number(row) === null ? 2 : Number(row.claimed.includes(key)));
  // Rows without a number stay below, and above them those with a claimed one, whichever way the rest goes.
  return [...rows].sort((a, b) => below(a) - below(b) || (number(a) - number(b)) * (up ? 1 : -1) || 0);
}

function settingLine(table) {
  const { corpus, config, split, revision, languages, prompt, chat_template: template, limit, task_version: version,
    customer, audit, audit_page: page } = table.setting;
  const parts = [`${corpus}${revision ? ` @ ${revision.slice(0, 12)}` : ""}`, `${config}/${split}`, languages.join(" + ")];
  if (prompt) parts.push(`${prompt} prompt${template === null ? "" : template ? ", chat template" : ", no chat template"}`);
  parts.push(`task version ${version}`);
  if (limit !== null && limit !== undefined) parts.push(`limited to ${count(limit)} documents`);
  if (customer) parts.push(`customer ${customer}: ${audit}`);
  return h("p", { class: "setting" }, parts.join(" · "), page && " · ", page && h("a", { href: page }, "The audit of the customer"));
}

// context: what the button shows instead of the column's name, which stands above it then.
function sortButton(table, key, label, sorting, title, context) {
  const active = sorting.key === key;
  const column = columnOf(table, key);
  const bestFirst = key === "model" ? "up" : column.higher_is_better ? "down" : "up";
  const next = active ? (sorting.up ? "down" : "up") : bestFirst;
  const press = () => {
    set({ sort: `${table.id} ${key} ${next}` });
    announce(`${table.title}: sorted by ${label}, ${next === "up" ? "ascending" : "descending"}`);
  };
  return h("button", { type: "button", class: "sort", "data-key": `sort ${table.id} ${key}`, title, onclick: press },
    h("span", {}, column?.rater && h("span", { class: "unseen" }, `${column.rater}: `),
      context ? [h("span", { class: "unseen" }, `${label}: `), context] : column ? shortLabel(column) : label),
    h("span", { class: "arrow", "aria-hidden": "true" }, active ? (sorting.up ? "↑" : "↓") : ""));
}

function headerRows(table, columns, sorting) {
  const ariaSort = (key) => (sorting.key === key ? (sorting.up ? "ascending" : "descending") : "none");
  const groups = headingsOf(columns);
  const raters = columns.some((column) => column.rater) ? runsOf(columns, (column) => `${column.task} ${column.rater} ${column.audits}`) : [];
  const rows = raters.length ? 3 : 2;
  return h("thead", {},
    h("tr", {},
      h("th", { rowspan: rows, scope: "col", class: "name", "aria-sort": ariaSort("model") }, sortButton(table, "model", "Model", sorting)),
      groups.map(([heading, task, span]) => h("th", { colspan: span, scope: "colgroup", class: "group" }, heading,
        task && [" ", h("small", {}, task)]))),
    raters.length > 0 && h("tr", {}, raters.map(([first, span]) => {
      const edge = edgeOf(columns, columns.indexOf(first));
      if (!first.rater) return h("td", { colspan: span, class: edge });
      return h("th", { colspan: span, scope: "colgroup", class: `rater ${edge || ""}` }, first.rater,
        first.audits ? small("fact audit") : first.afterwards ? small("labelled afterwards") : [first.whole && small("whole conversations"), believed(first)]);
    })),
    h("tr", {}, columns.map((column, i) => h("th", {
      scope: "col", "aria-sort": ariaSort(column.key), class: edgeOf(columns, i),
    }, sortButton(table, column.key, column.label, sorting, column.signature, i < leadingOf(columns) && column.group)))));
}

// How many columns at the front are the first metric in one context after the other; 0 where there is only one.
function leadingOf(columns) {
  const other = columns.findIndex((column) => column.metric !== columns[0].metric || column.language !== columns[0].language);
  const size = other < 0 ? columns.length : other;
  return size > 1 ? size : 0;
}

// [heading, task, how many columns]: the first metric over its contexts, the rest by task.
function headingsOf(columns) {
  const size = leadingOf(columns);
  const rest = runsOf(columns.slice(size), (column) => column.task).map(([first, span]) => [first.group || first.task, first.task, span]);
  return size ? [[columns[0].label, "", size], ...rest] : rest;
}

// A line to the left of the first column under each heading but the first.
function edgeOf(columns, i) {
  const size = leadingOf(columns);
  return i && i >= size && (i === size || columns[i - 1].task !== columns[i].task) ? "edge" : null;
}

// Neighbours of one kind: [[the first of them, how many], ...].
function runsOf(columns, kind) {
  return columns.reduce((found, column) => {
    const last = found.at(-1);
    if (last && kind(last[0]) === kind(column)) last[1] += 1;
    else found.push([column, 1]);
    return found;
  }, []);
}

const shortLabel = (column) => (column.rater ? column.label.slice(column.rater.length + 2) : column.label);

// Beside what judges and people say stands how far they can be believed.
function believed(column) {
  return column.rater && reliability && h("a", {
    class: "believed", href: link(["reliability"]), title: reliability, "data-key": `believed ${column.key}`,
    "aria-label": `How reliable? ${column.rater}`,
  }, "how reliable?");
}

// How far the numbers of a row can be trusted.
const TRUST = {
  "re-scored": "all computed again here from the raw replies",
  partly: "some computed again here from the raw replies, some claimed",
  claimed: "handed in, and not computed again here: not ranked",
};
function trustBadge(badge) {
  const [trust, contradicted] = badge.split(", ");
  const title = contradicted ? `${TRUST[trust]}; its files claim what does not hold, see below` : TRUST[trust];
  return h("span", { class: `trust ${badge.replace(",", "")}`, title }, badge);
}

function statements(lines) {
  return lines.length > 0 && h("details", { class: "footnotes wrong" }, h("summary", {}, `Statements that do not hold (${lines.length})`),
    h("ul", {}, lines.map((line) => h("li", {}, line))));
}

// The name, and below it what else a reader must know of the row.
function nameCell(model, trust) {
  const notes = [model.kind === "adapter" && model.base_name && `adapter on ${model.base_name}`, model.kind === "baseline" && "baseline"];
  const name = h("a", { href: link(["model", model.slug]), "data-key": `row ${model.slug}` }, breakable(nameOf(model.slug)));
  return h("th", { scope: "row", class: "name" }, name, " ", trustBadge(trust), notes.filter(Boolean).map(small));
}

function numberCell(table, row, column, extent, edge) {
  const value = read(row.values[column.key]);
  if (!value || value.value === null) return h("td", { class: edge }, h("span", { class: "number none" }, value ? UNDEFINED : NONE));
  const rank = table.best[column.key] === row.model ? "best" : table.second[column.key] === row.model ? "second" : "";
  return h("td", { class: edge, title: explained(value, column) }, h("span", { class: `number ${rank}` }, shown(value.value, column)),
    isClaimed(row, column) && h("span", { class: "claimed", title: TRUST.claimed }, "†"),
    value.low !== null && h("span", { class: "unseen" }, ` (${intervalText(value, column)})`), !isClaimed(row, column) && bar(value, extent),
    row.spreads[column.key] && h("small", { class: "spread" }, spreadText(row.spreads[column.key], column)));
}

// What one rater reaches against the others.
function ceilingCell(ceiling, column, extent, edge) {
  const value = read(ceiling.values[column.key]);
  if (!value || value.value === null) return h("td", { class: edge }, h("span", { class: "number none" }, NONE));
  return h("td", { class: edge, title: explained(value, column) }, h("span", { class: "number" }, shown(value.value, column)),
    !ceiling.proven && h("span", { class: "claimed", title: TRUST.claimed }, "†"),
    value.low !== null && h("span", { class: "unseen" }, ` (${intervalText(value, column)})`), bar(value, extent));
}

function boardTable(table, columns, rows) {
  const sorting = sortingOf(table, columns);
  const edges = columns.map((_, i) => edgeOf(columns, i));
  // Reference and generated context of one metric share a scale, so that their bars can be compared.
  const alike = (column) => table.columns.filter((one) => one.metric === column.metric && one.language === column.language);
  const extents = columns.map((column) => extentOf(alike(column).flatMap((one) => [
    ...table.rows.map((row) => !isClaimed(row, one) && read(row.values[one.key])), table.ceiling && read(table.ceiling.values[one.key])])));
  const body = sorted(table, rows, sorting).map((row) => h("tr", { "data-model": row.model, class: modelOf(row.model).kind },
    nameCell(modelOf(row.model), row.trust), columns.map((column, i) => numberCell(table, row, column, extents[i], edges[i]))));
  const ceiling = table.ceiling && !setting("group") && h("tr", { class: "ceiling" },
    h("th", { scope: "row", class: "name" }, "One rater against the others", small("ceiling")),
    columns.map((column, i) => ceilingCell(table.ceiling, column, extents[i], edges[i])));
  const reported = setting("group") ? [] : table.reported.filter((row) => columns.some((column) => column.key in row.values));
  const apart = reported.map((row) => h("tr", { class: "reported" },
    h("th", { scope: "row", class: "name" }, row.name, h("small", {}, [row.size, row.tuned_on, row.source].filter(Boolean).join(", "))),
    columns.map((column, i) => h("td", { class: edges[i] }, h("span", { class: "number" }, shown(row.values[column.key], column))))));
  const heading = h("th", { colspan: columns.length + 1, scope: "rowgroup" },
    h("span", {}, "Reported in a paper: not measured here, not ranked"));
  return scroller(`${table.title}: all rows`, h("table", { class: "board", id: `table-${table.id}` }, h("caption", { class: "unseen" }, table.title),
    headerRows(table, columns, sorting), h("tbody", {}, body), ceiling && h("tbody", {}, ceiling),
    apart.length > 0 && h("tbody", { class: "apart" }, h("tr", { class: "heading" }, heading), apart)));
}

// Who leads and by how much, and below it what else can and cannot be said.
function standing(table) {
  const [leader, ...others] = standings[table.id];
  return [h("p", { class: "leader" }, leader), others.length > 0 && h("ul", { class: "standing" }, others.map((text) => h("li", {}, text)))];
}

function tableSection(table) {
  const columns = visibleColumns(table);
  const rows = columns.length ? visibleRows(table, columns) : [];
  if (!rows.length) return null;
  const links = h("p", { class: "links" },
    compared.includes(table.id) && h("a", { href: link(["compare", table.id]) }, "Compare two models"),
    sampled.includes(table.id) && h("a", { href: link(["samples", table.id]) }, "Read conversations"));
  const said = table !== board.tables[0] && standing(table);
  return h("section", { class: "card", "aria-labelledby": `title-${table.id}` },
    h("div", { class: "title" }, h("div", {}, h("h2", { id: `title-${table.id}` }, table.title), settingLine(table)), links),
    said,
    boardTable(table, columns, rows),
    statements(wrong[table.id]),
    table.footnotes.length > 0 && h("details", { class: "footnotes" }, h("summary", {}, "How these numbers are made"),
      h("ul", {}, table.footnotes.map((note) => h("li", {}, note)))));
}

function overview() {
  const clear = () => set({ task: null, language: null, group: null, metrics: null, sort: null });
  const everything = h("button", { type: "button", onclick: clear }, "Show everything");
  const sections = board.tables.map(tableSection).filter(Boolean);
  const models = new Set(board.tables.flatMap((table) => table.rows.map((row) => row.model)));
  return h("div", {},
    h("h1", { tabindex: "-1" }, board.title),
    board.tables.length > 0 && standing(board.tables[0]),
    h("p", { class: "lead" }, `${models.size} models and baselines, newest run ${day(board.date)}. Every bar is a ${CONFIDENCE} over `
      + "conversations; bold is best and underlined second where the paired interval says so."),
    filters(),
    sections.length ? sections : h("p", { class: "notice" }, "Nothing fits these filters. ", everything),
    efficiencySection(),
    board.notes.length > 0 && h("details", { class: "footnotes" }, h("summary", {}, `Notes of the collection (${board.notes.length})`),
      h("ul", {}, board.notes.map((note) => h("li", {}, note)))),
    board.quarantine.length > 0 && h("section", { class: "card", id: "set-aside" }, h("h2", {}, `Set aside (${board.quarantine.length})`),
      h("p", {}, "These files cannot be used; nothing of them is in the tables."),
      h("ul", {}, board.quarantine.map((one) => h("li", {}, h("code", {}, one.file), `: ${one.reason}`)))));
}
