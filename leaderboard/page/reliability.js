// How far the ratings can be believed: the report of csc agreement, which stands in the page as HTML, made into cards.

function reliabilityView() {
  if (!reliability) return missing("There is no report on the ratings of this board.");
  const content = document.getElementById("reliability").content.cloneNode(true);
  for (const section of content.querySelectorAll("section")) {
    const table = section.querySelector("table");
    const frame = scroller(section.querySelector("h2").textContent, []);
    section.className = "card";
    table.className = "plain";
    table.replaceWith(frame);
    frame.append(table);
  }
  return h("div", { class: "reliability" }, h("h1", { tabindex: "-1" }, reliability), content);
}
