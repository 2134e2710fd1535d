"""axe-core finds nothing in any view, light or dark, wide or narrow; and what axe does not look at:
the bars of baselines can be seen.
"""

import pytest

from leaderboard import folder
from leaderboard.page.render import write_page
from tests.leaderboard.page.test_page import REPORT
from tests.support import board_example as example
from tests.support.browser import DESKTOP, PHONE, opened

VIEWS = (
    "#/",
    "#/?metrics=all",
    "#/?group=adapter&task=csc_conv_gen&metrics=ratings",
    f"#/model/{example.ADAPTER}",
    "#/compare/conversations",
    "#/samples/conversations",
    "#/reliability",
    "#/nowhere",
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    root = example.write_example(tmp_path_factory.mktemp("axe") / "board")
    folder.replace_file(root / folder.RELIABILITY, folder.dumped(REPORT))
    return write_page(root)


def violations(page):
    """What axe-core objects to: the rule, and where."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, False), (DESKTOP, True), (PHONE, False)], ids=str
)
def test_axe_finds_nothing(page_file, size, dark):
    with opened(page_file, size=size, dark=dark) as (page, complaints):
        for view in VIEWS:
            page.evaluate("view => { location.hash = view; }", view)
            page.wait_for_function(
                "view => document.documentElement.dataset.shown === view", arg=view
            )
            # What is folded away is looked at as well.
            page.evaluate(
                "document.querySelectorAll('details').forEach(one => { one.open = true })"
            )
            assert violations(page) == [], view
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_axe_finds_nothing_without_the_pages_script(page_file, tmp_path):
    """Axe is a script itself, so the page's own is taken out: render.py wrote what is left."""
    text = page_file.read_text(encoding="utf-8")
    bare = tmp_path / "index.html"
    bare.write_text(text[: text.rindex("<script>")] + "</body></html>", encoding="utf-8")
    with opened(bare) as (page, complaints):
        assert page.locator("#table-conversations tbody tr").count() == 6
        assert violations(page) == []
    assert complaints == []


FOCUSED = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const style = getComputedStyle(document.activeElement);
  return {
    seen: box.width > 0 && box.top >= 0 && box.bottom <= innerHeight,
    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    name: document.activeElement.getAttribute("aria-label") || document.activeElement.innerText,
    tag: document.activeElement.tagName,
  };
}"""


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=str)
def test_the_keyboard_alone_is_enough(page_file, size):
    """The first key leads to a link past the menu; whatever has the focus is on the screen and
    marked, in the order in which it is read, up to the rows' names.
    """
    with opened(page_file, size=size) as (page, complaints):
        seen = []
        for _ in range(30):
            page.keyboard.press("Tab")
            seen.append(page.evaluate(FOCUSED))
            assert seen[-1]["seen"] and seen[-1]["marked"], seen[-1]
            if seen[-1]["name"] == "org/base-7b":
                break
        names = [one["name"] for one in seen]
        assert names[:3] == ["Skip to the content", "csc-tasks", "Tables"], names
        assert names[-1] == "org/base-7b" and seen[-1]["tag"] == "A"
        assert [one["tag"] for one in seen].count("SELECT") == 4
        page.keyboard.press("Enter")
        page.get_by_role("heading", level=1, name="org/base-7b").wait_for()
        # Past the menu: what comes next is in the content.
        page.locator("#skip").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_what_is_read_aloud_of_a_table(page_file):
    """A heading and the name of its task are two words, and a cell says its interval, which is only
    drawn.
    """
    with opened(page_file) as (page, _):
        page.evaluate("location.hash = '#/?metrics=all'")
        page.wait_for_function("document.documentElement.dataset.shown === '#/?metrics=all'")
        table = page.get_by_role("table", name="Conversations")
        heading = table.get_by_role("columnheader", name="Generated context csc_conv_gen")
        assert heading.count() == 1
        row = table.get_by_role("row", name="org/base-7b-rolecs")
        assert (
            row.get_by_role("cell").first.inner_text().replace("\n", " ") == "57.0 (53.0 to 61.0)"
        )
        assert row.get_by_role("rowheader").count() == 1


CONTRAST = """([front, behind]) => {
  const light = (color) => {
    const probe = new OffscreenCanvas(1, 1).getContext("2d");
    probe.fillStyle = color;
    probe.fillRect(0, 0, 1, 1);
    const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const color = (selector) => getComputedStyle(document.querySelector(selector)).backgroundColor;
  const [one, other] = [light(color(front)), light(color(behind))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("dark", [False, True])
def test_bars_stand_out_from_the_card(page_file, dark):
    """3 to 1, as WCAG 1.4.11 asks of graphics; models' and baselines', value and interval."""
    with opened(page_file, dark=dark) as (page, _):
        for kind in ("model", "baseline"):
            for part in ("mark", "range"):
                bar = f"tr.{kind} .bar .{part}"
                assert page.evaluate(CONTRAST, [bar, ".card"]) >= 3, (kind, part)
