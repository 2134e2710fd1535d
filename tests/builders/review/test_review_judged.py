"""What the judges of a build said, in front of the reviewers: of what was kept and of what was
dropped.
"""

import json

import pytest

from builders.review.judged import Judgement, judged_path, read_judged, write_judged
from csc_tasks.conversation import SUPPORTER, Turn
from csc_tasks.csv_cells import guarded
from tests.support.browser import opened
from tests.support.reviews import ONE, PLAIN, conversation, exported, mark, run, saved

GONE = conversation(9)
NASTY = "=1+1 </script><script>alert(1)</script>"
TOLD = [
    Judgement(ONE, "en", GONE.topic, "judge", "Warm and clear."),
    Judgement(PLAIN[1].conversation_id, "zh", GONE.topic, "judge", NASTY),
    Judgement(
        GONE.conversation_id,
        "en",
        GONE.topic,
        "judge",
        "It goes in circles.",
        ("coherent", "empathetic"),
        GONE.dialogue,
    ),
    Judgement(
        "csconv-raw", "en", "", "check", "Insults.", ("abusive",), (Turn("customer", "You!"),)
    ),
]


@pytest.fixture
def judged(dataset):
    folder = dataset(originals=0)
    write_judged(folder, TOLD)
    return folder


def test_they_come_back_as_they_were_and_do_not_lie_in_the_folder(judged):
    assert judged_path(judged) == judged.with_name("set.judged.jsonl")
    assert sorted(read_judged(judged), key=lambda one: one.conversation_id) == sorted(
        TOLD, key=lambda one: one.conversation_id
    )
    judged_path(judged).unlink()
    assert read_judged(judged) == []


@pytest.mark.parametrize("line", ["[]", "{}", '{"conversation_id": "a"}', '{"turns": 1}'])
def test_a_bad_line_is_named(judged, line, capsys):
    judged_path(judged).write_text(f"{line}\n")
    assert run("review", "export", judged, "--out", judged.with_name("review")) == 1
    assert "set.judged.jsonl, line 1" in capsys.readouterr().err


def test_the_table_has_the_reason_in_the_first_row_and_is_read_without_it_too(judged, capsys):
    rows = exported(judged)
    told = {(row["conversation_id"], row["turn"]): row["judge"] for row in rows if row["judge"]}
    assert told == {
        (ONE, "1"): "judge: yes to all. Warm and clear.",
        (PLAIN[1].conversation_id, "1"): guarded(f"judge: yes to all. {NASTY}"),
    }
    printed = capsys.readouterr().out
    assert "with the judge's reason: 2; dropped by a judge, on the page for reading: 2" in printed
    mark(rows, PLAIN[0], decision="drop")
    for columns in (list(rows[0]), [name for name in rows[0] if name != "judge"]):
        table = saved(judged.with_name("filled.csv"), rows, columns=columns)
        out = judged.with_name(f"out{len(columns)}")
        assert run("review", "import", judged, table, "--out", out) == 0
        # What was dropped by the reviewers has no judgement any more; the rest keeps its own.
        left = {one.conversation_id for one in read_judged(out)}
        assert left == {one.conversation_id for one in TOLD} - {ONE}


def test_without_judgements_nothing_is_said_of_them(dataset, capsys):
    assert {row["judge"] for row in exported(dataset())} == {""}
    assert "dropped by a judge" not in capsys.readouterr().out


def test_the_page_shows_the_reason_and_what_was_dropped_for_reading(judged):
    exported(judged)
    page_file = judged.with_name("review") / "review.html"
    assert page_file.read_text(encoding="utf-8").count("</script>") == 2
    with opened(page_file) as (page, complaints):
        shown = {}
        for i in range(7):
            page.locator("#list button").nth(i).click()
            one = page.locator("#about").text_content().split(" · ")[0]
            judge = page.locator("#judge")
            shown[one] = judge.text_content() if judge.is_visible() else ""
        assert {name: text for name, text in shown.items() if text} == {
            ONE: "judge: yes to all. Warm and clear.",
            PLAIN[1].conversation_id: f"judge: yes to all. {NASTY}",
        }
        said = {}
        for i in range(2):
            page.locator("#dropped button").nth(i).click()
            assert not page.locator("#decide").is_visible()
            page.keyboard.press("d")  # nothing to decide on
            one = page.locator("#about").text_content().split(" · ")[0]
            texts = page.locator("#rewrite > li > div:last-child").all_text_contents()
            said[one] = page.locator("#judge").text_content(), texts
        assert said == {
            GONE.conversation_id: (
                "Dropped. judge: no to coherent, empathetic. It goes in circles.",
                [turn.text for turn in GONE.dialogue],
            ),
            "csconv-raw": ("Dropped. check: abusive. Insults.", ["You!"]),
        }
        page.locator("#list button").first.click()
        assert page.locator("#decide").is_visible()
        assert page.locator("#progress").text_content() == "0 of 7 decided"
        assert page.locator("#dropped select").count() == 0
    assert complaints == []


def test_strategies_of_what_was_dropped_are_shown_by_name(judged):
    exported(judged)
    text = (judged.with_name("review") / "review.html").read_text(encoding="utf-8")
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    (gone,) = (one for one in data["dropped"] if one["id"] == GONE.conversation_id)
    assert [turn["strategy"] for turn in gone["turns"] if turn["speaker"] == SUPPORTER] == [
        "GT",
        "IV",
        "PR",
        "PS",
        "AC",
    ]
    with opened(judged.with_name("review") / "review.html") as (page, complaints):
        page.locator("#dropped button", has_text=GONE.dialogue[1].text).click()
        assert "Greeting" in page.locator("#rewrite li").first.text_content()
    assert complaints == []
