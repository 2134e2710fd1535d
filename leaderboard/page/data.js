// What render.py put into the page or beside it: one block for the board, one per model, sample and table of comparisons, each read when it
// is first needed.

const blocks = new Map(), loading = new Map(), lost = new Set();
let beside = {};

// null for a block that there is not; undefined for one beside the page that has not been loaded.
function block(id) {
  if (!blocks.has(id)) {
    const element = document.getElementById(id);
    if (!element && Object.hasOwn(beside, id)) return undefined;
    blocks.set(id, element ? JSON.parse(element.textContent) : null);
  }
  return blocks.get(id);
}

// Each script beside the page calls this with its block. Scripts load from a disk as well, where a browser refuses to fetch a file.
globalThis.cscBlock = (id, text) => blocks.set(id, JSON.parse(text));

// A promise of the block. One whose script is not there becomes null, and its name stands in `lost`.
function load(id) {
  if (block(id) !== undefined) return Promise.resolve();
  if (!loading.has(id)) {
    loading.set(id, new Promise((resolve) => {
      const script = document.createElement("script");
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => { lost.add(beside[id]); blocks.set(id, null); resolve(); });
      script.src = beside[id];
      document.head.append(script);
    }));
  }
  return loading.get(id);
}

const { board, judged, names, standings, wrong, strategies, languages, compared, sampled, reliability } = block("data-board");
beside = block("data-board").beside;
const reportOf = (slug) => block(`report-${slug}`);
const contrastsOf = (slug) => block(`contrasts-${slug}`) || [];
const samplesOf = (table) => block(`sample-${table}`);
const comparisonsOf = (table) => block(`comparisons-${table}`) || {};
const tableOf = (id) => board.tables.find((table) => table.id === id);
const modelOf = (slug) => board.models[slug];
// Two rows of one name are called by their settings too.
const nameOf = (slug) => names[slug];
// Whether nobody here computed a row's number of a column: it is shown, and neither ranked nor marked.
const isClaimed = (row, column) => row.claimed.includes(column.key);
const columnOf = (table, key) => table.columns.find((column) => column.key === key);

// A number with its interval arrives as [value, low, high, standard error, items, clusters, method, reason].
const read = (packed) => packed && {
  value: packed[0], low: packed[1], high: packed[2], stderr: packed[3], items: packed[4], clusters: packed[5], method: packed[6],
  reason: packed[7],
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
