// Numbers and dates as text.

// Nothing was measured; something was, and has no value.
const NONE = "–", UNDEFINED = "N/A";
const CONFIDENCE = `${Math.round(board.confidence * 100)} % interval`;

function shown(number, column) {
  return number === null || number === undefined ? NONE : (number * column.scale).toFixed(column.digits).replace("-", "−");
}

function signed(number, column) {
  const text = shown(number, column);
  return number > 0 ? `+${text}` : text;
}

// A bound of a difference, as leaderboard/layout.py writes it: one beside 0 says on which side it lies.
function bound(number, column) {
  const scaled = Math.abs(number * column.scale);
  const digits = scaled > 1e-9 && !Number(scaled.toFixed(column.digits)) ? -Math.floor(Math.log10(scaled)) : column.digits;
  return signed(number, { ...column, digits });
}

// As leaderboard/layout.py has them.
const WITHOUT = {
  "few conversations": "too few conversations for an interval that holds",
  "one conversation": "a single conversation has no interval",
  "no variation": "nothing varies, and the metric has no bounds to reckon with",
  "sample unknown": "the items behind the number are not known here",
};

function intervalText(value, column) {
  if (value.low === null) return value.reason in WITHOUT ? `${UNDEFINED}: ${WITHOUT[value.reason]}` : NONE;
  return `${shown(value.low, column)} to ${shown(value.high, column)}`;
}

function explained(value, column) {
  const parts = [`${column.label || "value"} ${shown(value.value, column)}`];
  if (value.low !== null || value.reason in WITHOUT) parts.push(`${CONFIDENCE} ${intervalText(value, column)}`);
  return `${parts.join(", ")}; ${count(value.items)} items in ${count(value.clusters)} conversations`;
}

// How far the runs of a row are apart, as the tables have it (leaderboard/layout.py).
const spreadText = (spread, column) => spread && `×${spread.runs}, sd ${shown(spread.sd, column)}`;

const count = (number) => (number === null || number === undefined ? NONE : number.toLocaleString("en"));
const percent = (share, digits = 0) => (share === null || share === undefined ? NONE : `${(100 * share).toFixed(digits)} %`);
const day = (text) => text.slice(0, 10);

function probability(p) {
  if (p === null || p === undefined) return NONE;
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

function parameters(number) {
  if (!number) return null;
  return number >= 1e9 ? `${(number / 1e9).toFixed(1)} B parameters` : `${(number / 1e6).toFixed(1)} M parameters`;
}
