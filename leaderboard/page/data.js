// What render.py put into the page: one block for the board, one per model and one per sample, each read when it is first needed.

const blocks = new Map();

function block(id) {
  if (!blocks.has(id)) {
    const element = document.getElementById(id);
    blocks.set(id, element ? JSON.parse(element.textContent) : null);
  }
  return blocks.get(id);
}

const { board, strategies, languages, sampled, reliability } = block("data-board");
const reportOf = (slug) => block(`report-${slug}`);
const samplesOf = (table) => block(`sample-${table}`);
const tableOf = (id) => board.tables.find((table) => table.id === id);
const modelOf = (slug) => board.models[slug];
const columnOf = (table, key) => table.columns.find((column) => column.key === key);

// A number with its interval arrives as [value, low, high, standard error, items, clusters, method].
const read = (packed) => packed && {
  value: packed[0], low: packed[1], high: packed[2], stderr: packed[3], items: packed[4], clusters: packed[5], method: packed[6],
};

const languageName = (code) => languages[code] || code;
const strategyName = (id) => (strategies.find((one) => one.id === id) || { en: id }).en;

// How a metric is shown outside the tables: as the first column that measures it is.
const SHARES = { label: "", scale: 100, digits: 1, higher_is_better: true };

function shownAs(metric, tableId) {
  const columns = (tableOf(tableId) || { columns: [] }).columns.concat(board.tables.flatMap((table) => table.columns));
  return columns.find((column) => column.key.endsWith(`/${metric}`)) || columns.find((column) => column.metric === metric)
    || { ...SHARES, label: metric.replaceAll("_", " ") };
}

// The tasks of a table in the order of its columns.
const tasksOf = (table) => [...new Set(table.columns.map((column) => column.task))];

function taskName(table, task) {
  const column = table && table.columns.find((one) => one.task === task);
  return column && column.group ? column.group : task;
}
