"""The page of an expert review, and the decisions saved from it."""

import json
import re

import pytest

from builders.review.page import FORMAT
from tests.support.browser import opened, reload_until
from tests.support.reviews import HARD, ONE, PLAIN, dialogues, exported, run


def page_data(folder):
    text = (folder.with_name("review") / "review.html").read_text(encoding="utf-8")
    return text, json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    )


def test_the_page_is_one_file_that_asks_for_nothing_and_holds_every_text(dataset):
    folder = dataset()
    exported(folder)
    text, data = page_data(folder)
    assert (
        "/* page" not in text
        and "/* data */" not in text
        and "alert(1)</script>" not in text
        and text.count("</script>") == 2
    )
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(""", text)
    turns = {one["id"]: one["turns"] for one in data["conversations"]}
    assert turns == {
        name: [dict(turn) for turn in dialogue] for name, dialogue in dialogues(folder).items()
    }


def decisions(folder, *rows, **more):
    """A file as the page saves it."""
    _, data = page_data(folder)
    checks = {one["id"]: one["check"] for one in data["conversations"]}
    listed = [
        {"check": checks.get(row["conversation_id"], "c0"), "comment": "", "fixes": [], **row}
        for row in rows
    ]
    path = folder.with_name("review-bo.json")
    path.write_text(
        json.dumps(
            {"format": FORMAT, "dataset": "set", "reviewer": "Bo", "decisions": listed} | more
        )
    )
    return path


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"conversation_id": "x", "decision": "keep"}, "there is no conversation 'x'"),
        (
            {"conversation_id": ONE, "decision": "keep", "check": "c1"},
            f"{ONE} has changed since the page was written",
        ),
        ({"conversation_id": ONE, "decision": "fix"}, "nothing is corrected"),
        ({"conversation_id": ONE, "decision": "burn"}, "the decision is 'burn'"),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": [{"turn": 99, "text": "x"}]},
            f"{ONE} has no turn 99",
        ),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": [{"turn": 1, "strategy": "XX"}]},
            f"{ONE} turn 1: strategy 'XX'",
        ),
        ({"conversation_id": ONE}, "not in the form that review.html saves"),
        (
            {"conversation_id": ONE, "decision": "fix", "fixes": 5},
            "not in the form that review.html saves",
        ),
    ],
)
def test_saved_decisions_that_do_not_fit_are_errors_that_name_them(
    dataset, tmp_path, capsys, row, says
):
    folder = dataset(PLAIN)
    exported(folder)
    assert run("review", "import", folder, decisions(folder, row), "--out", tmp_path / "out") == 1
    assert says in capsys.readouterr().err
    assert (
        run(
            "review", "import", folder, decisions(folder, format="other"), "--out", tmp_path / "out"
        )
        == 1
    )
    assert "not a file of decisions" in capsys.readouterr().err


def test_the_page_in_a_browser_decides_corrects_remembers_and_saves_what_import_reads(
    dataset, tmp_path
):
    folder, out = dataset(), tmp_path / "out"
    exported(folder)
    target = folder.with_name("review") / "review.html"
    order = [one["id"] for one in page_data(folder)[1]["conversations"]]
    nasty = order.index(HARD[1].conversation_id)
    with opened(target) as (page, complaints):
        assert page.title() == "Review of set"
        shown = page.locator("#rewrite > li > div:last-child").all_text_contents()
        assert shown == [turn["text"] for turn in dialogues(folder)[order[0]]]
        page.keyboard.press("k")  # the first is kept, and the next one comes
        page.keyboard.press("d")  # the second is dropped
        page.get_by_label("Reviewer").fill("Bo Ek")
        page.get_by_label("Comment").fill("d k f: typing decides nothing")
        page.locator("#list button").nth(2).click()
        page.get_by_label("Strategy of turn 3").select_option("EM")
        page.get_by_role("button", name="Edit turn 2", exact=True).click()
        page.get_by_label("New text of turn 2").fill("<i>new</i> words")
        page.keyboard.press("Escape")
        assert (
            page.locator("#rewrite li").nth(1).locator("div").last.text_content()
            == "<i>new</i> words"
        )
        page.keyboard.press("k")
        assert "Clear" in page.locator("#hint").text_content()  # corrections are not lost to a key
        assert page.locator("#progress").text_content() == "3 of 7 decided"
        page.locator("#list button").nth(nasty).click()
        assert page.locator("#rewrite > li > div:last-child").all_text_contents() == [
            t["text"] for t in dialogues(folder)[order[nasty]]
        ]
        decided = "document.getElementById('progress').textContent === '3 of 7 decided'"
        reload_until(page, decided)
        with page.expect_download() as found:
            page.keyboard.press("s")
        assert found.value.suggested_filename == "review-Bo-Ek.json"
        found.value.save_as(tmp_path / "bo.json")
        assert complaints == []
    assert run("review", "import", folder, tmp_path / "bo.json", "--out", out) == 0
    before, after = dialogues(folder), dialogues(out)
    assert order[0] in after and order[1] not in after and order[2] not in after and len(after) == 6
    expected = before[order[2]]
    expected[1]["text"], expected[2]["strategy"] = "<i>new</i> words", "EM"
    assert [dialogue for name, dialogue in after.items() if name not in before] == [expected]
