// Where the reader is stands in the address after #: a path and settings, so that every view can be linked to and Back works.

const route = { path: [], settings: new URLSearchParams() };

// Also what nobody meant as an address of this page: a stray % stays as it is.
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

function readRoute() {
  const [path, settings] = location.hash.replace(/^#\/?/, "").split("?");
  route.path = path.split("/").filter(Boolean).map(decoded);
  route.settings = new URLSearchParams(settings || "");
}

function link(path, settings = {}) {
  const kept = Object.entries(settings).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

const setting = (name, fallback = "") => route.settings.get(name) ?? fallback;

// Change settings of this view without a new entry in the history.
function set(changes) {
  const settings = { ...Object.fromEntries(route.settings), ...changes };
  history.replaceState(null, "", link(route.path, settings));
  readRoute();
  draw();
}
