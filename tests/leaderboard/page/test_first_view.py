"""What is there at once: the tables without JavaScript, on a phone, at a desk; and what is loaded
when it is looked at, from beside the page.
"""

import json
import re

import pytest

from leaderboard import folder
from leaderboard.leading import statements
from leaderboard.page.render import render, write_page
from tests.leaderboard.page.test_page import HOSTILE, Elements
from tests.support import board_example as example
from tests.support.browser import PHONE, follow, opened

LEADER, *OTHERS = statements(example.example_board().tables[0], example.example_board().models)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return write_page(example.write_example(tmp_path_factory.mktemp("first") / "board"))


@pytest.fixture
def split_page(tmp_path):
    """The page with everything beside it that can be."""
    root = example.write_example(tmp_path / "board")
    page = render(root, first_view=0)
    for name, text in page.beside.items():
        folder.replace_file(root / name, text)
    return folder.replace_file(root / "index.html", page.text)


def wide(board, count):
    """The example's table with more columns than any screen holds."""
    table = board.tables[0]
    more = tuple(
        table.columns[0].model_copy(
            update={"key": f"csc_conv_ref/m{i}", "metric": f"m{i}", "label": f"Metric number {i}"}
        )
        for i in range(count)
    )
    changed = table.model_copy(update={"columns": (*table.columns, *more)})
    return board.model_copy(update={"tables": (changed,)})


@pytest.mark.xdist_group("page")
def test_without_javascript_the_tables_are_there(page_file):
    with opened(page_file, scripts=False) as (page, complaints):
        assert page.locator("main .leader").all_inner_texts() == [LEADER]
        assert page.locator("main .standing li").all_inner_texts() == OTHERS
        rows = page.locator("#table-conversations tbody tr")
        texts = [text.split("\n") for text in rows.all_inner_texts()]
        cells = [[part.strip() for part in " ".join(text).split("\t")] for text in texts]
        assert [" ".join(row[0].split()) for row in cells] == [
            "org/base-7b re-scored",
            "org/base-7b-rolecs re-scored adapter on org/base-7b",
            f"{HOSTILE} re-scored",
            "baseline/bigram re-scored baseline",
            "Reported in a paper: not measured here, not ranked",
            "GPT-4o",
        ]
        assert [" ".join(part.split()) for part in cells[1][1:]] == [
            "57.0 ± 4.0",
            "46.0 ± 4.0",
            "9.10 ± 0.04",
            "7.70 ± 0.04",
        ]
        assert page.locator("tr.adapter .best").inner_text() == "57.0"
        assert "switched off" in page.locator("main .notice").inner_text()
        assert not page.locator("#theme").is_visible()
        page.get_by_text("How these numbers are made").click()
        assert page.get_by_text("strategy_acc|labels:12|unparsed:wrong").is_visible()
    assert complaints == []


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("scripts", [False, True])
def test_on_a_phone_tables_scroll_in_their_own_box(tmp_path, scripts):
    """The page itself never sideways; the box can be scrolled, by keyboard too, and shows that."""
    root = example.write_example(tmp_path / "board")
    folder.replace_file(root / "board.json", folder.dumped(wide(example.example_board(), 12)))
    with opened(write_page(root), size=PHONE, scripts=scripts) as (page, complaints):
        box = page.locator(".scroller").first
        sizes = box.bounding_box()
        assert sizes["x"] >= 0 and sizes["x"] + sizes["width"] <= PHONE[0]
        assert page.locator("#table-conversations").bounding_box()["width"] > 1000
        assert box.get_attribute("tabindex") == "0" and box.get_attribute("role") == "region"
        if scripts:
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            # Both contexts of what the benchmark is about are within the screen.
            head = page.locator("#table-conversations thead tr:last-child th").nth(1)
            assert head.bounding_box()["x"] + 60 < PHONE[0]
    assert complaints == []


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("scripts", [False, True])
def test_who_leads_stands_apart_from_what_cannot_be_said(page_file, scripts):
    """The first thing below the title is one short sentence, heavier than the list below it; a
    phone shows all of it without scrolling.
    """
    with opened(page_file, size=PHONE, scripts=scripts) as (page, complaints):
        leader, listed = page.locator(".leader").first, page.locator(".standing").first
        assert "\N{NO-BREAK SPACE}%" in leader.inner_text() and ";" not in leader.inner_text()
        assert listed.locator("li").all_inner_texts() == OTHERS and OTHERS
        weigh = "element => Number(getComputedStyle(element).fontWeight)"
        assert leader.evaluate(weigh) > listed.evaluate(weigh)
        place = listed.bounding_box()
        assert place["y"] + place["height"] < PHONE[1]
    assert complaints == []


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("scripts", [False, True])
def test_a_long_name_breaks_at_its_slash_before_within_a_word(tmp_path, scripts):
    root = example.write_example(tmp_path / "board")
    board = example.example_board()
    name = "organisation/instructedly"  # each half fits the column of a phone, both do not
    models = board.models | {
        example.BASE: board.models[example.BASE].model_copy(update={"name": name})
    }
    folder.replace_file(
        root / "board.json", folder.dumped(board.model_copy(update={"models": models}))
    )
    with opened(write_page(root), size=PHONE, scripts=scripts) as (page, _):
        lines = page.evaluate(
            """name => {
              const cell = document.querySelector(`tr[data-model="${name}"] .name`);
              const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
              const found = [];
              while (walk.nextNode()) for (const letter of walk.currentNode.data.split("").keys()) {
                const range = document.createRange();
                range.setStart(walk.currentNode, letter);
                range.setEnd(walk.currentNode, letter + 1);
                const top = Math.round(range.getBoundingClientRect().top);
                const text = walk.currentNode.data[letter];
                if (found.length && found.at(-1)[0] === top) found.at(-1)[1] += text;
                else found.push([top, text]);
              }
              return found.map(([, text]) => text.trim());
            }""",
            example.BASE,
        )
    assert lines[:2] == ["organisation/", "instructedly"]


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("view", ["#/compare/conversations", f"#/model/{example.BASE}"])
def test_a_phone_shows_the_interval_beside_the_number(page_file, view):
    """Without scrolling sideways, on the narrowest phone that is common."""
    with opened(page_file, size=(375, 812)) as (page, complaints):
        page.evaluate("view => { location.hash = view; }", view)
        heading = page.get_by_role("columnheader", name="95 % interval").first
        heading.wait_for()
        place = heading.bounding_box()
        assert place["x"] > 0 and place["x"] + place["width"] <= 375 - 24
        row = page.locator(".plain tbody tr").first
        assert " to " in row.inner_text()
    assert complaints == []


def edge(page, side):
    """The darkest pixel of the middle row within 10 pixels of an edge of the table's box."""
    import io

    from PIL import Image

    shot = Image.open(io.BytesIO(page.locator(".scroller").first.screenshot())).convert("L")
    columns = range(10) if side == "left" else range(shot.width - 10, shot.width)
    return min(shot.getpixel((x, shot.height - 4)) for x in columns)


@pytest.mark.xdist_group("page")
def test_what_is_cut_off_at_a_desk_is_shaded(tmp_path, page_file):
    root = example.write_example(tmp_path / "board")
    folder.replace_file(root / "board.json", folder.dumped(wide(example.example_board(), 12)))
    with opened(write_page(root), size=(1400, 900)) as (page, complaints):
        box = page.locator(".scroller").first
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        assert edge(page, "right") < 225
        # At the end there is nothing more to come.
        box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
        assert edge(page, "right") > 245
    with opened(page_file, size=(1400, 900)) as (page, others):
        assert page.locator(".scroller").first.evaluate("box => box.scrollWidth <= box.clientWidth")
        assert edge(page, "right") > 245
    assert complaints == others == []


def test_a_small_board_is_one_file(page_file):
    assert not (page_file.parent / "page").exists()
    assert "strict-dynamic" not in page_file.read_text(encoding="utf-8")


def test_what_lies_beside_is_one_call_with_one_string(split_page):
    names = sorted(file.name for file in (split_page.parent / "page").iterdir())
    slugs = (example.BASE, example.ADAPTER, example.AWKWARD, example.BIGRAM)
    assert names == sorted(
        [
            "comparisons-conversations.js",
            "sample-conversations.js",
            *(f"contrasts-{slug}.js" for slug in slugs[:2]),
            *(f"report-{slug}.js" for slug in slugs),
        ]
    )
    for name in names:
        text = (split_page.parent / "page" / name).read_text(encoding="utf-8")
        call = re.fullmatch(r"cscBlock\('([\w.-]+)', '((?:[^'\\\n]|\\['\\])*)'\);\n", text)
        assert call and call[1] == name.removesuffix(".js")
        data = json.loads(call[2].replace("\\'", "'").replace("\\\\", "\\"))
        assert data and not re.search("[<>&\u2028\u2029]", text)
    found = Elements(split_page.read_text(encoding="utf-8"))
    assert set(found.scripts) == {"", "data-board"}
    policy = next(
        attributes["content"] for tag, attributes in found.tags if "http-equiv" in attributes
    )
    assert re.search("script-src 'sha256-[^']+' 'strict-dynamic';", policy)


def test_quotes_and_backslashes_stay_what_they_are(tmp_path):
    root = example.write_example(tmp_path / "board")
    sample = example.example_samples()["conversations"]
    text = "it's \\' </script> \\\\ \u2028 \"x\"\n"
    first = sample.conversations[0].model_copy(update={"conversation_id": text})
    changed = sample.model_copy(update={"conversations": (first,)})
    folder.replace_file(root / "samples" / "conversations.json", folder.dumped(changed))
    script = render(root, first_view=0).beside["page/sample-conversations.js"]
    quoted = re.fullmatch(r"cscBlock\('sample-conversations', '(.*)'\);\n", script, re.DOTALL)[1]
    data = json.loads(re.sub(r"\\(['\\])", r"\1", quoted))
    assert data["conversations"][0]["conversation_id"] == text


@pytest.mark.xdist_group("page")
def test_details_are_loaded_when_they_are_looked_at(split_page):
    """From a disk, where a browser lets a page read no files."""
    with opened(split_page) as (page, complaints):
        asked = []
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        assert page.locator("#table-conversations tbody tr").count() == 6 and asked == []
        follow(page, page.get_by_role("link", name=HOSTILE).click)
        page.get_by_role("heading", name="Confusion of strategies").wait_for()
        assert asked == [f"report-{example.AWKWARD}.js"]
        follow(page, page.get_by_role("navigation").get_by_role("link", name="Compare").click)
        page.get_by_label("First").select_option(example.BIGRAM)
        page.get_by_label("Second").select_option(example.BASE)
        row = page.locator(".scroller tbody tr").first.inner_text()
        assert "+5.0" in row and "+0.8 to +9.2" in row and "0.090" in row
        page.evaluate("location.hash = '#/samples/conversations'")
        page.get_by_text("I told you: </script><!-- twice!").wait_for()
        # What was loaded is not asked for again.
        page.evaluate(f"location.hash = '#/model/{example.AWKWARD}'")
        page.get_by_role("heading", name="Confusion of strategies").wait_for()
        assert asked[1:] == ["comparisons-conversations.js", "sample-conversations.js"]
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_a_page_that_was_moved_alone_says_what_it_lacks(split_page):
    alone = split_page.rename(split_page.parent.parent / "index.html")
    with opened(alone) as (page, complaints):
        assert page.locator(".leader").first.inner_text() == LEADER
        page.evaluate(f"location.hash = '#/model/{example.BASE}'")
        page.get_by_text(f"page/report-{example.BASE}.js is not there").wait_for()
    assert all("ERR_FILE_NOT_FOUND" in one for one in complaints)


@pytest.mark.xdist_group("page")
def test_a_script_that_stands_in_the_page_still_does_not_run(split_page):
    """The policy trusts what the page's own script adds, and nothing that a text put there."""
    text = split_page.read_text(encoding="utf-8")
    evil = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
    split_page.write_text(text.replace("</main>", f"{evil}</main>"), encoding="utf-8")
    with opened(split_page) as (page, complaints):
        page.wait_for_function("document.documentElement.dataset.shown === ''")
        assert page.title() == "Customer-support conversation leaderboard"
    assert any("Content Security Policy" in one for one in complaints)


def test_what_an_earlier_page_left_beside_goes(split_page):
    stale = folder.replace_file(split_page.parent / "page" / "report-gone.js", "old")
    page = write_page(split_page.parent)
    assert not stale.exists() and not (page.parent / "page").exists()


def test_details_go_beside_the_page_where_it_would_be_too_large(tmp_path):
    root = example.write_example(tmp_path / "board")
    whole = render(root)
    size = len(whole.text.encode())
    assert whole.beside == {} and render(root, first_view=size).beside == {}
    split = render(root, first_view=size - 1000)
    assert len(split.beside) == 8
    details = sum(len(text.encode()) for text in split.beside.values())
    assert len(split.text.encode()) < size - 0.9 * details


def test_a_board_without_tables_has_a_page(tmp_path):
    root = example.write_example(tmp_path / "board")
    empty = example.example_board().model_copy(update={"tables": ()})
    folder.replace_file(root / "board.json", folder.dumped(empty))
    assert 'class="leader"' not in render(root).text
