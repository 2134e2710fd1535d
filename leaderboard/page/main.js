// Which view the address asks for, drawing it, and light or dark.

const VIEWS = { "": overview, model: modelView, compare: compareView, samples: samplesView, reliability: reliabilityView };
// The blocks that a view needs and that may not be loaded yet.
const NEEDS = {
  model: ([slug]) => [`contrasts-${slug}`, `report-${slug}`],
  compare: ([id]) => (comparedTable(id) ? [`comparisons-${comparedTable(id).id}`] : []),
  samples: ([id]) => (sampledTable(id) ? [`sample-${sampledTable(id).id}`] : []),
};
const THEMES = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" };

function missing(text) {
  return h("div", {}, h("h1", { tabindex: "-1" }, "Not here"),
    h("p", { class: "notice" }, text, " ", h("a", { href: "#/" }, "Back to the tables")));
}

// The view, or what says that it is on its way or cannot be had.
function viewOf(name, rest) {
  if (!Object.hasOwn(VIEWS, name)) return missing("There is no such page.");
  const needed = Object.hasOwn(NEEDS, name) ? NEEDS[name](rest) : [];
  const awaited = needed.filter((id) => block(id) === undefined);
  if (awaited.length) {
    const address = location.hash;
    Promise.all(awaited.map(load)).then(() => { if (location.hash === address) draw(); });
    return h("div", {}, h("h1", { tabindex: "-1" }, "Loading"), h("p", { class: "notice" }, "The numbers are being read."));
  }
  const gone = needed.filter((id) => lost.has(beside[id])).map((id) => beside[id]);
  if (gone.length) return missing(`${gone.join(", ")} is not there. It belongs beside this page: move or copy the whole folder.`);
  return VIEWS[name](rest);
}

function draw() {
  const focused = document.activeElement?.dataset?.key;
  const scrolled = new Map([...document.querySelectorAll(".scroller")].map((one) => [one.dataset.key, one.scrollLeft]));
  const [name = "", ...rest] = route.path;
  const view = viewOf(name, rest);
  document.getElementById("main").replaceChildren(view);
  document.title = name ? `${view.querySelector("h1").textContent} · ${board.title}` : board.title;
  for (const element of document.querySelectorAll(".scroller")) element.scrollLeft = scrolled.get(element.dataset.key) || 0;
  for (const element of document.querySelectorAll("#nav a")) {
    if (element.dataset.view === name) element.setAttribute("aria-current", "page");
    else element.removeAttribute("aria-current");
  }
  // A control that was used keeps the focus although it was drawn anew.
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  // For whoever waits until a view is there.
  document.documentElement.dataset.shown = location.hash;
}

function navigate() {
  readRoute();
  draw();
  window.scrollTo(0, 0);
  document.querySelector("h1").focus({ preventScroll: true });
}

function wear(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.hidden = false;
  button.textContent = THEMES[theme];
  button.setAttribute("aria-label", `Colours: ${THEMES[theme].slice(2)}. Change`);
}

// Some browsers refuse storage to a file that was opened from disk.
function remembered() {
  try {
    const theme = localStorage.getItem("csc-theme");
    return Object.hasOwn(THEMES, theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function start() {
  let theme = remembered();
  wear(theme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme];
    wear(theme);
    try {
      localStorage.setItem("csc-theme", theme);
    } catch { /* it lasts until the page is closed */ }
  });
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  const views = [["", "Tables", []], compared.length > 0 && ["compare", "Compare", ["compare"]],
    sampled.length > 0 && ["samples", "Conversations", ["samples"]],
    reliability && ["reliability", "Reliability", ["reliability"]]].filter(Boolean);
  document.getElementById("nav").append(...views.map(([view, text, path]) => h("a", { href: link(path), "data-view": view }, text)));
  window.addEventListener("hashchange", navigate);
  readRoute();
  draw();
}

start();
