"""The table of an expert review: what reviewers see, and what a spreadsheet may do to it."""

import csv
import io
import random
import re

import pytest

from builders.review.originals import write_originals
from builders.review.table import COLUMNS
from csc_tasks.conversation import Turn
from csc_tasks.csv_cells import guarded, unguarded
from tests.support.reviews import NASTY, PLAIN, exported, run


def test_the_table_has_a_row_a_turn_with_the_original_beside_it(dataset, capsys):
    folder = dataset()
    rows = exported(folder)
    assert len(rows) == 70 and tuple(rows[0]) == COLUMNS
    first = [row for row in rows if row["conversation_id"] == PLAIN[0].conversation_id]
    assert [(row["turn"], row["speaker"], row["strategy"]) for row in first[:3]] == [
        ("1", "supporter", "Greeting"),
        ("2", "customer", ""),
        ("3", "supporter", "Identity Verification"),
    ]
    assert [row["original"] for row in first] == [
        "customer: =raw, my number is 12",
        *[""] * 4,
        "supporter: Noted. </script>",
        *[""] * 4,
    ]
    chinese = [row["strategy"] for row in rows if row["language"] == "zh"]
    assert chinese[::2] == ["礼貌问候", "确认身份", "细化问题", "提供建议", "感谢与告别"]
    assert (folder.with_name("review") / "review.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    printed = capsys.readouterr().out
    assert (
        "conversations: 7 of 7, 70 turns" in printed
        and "original beside them: 2" in printed
        and "personal data" in printed
    )


def test_a_longer_original_is_spread_over_the_rows_in_order(dataset):
    folder = dataset(PLAIN[:1], originals=0)
    write_originals(
        folder,
        {PLAIN[0].conversation_id: ("s", tuple(Turn("customer", f"t{i}") for i in range(25)))},
    )
    cells = [row["original"].splitlines() for row in exported(folder)]
    assert [line for cell in cells for line in cell] == [f"customer: t{i}" for i in range(25)]
    assert {len(cell) for cell in cells} == {2, 3}


ALPHABET = [*"=+-@' ,;\t\r\n\"|1a＝\u00a0你.$:", "May ", "true"]


def test_every_text_comes_back_exactly_and_no_cell_is_dangerous_whatever_separates():
    draw = random.Random(5)
    drawn = ["".join(draw.choices(ALPHABET, k=draw.randint(1, 8))) for _ in range(4_000)]
    for text in (*NASTY, "", "'", "''", "'''=1", " =1", "' '=1", "x", *drawn):
        cell = guarded(text)
        assert unguarded(cell) == text
        assert unguarded(guarded(cell)) == cell
        assert not re.match(r"[ \u00a0]*[=+@＝＋－＠-]", cell), text
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL).writerow(["id", cell, "x"])
        for delimiter in ",;\t|":
            for cells in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=delimiter):
                assert not any(re.match(r"[ \u00a0]*[=+@＝＋－＠-]", one) for one in cells), (
                    text,
                    delimiter,
                )


CONVERTED = (
    "0314",
    "9931939443153",
    "3/5",
    "10:30 am",
    "TRUE",
    "May 5",
    "5 May",
    "3月5日",
    "50%",
    "$12",
    "1e5",
    "(5)",
    "2024-03-05",
)
ORDINARY = (
    "Maybe 5",
    "5 people",
    "True enough",
    "March on",
    "Decide 5 things",
    "Hello",
    "你好",
    "'tis",
    "well - no",
    "1. First do this",
)


@pytest.mark.parametrize("text", CONVERTED)
def test_what_a_spreadsheet_would_convert_is_guarded(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_stand_as_they_are(text):
    assert guarded(text) == unguarded(text) == text


def test_a_sample_is_drawn_by_seed_and_grows(dataset, tmp_path):
    folder = dataset()

    def drawn(number, *options):
        out = tmp_path / f"r{number}"
        assert run("review", "export", folder, "--out", out, *options) == 0
        with (out / "review.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(dict.fromkeys(row["conversation_id"] for row in csv.DictReader(file)))

    three, five, other = (
        drawn(1, "--sample", 3),
        drawn(2, "--sample", 5),
        drawn(3, "--sample", 5, "--seed", 1),
    )
    assert len(three) == 3 and five[:3] == three and other != five


def test_decisions_are_not_overwritten_and_folders_without_conversations_refused(
    dataset, tmp_path, capsys
):
    folder = dataset()
    exported(folder)
    assert run("review", "export", folder, "--out", folder.with_name("review")) == 1
    assert "may hold decisions" in capsys.readouterr().err
    assert run("review", "export", folder, "--out", tmp_path / "x", "--sample", 0) == 1
    assert run("review", "export", tmp_path, "--out", tmp_path / "x") == 1
    assert not (tmp_path / "x").exists()
