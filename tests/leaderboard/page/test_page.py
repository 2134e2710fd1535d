"""board/index.html: nothing in a name or text becomes markup, and what a reader does in a browser
(sort, filter, open, read) works.
"""

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from csc_tasks.errors import DataError
from leaderboard import folder
from leaderboard.columns import column
from leaderboard.page.render import compact, render, safe_json, write_page
from leaderboard.reliability_report import Report, Section
from tests.support import board_example as example
from tests.support.browser import PHONE, follow, opened, reload_until

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of the board made by hand."""
    root = example.write_example(tmp_path_factory.mktemp("page") / "board")
    sample = example.example_samples()["conversations"]
    other = sample.conversations[0].model_copy(
        update={"conversation_id": "c2", "language": "zh", "topic": "产品咨询"}
    )
    sample = sample.model_copy(update={"conversations": (*sample.conversations, other)})
    folder.replace_file(root / "samples" / "conversations.json", folder.dumped(sample))
    return write_page(root)


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of every script by its id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._inside = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id", "") if tag == "script" else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside is not None:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


def test_names_and_texts_cannot_end_their_block(page_file):
    text = page_file.read_text(encoding="utf-8")
    found = Elements(text)
    reports = {
        f"report-{slug}"
        for slug in (example.BASE, example.ADAPTER, example.AWKWARD, example.BIGRAM)
    }
    contrasts = {f"contrasts-{slug}" for slug in (example.BASE, example.ADAPTER)}
    details = {"comparisons-conversations", "sample-conversations", *contrasts, *reports}
    assert set(found.scripts) == {"data-board", "", *details}
    for name, body in found.scripts.items():
        if name:
            assert not re.search("[<>&]", body)
            json.loads(body)
    board = json.loads(found.scripts["data-board"])["board"]
    assert board["models"][example.AWKWARD]["name"] == HOSTILE
    sample = json.loads(found.scripts["sample-conversations"])
    assert sample["conversations"][0]["dialogue"][2]["text"] == "I told you: </script><!-- twice!"
    assert not any(
        tag in ("link", "img", "iframe", "object", "base") or "src" in attributes
        for tag, attributes in found.tags
    )


def test_a_title_is_only_a_title(tmp_path):
    root = example.write_example(tmp_path / "board")
    title = "</title><script>alert(1)</script> {{script}} \\1 &amp;"
    board = example.example_board().model_copy(update={"title": title})
    folder.replace_file(root / "board.json", folder.dumped(board))
    text = render(root).text
    assert (
        "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; {{script}} \\1"
        " &amp;amp;</title>" in text
    )
    assert sum(tag == "script" for tag, _ in Elements(text).tags) == 10


def test_the_policy_names_exactly_this_script_and_style(page_file):
    """The hashes recomputed from the file, as a browser does."""
    import base64

    text = page_file.read_text(encoding="utf-8")
    found = Elements(text)
    policy = next(
        attributes["content"] for tag, attributes in found.tags if "http-equiv" in attributes
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    for kind, body in (("script", found.scripts[""]), ("style", style)):
        assert (
            f"{kind}-src"
            f" 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
            in policy
        )
    assert policy.startswith("default-src 'none';")


def test_the_same_board_gives_the_same_bytes(page_file):
    before = page_file.read_bytes()
    assert write_page(page_file.parent).read_bytes() == before


def test_json_that_can_stand_in_a_page():
    text = "</script><!-- & \u2028 \ud800 好"
    assert safe_json(text) == '"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028 \\ud800 好"'
    assert json.loads(safe_json(text)) == text
    with pytest.raises(ValueError):
        safe_json(float("nan"))


def test_values_are_packed_and_numbers_cut():
    value = {
        "value": 0.123456789,
        "stderr": None,
        "low": 1.0,
        "high": 2e-9,
        "items": 1234567,
        "clusters": 3,
        "method": "t",
        "reason": None,
    }
    packed = [0.123457, 1.0, 2e-09, None, 1234567, 3, "t", None]
    assert compact({"a": [value], "b": {"value": 1}}) == {"a": [packed], "b": {"value": 1}}


def test_a_folder_without_a_board_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="make a board with: csc collect"):
        write_page(tmp_path)


def names(page, table="conversations"):
    """The models in the order of the table's rows; reported rows are in a body of their own."""
    return (
        page.locator(f"#table-{table} tbody")
        .first.locator("tr")
        .evaluate_all("rows => rows.map(row => row.dataset.model)")
    )


BASE, ADAPTER, AWKWARD, BIGRAM = example.BASE, example.ADAPTER, example.AWKWARD, example.BIGRAM


@pytest.mark.xdist_group("page")
def test_sorting_by_mouse_and_keyboard(page_file):
    with opened(page_file) as (page, complaints):
        header = page.locator("th", has=page.get_by_role("button", name="Strategy accuracy")).first
        assert (
            names(page) == [ADAPTER, BIGRAM, BASE, AWKWARD]
            and header.get_attribute("aria-sort") == "descending"
        )
        header.get_by_role("button").click()
        assert (
            names(page) == [AWKWARD, BASE, BIGRAM, ADAPTER]
            and header.get_attribute("aria-sort") == "ascending"
        )
        # Generated context: two rows have no number and stay below either way.
        second = page.get_by_role("button", name="Strategy accuracy").nth(1)
        second.focus()
        page.keyboard.press("Enter")
        assert names(page)[:2] == [ADAPTER, BASE]
        assert (
            page.evaluate("document.activeElement.dataset.key")
            == "sort conversations csc_conv_gen/strategy_acc"
        )
        page.keyboard.press("Space")
        assert names(page)[:2] == [BASE, ADAPTER] and set(names(page)[2:]) == {AWKWARD, BIGRAM}
        assert (
            page.locator("#status").text_content()
            == "Conversations: sorted by Strategy accuracy, ascending"
        )
        assert [
            one.get_attribute("aria-sort") for one in page.locator("th[aria-sort]").all()
        ].count("none") == 4
        page.get_by_role("button", name="Model").click()
        assert names(page) == [AWKWARD, BIGRAM, BASE, ADAPTER]
        # The paper's row never moves among those that were measured.
        assert (
            page.locator("tbody.apart tr.reported").count() == 1
            and "GPT-4o" in page.locator("tbody.apart").inner_text()
        )
        assert (
            "42.6" in page.locator("tbody.apart").inner_text()
            and page.locator("tbody.apart .best, tbody.apart .second").count() == 0
        )
        assert (
            page.locator(".best").inner_text() == "57.0"
            and page.locator(".second").inner_text() == "46.0"
        )
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_filters(page_file):
    with opened(page_file) as (page, complaints):
        heads = "#table-conversations thead tr:last-child th"
        # The first metric in both contexts, then the others of each. Who cannot see what stands
        # above a context hears its metric first.
        assert [text.split() for text in page.locator(heads).all_inner_texts()] == [
            ["Strategy", "accuracy:", "Reference", "context", "↓"],
            ["Strategy", "accuracy:", "Generated", "context"],
            ["BLEU-4", "en"],
            ["BLEU-4", "en"],
        ]
        page.get_by_label("Task").select_option("csc_conv_gen")
        assert names(page) == [ADAPTER, BASE] and page.locator(heads).count() == 2
        page.get_by_label("Task").select_option("")
        page.get_by_label("Language").select_option("zh")
        assert [text.split("\n")[0] for text in page.locator(heads).all_inner_texts()] == [
            "Strategy accuracy:"
        ] * 2
        page.get_by_label("Metrics").select_option("all")
        assert page.locator(heads).count() == 4
        page.get_by_label("Group").select_option("adapter")
        assert names(page) == [ADAPTER]
        page.get_by_label("Group").select_option("baseline")
        assert names(page) == [BIGRAM]
        page.get_by_label("Task").select_option("csc_conv_gen")
        assert "Nothing fits these filters." in page.locator("main").inner_text()
        page.get_by_role("button", name="Show everything").click()
        assert len(names(page)) == 4
        # A view can be linked to.
        page.evaluate("location.hash = '#/?group=adapter&task=csc_conv_ref'")
        page.wait_for_function(
            "document.querySelectorAll('#table-conversations tbody:first-of-type tr').length === 1"
        )
        assert page.get_by_label("Group").input_value() == "adapter"
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_a_model_called_script_is_only_a_name(page_file):
    with opened(page_file) as (page, complaints):
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        follow(page, page.get_by_role("link", name=HOSTILE).click)
        assert page.locator("h1").inner_text() == HOSTILE and page.title().startswith(HOSTILE)
        assert page.evaluate("document.activeElement.tagName") == "H1"
        page.evaluate(f"location.hash = '#/samples/conversations?a={BASE}&task=csc_conv_gen'")
        page.wait_for_selector(".talk")
        assert (
            "<img src=x onerror=alert(1)>" in page.locator(".talk").inner_text()
            and page.locator(".talk img").count() == 0
        )
        page.evaluate("location.hash = '#/model/<img src=x onerror=alert(1)>'")
        page.wait_for_function("document.querySelector('h1').textContent === 'Not here'")
        page.evaluate("location.hash = '#/%E0%A4%A'")
        page.wait_for_function(
            "document.querySelector('main').textContent.includes('There is no such page')"
        )
        assert dialogs == []
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_the_page_of_a_model(page_file):
    with opened(page_file) as (page, complaints):
        follow(page, page.get_by_role("link", name="org/base-7b-rolecs", exact=True).click)
        assert (
            page.get_by_role("link", name="org/base-7b", exact=True).get_attribute("href")
            == f"#/model/{BASE}"
        )
        grid = page.get_by_role("grid", name="Confusion of strategies")
        first = grid.get_by_role("gridcell").first
        # Row GT of the example: 30 on the diagonal, then three times 1 + 2 + 3 + 0, in all 48; 62.5
        # % is shown as 63.
        first.focus()
        said = page.locator(".said").first
        assert said.inner_text() == "Gold Greeting, answered with Greeting: 30 of 48 turns (63 %)"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert said.inner_text().startswith(
            "Gold Identity Verification, answered with Identity Verification: 30 of"
        )
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert said.inner_text().startswith(
            "Gold Greeting, answered with Identity Verification: 1 of"
        ), "the edge stops"
        gap = page.locator("section", has=page.get_by_role("heading", name="Context gap"))
        assert (
            gap.locator("svg polyline").count() == 2
            and "significant from turn 3" in gap.inner_text()
        )
        gap.get_by_text("As a table").click()
        assert gap.locator("tbody tr").first.locator("th, td").all_inner_texts()[:3] == [
            "1",
            "58.0",
            "54.0 to 62.0",
        ]
        assert "+11.0 (7.0 to 15.0)" in gap.inner_text()
        assert "I have sent <b>$40</b> back." in page.locator(".examples").text_content()
        page.get_by_role("button", name="Generated context").click()
        assert (
            page.get_by_role("button", name="Generated context").get_attribute("aria-pressed")
            == "true"
        )
        follow(page, page.go_back)
        assert page.locator("h1").inner_text() == "Customer-support conversation leaderboard"
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_contrasts_of_a_model_and_which_groups_are_unlike_the_others(page_file):
    with opened(page_file) as (page, complaints):
        page.evaluate(f"location.hash = '#/model/{BASE}'")
        card = page.locator("#contrasts")
        card.wait_for()
        page.get_by_role("button", name="All metrics").first.click()

        def rows():
            lines = card.locator("tbody tr").all()
            return [line.locator("th, td").all_inner_texts() for line in lines]

        first, absent = rows()
        assert [*first[:4], *first[5:7]] == [
            *("Strategy accuracy", "41.0", "35.0", "+6.0"),
            *("+2.0 to +10.0", "0.008"),
        ]
        assert first[7] == "60 (3 and 0 of one alone)"
        assert absent[1:4] == ["N/A", "N/A", "N/A"]
        assert "Not contrasted: Macro-F1: computed in another way." in card.inner_text()
        assert card.get_by_role("heading").all_inner_texts() == [
            "Contrasts",
            "Reference context − Generated context",
        ]
        card.get_by_label("Contrast").select_option(index=1)
        assert rows()[0][:4] == ["Strategy accuracy", "57.0", "41.0", "+16.0"]
        heading = "org/base-7b-rolecs − base (org/base-7b), Reference context"
        assert heading in card.inner_text()
        broken = page.locator("section", has=page.get_by_role("heading", name="Breakdown"))
        stages = broken.get_by_role("region", name="By stage").locator("tbody tr").all()
        assert [line.locator("td").last.inner_text() for line in stages] == ["0.031", "–"]
        broken.get_by_text("As a table").click()
        turns = broken.locator("details tbody tr").all()
        assert [line.locator("td").last.inner_text() for line in turns][1:4] == ["–", "0.031", "–"]
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_reading_conversations_and_comparing(page_file):
    with opened(page_file) as (page, complaints):
        follow(page, page.get_by_role("link", name="Read conversations").click)
        second = page.locator(".exchange").nth(1)
        assert (
            second.locator(".reply")
            .all_inner_texts()[0]
            .startswith("gold Restatement or Paraphrasing")
        )
        assert (
            second.locator(".tag.wrong").inner_text().startswith("Greeting")
            and second.locator(".tag.right").count() == 1
        )
        page.get_by_label("Context").select_option("csc_conv_gen")
        assert second.locator(".tag.wrong").inner_text().startswith("unparsed")
        page.get_by_label("Beside").select_option("none")
        assert second.locator(".reply").count() == 2
        page.get_by_label("Context").select_option("csc_conv_ref")
        follow(page, lambda: page.get_by_label("Model").select_option(AWKWARD))
        assert "我理解您的心情。" in second.inner_text()
        page.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")
        assert (
            "2 of 2" in page.locator(".pager").inner_text()
            and "产品咨询 · zh · test · c2" in page.locator(".talk").inner_text()
        )
        page.keyboard.press("Enter")
        assert (
            "2 of 2" in page.locator(".pager").inner_text()
            and page.evaluate("document.activeElement.dataset.key") == "next"
        )
        page.get_by_label("Language").select_option("en")
        assert (
            "1 of 1" in page.locator(".pager").inner_text()
            and "c1" in page.locator(".talk").inner_text()
        )
        follow(page, page.get_by_role("navigation").get_by_role("link", name="Compare").click)
        page.get_by_label("First").select_option(BIGRAM)
        page.get_by_label("Second").select_option(BASE)
        row = page.locator("table.compare tr, .scroller tbody tr").last.inner_text()
        assert "+5.0" in row and "+0.8 to +9.2" in row and "0.090" in row
        page.get_by_role("button", name="Swap").click()
        row = page.locator(".scroller tbody tr").last.inner_text()
        assert "−5.0" in row and "−9.2 to −0.8" in row
        # As leaderboard/layout.py: an interval that excludes 0 does not show it as a bound.
        written = "[6.1e-5, -2.4e-4, 4.2e-2, 1e-17].map((b) => bound(b, { scale: 100, digits: 1 }))"
        script = (Path(folder.__file__).parent / "page" / "format.js").read_text(encoding="utf-8")
        program = f"(() => {{ const board = {{}}; {script}; return {written}; }})()"
        assert page.evaluate(program) == ["+0.006", "−0.02", "+4.2", "+0.0"]
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_on_a_phone_in_the_dark(page_file):
    """Nothing is wider than the screen but what scrolls by itself, controls can be hit, and the
    toggle changes the colours.
    """
    with opened(page_file, size=PHONE, dark=True) as (page, complaints):
        for path in (
            "#/",
            f"#/model/{ADAPTER}",
            "#/samples/conversations",
            "#/compare/conversations",
        ):
            page.evaluate("path => { location.hash = path; }", path)
            page.wait_for_timeout(150)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        controls = page.locator("main select, main button, header button")
        assert (
            min(controls.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)"))
            >= 24
        )
        paper = "getComputedStyle(document.body).backgroundColor"
        dark, toggle = page.evaluate(paper), page.locator("#theme")
        toggle.focus()
        page.keyboard.press("Enter")
        light = page.evaluate(paper)
        page.keyboard.press("Enter")
        assert dark != light and page.evaluate(paper) == dark
        assert toggle.get_attribute("aria-label") == "Colours: Dark. Change"
        reload_until(page, "document.getElementById('theme').ariaLabel === 'Colours: Dark. Change'")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
    assert complaints == []


# Ratings by judges and people

REPORT = Report(
    title="How far the ratings can be believed",
    notes=("1 judge and 3 people",),
    signatures=("judge judge:x|reference:hidden",),
    sections=(
        Section(
            title="Agreement of two",
            text="All dimensions </template>.",
            columns=("raters", "alpha"),
            rows=(("<img src=x onerror=alert(1)> - humans", example.value(0.7, 0.05)),),
        ),
        Section(
            title="Parse failures",
            text="",
            columns=tuple(f"a long heading {i}" for i in range(9)),
            rows=(tuple(range(1000, 1009)),),
        ),
    ),
)
RATINGS = (
    "judge_gpt-x_overall",
    "judge_gpt-x_tone",
    "judge_gpt-x_missing",
    "human_overall",
    "human_tone",
)


@pytest.fixture(scope="module")
def rated_page(tmp_path_factory):
    """The example with a judge's and people's columns in both contexts, and a reliability
    report.
    """
    root = example.write_example(tmp_path_factory.mktemp("rated") / "board")
    board = example.example_board()
    table = board.tables[0]
    signed = {name: f"{name}|reference:hidden|unit:auto" for name in RATINGS}
    added = {
        task: [column(task, name, signed[name], group, task == "csc_conv_gen") for name in RATINGS]
        for task, group in example.TASKS
    }
    numbers = dict(zip(RATINGS, (61.25, 58.0, 0.05, 3.5, 3.25), strict=True))
    values = {
        one.key: example.value(numbers[one.metric], numbers[one.metric] / 50, 20, 20)
        for own in added.values()
        for one in own
    }
    every = tuple(
        one
        for task, _ in example.TASKS
        for one in [*(c for c in table.columns if c.task == task), *added[task]]
    )
    rows = tuple(
        row.model_copy(update={"values": {**row.values, **values}}) if row.model == ADAPTER else row
        for row in table.rows
    )
    changed = table.model_copy(update={"columns": every, "rows": rows})
    folder.replace_file(
        root / "board.json", folder.dumped(board.model_copy(update={"tables": (changed,)}))
    )
    folder.replace_file(root / "reliability.json", folder.dumped(REPORT))
    return write_page(root)


def test_the_report_is_escaped_and_stands_there_only_where_a_board_has_one(page_file, rated_page):
    tags = Elements(rated_page.read_text(encoding="utf-8")).tags
    assert sum(tag == "template" for tag, _ in tags) == 1 and not any(
        tag == "img" for tag, _ in tags
    )
    assert not any(
        tag == "template" for tag, _ in Elements(page_file.read_text(encoding="utf-8")).tags
    )
    file = folder.replace_file(rated_page.parent / "reliability.json", b"{}")
    with pytest.raises(DataError, match="make it again with csc agreement"):
        render(rated_page.parent)
    folder.replace_file(file, folder.dumped(REPORT))


@pytest.mark.xdist_group("page")
def test_ratings_stand_in_the_table_and_lead_to_their_reliability(page_file, rated_page):
    with opened(rated_page) as (page, complaints):
        table = page.locator("#table-conversations")
        raters = table.locator("thead th.rater").all_inner_texts()
        assert [text.split("\n") for text in raters] == [
            ["Judge gpt-x", "how reliable?"],
            ["People", "how reliable?"],
            ["Judge gpt-x", "whole conversations", "how reliable?"],
            ["People", "whole conversations", "how reliable?"],
        ]
        spans = (
            "rows => rows.map(row => [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0))"
        )
        assert table.locator("thead tr").evaluate_all(spans) == [
            9,
            8,
            8,
        ], "every row of the head is as wide as the table"
        adapter = table.locator(f"tr[data-model={ADAPTER}]")
        assert [adapter.locator(".number").nth(i).inner_text() for i in (2, 3, 6, 7)] == [
            "61.3",
            "3.50",
            "61.3",
            "3.50",
        ]
        # The name of the rater is in the button's own name.
        page.get_by_role("button", name="Judge gpt-x: overall").first.click()
        assert names(page)[0] == ADAPTER
        page.get_by_label("Metrics").select_option("ratings")
        heads = "#table-conversations thead tr:last-child th"
        assert page.locator(heads).count() == 10
        assert names(page) == [ADAPTER] and adapter.locator(".number").nth(2).inner_text() == "5.0"
        follow(page, page.get_by_role("link", name="How reliable? Judge gpt-x").first.click)
        assert page.locator("h1").inner_text() == REPORT.title and page.title().startswith(
            REPORT.title
        )
        assert (
            "<img src=x onerror=alert(1)> - humans" in page.locator("main").inner_text()
            and page.locator("main img").count() == 0
        )
        assert (
            "0.70 (0.60 to 0.80)" in page.locator("main").inner_text()
            and page.locator("main section.card").count() == 2
        )
        assert page.get_by_role("region", name="Parse failures").count() == 1
        assert (
            page.get_by_role("navigation")
            .get_by_role("link", name="Reliability")
            .get_attribute("aria-current")
            == "page"
        )
        page.evaluate(f"location.hash = '#/model/{ADAPTER}?metrics=ratings'")
        page.wait_for_selector("h1.modelname")
        assert page.locator("main .card").first.locator("tbody tr").count() == 10
        page.evaluate(f"location.hash = '#/model/{BASE}?metrics=ratings'")
        page.wait_for_function(
            "document.querySelector('main').textContent.includes('None of these.')"
        )
        # The same address twice: the report is there again.
        page.evaluate("location.hash = '#/reliability'")
        page.wait_for_function("document.querySelectorAll('main section.card').length === 2")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        for path in (
            "#/reliability",
            "#/?metrics=ratings",
            f"#/model/{ADAPTER}",
            "#/compare/conversations",
        ):
            page.evaluate("path => { location.hash = path; }", path)
            page.wait_for_timeout(150)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    with opened(page_file) as (page, others):
        page.evaluate("location.hash = '#/reliability'")
        page.wait_for_function("document.querySelector('h1').textContent === 'Not here'")
        assert (
            page.get_by_role("link", name="Reliability").count() == 0
            and page.get_by_label("Metrics").count() == 0
        )
    assert complaints == others == []
