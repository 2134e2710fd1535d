"""Where raters disagree: which units and pairs are shown, and the judges' reasons beside them."""

import json
from dataclasses import asdict

import pytest

from leaderboard.judging import disagreements
from leaderboard.judging.ratings import (
    Comparison,
    Rating,
    read_comparisons,
    read_ratings,
    write_lines,
)
from leaderboard.judging.reliability import report
from leaderboard.reliability_report import as_html, as_markdown


def rating(rater, unit, scores, reason="", kind="judge", repeat=0):
    asked = f"openai:{rater}" if kind == "judge" else ""
    place = ("m", "csc_qa", unit, unit.partition("/")[0], "en", "Others", "")
    return Rating(kind, rater, asked, *place, 50, scores, repeat=repeat, reason=reason)


def comparison(unit, forward, backward, reasons=("", "")):
    place = ("csc_qa", unit, unit, "en", "Others", "", 9, 9)
    return Comparison("j", "openai:j", "one", "two", *place, forward, backward, "", *reasons)


def test_the_widest_come_first_with_what_each_rater_said():
    """By hand: 90 against 30 (a person's class 2), 70 against 45; 60 against 50 is no class apart,
    a second asking and a unit that one judge rated say nothing.
    """
    found = disagreements.widest_section(
        [
            rating("a", "near/0", {"tone": 60}),
            rating("b", "near/0", {"tone": 50}),
            rating("a", "wide/0", {"tone": 80, "empathy": 60, "accuracy": 0}, "Warm."),
            rating("b", "wide/0", {"tone": 40, "empathy": 50}, "Cold."),
            rating("a", "widest/0", {"tone": 90}, "Warm | clear."),
            rating("person", "widest/0", {"tone": 2}, kind="human"),
            rating("a", "again/0", {"tone": 90}),
            rating("b", "again/0", {"tone": 10}, repeat=1),
            rating("b", "missing/0", None),
            rating("a", "missing/0", {"tone": 10}),
        ]
    )
    assert found.rows == (
        ("m", "widest/0", "a", "90", "Warm | clear."),
        ("m", "widest/0", "person", "30", "–"),
        ("m", "wide/0", "a", "70", "Warm."),
        ("m", "wide/0", "b", "45", "Cold."),
    )
    assert found.text.startswith("2 were given means that lie 20 points or more apart")
    assert disagreements.widest_section([rating("a", "x/0", {"tone": 1})]) is None


def test_ten_are_shown_and_all_are_counted():
    said = [
        rating(rater, f"c{i}/0", {"tone": score})
        for i in range(14)
        for rater, score in (("a", 30), ("b", 60 + i))
    ]
    found = disagreements.widest_section(said)
    assert found.text.startswith("14 were") and "the 10 widest" in found.text
    assert [row[1] for row in found.rows[::2]] == [f"c{i}/0" for i in range(13, 3, -1)]


def test_verdicts_that_changed_with_the_order_stand_with_both_reasons():
    found = disagreements.flips_section(
        [
            comparison("c0", "first", "second", ("A is.", "A is.")),
            comparison("c1", "first", "first", ("It opens well.", "So does this.")),
            comparison("c2", "tie", "tie"),
            comparison("c3", "second", "second"),
        ]
    )
    assert found.rows == (
        ("j", "one – two", "c1", "first", "It opens well.", "So does this."),
        ("j", "one – two", "c3", "second", "–", "–"),
    )
    assert disagreements.flips_section([comparison("c0", "first", "second")]) is None


def test_a_hostile_reason_stays_text_in_the_report():
    reason = "<script>alert(1)</script> | x"
    said = [rating("a", "c/0", {"tone": 90}, reason), rating("b", "c/0", {"tone": 10})]
    found = report(said, [comparison("c", "first", "first", (reason, reason))], {})
    assert "<script>" not in as_html(found) and "&lt;script&gt;alert(1)" in as_html(found)
    rows = [line for line in as_markdown(found).splitlines() if "alert(1)" in line]
    assert len(rows) == 2 and all("\\| x|" in row for row in rows)


@pytest.mark.parametrize(
    ("name", "one", "added", "read"),
    [
        ("ratings.jsonl", rating("a", "c/0", {"tone": 9}, "Why."), ["reason"], read_ratings),
        (
            "comparisons.jsonl",
            comparison("c", "tie", "tie", ("Why.", "Why.")),
            ["forward_reason", "backward_reason"],
            read_comparisons,
        ),
    ],
)
def test_lines_from_before_judges_gave_a_reason_are_read(tmp_path, name, one, added, read):
    write_lines(tmp_path / "now" / name, [one])
    assert read([tmp_path / "now"]) == [one]
    earlier = {key: value for key, value in asdict(one).items() if key not in added}
    (tmp_path / "then").mkdir()
    (tmp_path / "then" / name).write_text(json.dumps(earlier) + "\n")
    (then,) = read([tmp_path / "then"])
    assert {getattr(then, key) for key in added} == {""}
    assert earlier.items() <= asdict(then).items()
