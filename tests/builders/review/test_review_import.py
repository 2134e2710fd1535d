"""What becomes of the decisions in a reviewed table."""

import json
import random

import pytest

from builders.review.dataset_card import read_card
from builders.review.originals import originals_path
from builders.review.table import COLUMNS
from csc_tasks.conversation import content_id
from tests.support.reviews import CARD, HARD, ONE, PLAIN, dialogues, exported, mark, run, saved

WAYS = {
    "as written": {},
    "semicolons": {"delimiter": ";"},
    "tabs in UTF-16": {"delimiter": "\t", "encoding": "utf-16"},
    "no byte order mark, LF": {"encoding": "utf-8", "newline": "\n"},
    "other columns": {"columns": (*reversed(COLUMNS), "notes")},
    "without what is not needed": {
        "columns": tuple(
            c for c in COLUMNS if c not in ("language", "topic", "original", "comment")
        )
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_the_round_trip_whatever_a_spreadsheet_saves(dataset, tmp_path, capsys, way):
    folder, out = dataset(), tmp_path / "out"
    rows = exported(folder)
    mark(rows, PLAIN[0], 4, decision="Keep ")
    mark(rows, PLAIN[1], 5, decision="fix", new_strategy="情感管理", comment="too cold")
    mark(rows, PLAIN[1], 6, new_text='他说：“好”; "ok",\r\n第二行 ')
    mark(rows, PLAIN[2], 10, decision="DROP")
    mark(rows, HARD[0], 3, new_strategy="PS", new_text="'=1+1 is what I typed")
    # Excel writes line breaks of cells as LF or CRLF and trims nothing; some programs do.
    for row in rows:
        row["text"] = f" {row['text']} ".replace("\n", "\r\n")
    random.Random(1).shuffle(rows)
    rows[10:10] = [dict.fromkeys(COLUMNS, ""), dict.fromkeys(COLUMNS, " ")]
    table = saved(tmp_path / "anna.csv", rows, **WAYS[way])
    assert run("review", "import", folder, table, "--out", out) == 0
    printed = capsys.readouterr().out
    before, after = dialogues(folder), dialogues(out)
    untouched = {one.conversation_id for one in (PLAIN[0], PLAIN[3], HARD[1], HARD[2])}
    assert {name for name in after if name in before} == untouched
    assert all(after[name] == before[name] for name in untouched)
    fixed = {
        dialogue[0]["text"]: dialogue for name, dialogue in after.items() if name not in before
    }
    assert set(fixed) == {"第1段对话里的第0句话。", "Turn 0 of 4."}
    chinese = before[PLAIN[1].conversation_id]
    chinese[4]["strategy"] = "EM"
    chinese[5]["text"] = '他说：“好”; "ok",\n第二行'
    assert fixed["第1段对话里的第0句话。"] == chinese
    hard = before[HARD[0].conversation_id]
    hard[2] = {"speaker": "supporter", "strategy": "PS", "text": "=1+1 is what I typed"}
    assert fixed["Turn 0 of 4."] == hard
    counts = json.loads((out / "build.json").read_text())["counts"]
    assert counts == {
        "made": 7,
        "review_conversations": {
            "dropped by the reviewers": 1,
            "fixed": 2,
            "kept": 1,
            "not reviewed": 3,
        },
        "review_turns_corrected": {"strategy": 2, "text": 2},
        "review_corrected_conversations_that_break_a_rule": {"no IV": 1},
        "review_disagreements": 0,
    }
    assert "breaks a rule of CSConv: no IV" in printed
    card = (out / "README.md").read_text()
    assert (
        "Reviewed by people (1 file of decisions)" in card
        and "review conversations: 3 not reviewed, 2 fixed" in card
    )
    originals = [
        json.loads(line)["conversation_id"] for line in originals_path(out).read_text().splitlines()
    ]
    assert (
        len(originals) == 2
        and set(originals) <= set(after)
        and PLAIN[0].conversation_id in originals
    )


def test_the_new_id_is_that_of_the_new_content_and_the_same_every_time(dataset, tmp_path):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], 2, new_text="Something else.")
    table = saved(tmp_path / "a.csv", rows)
    for name in ("one", "two"):
        assert run("review", "import", folder, table, "--out", tmp_path / name) == 0
    new = next(name for name in dialogues(tmp_path / "one") if name not in dialogues(folder))
    turns = [
        [turn["speaker"], turn["strategy"], turn["text"]]
        for turn in dialogues(tmp_path / "one")[new]
    ]
    assert turns[1] == ["customer", "", "Something else."] and new == content_id(
        "csconv", "en", turns
    )
    same = [
        (tmp_path / name / file).read_bytes()
        for file in ("build.json", "README.md")
        for name in ("one", "two")
    ]
    assert same[0] == same[1] and same[2] == same[3]


def test_a_second_review_counts_beside_the_first_and_unreviewed_may_go(dataset, tmp_path):
    folder = dataset(PLAIN)
    rows = exported(folder)
    for one in PLAIN[:2]:
        mark(rows, one, decision="keep")
    table = saved(tmp_path / "a.csv", rows)
    assert (
        run("review", "import", folder, table, "--out", tmp_path / "one", "--unreviewed", "drop")
        == 0
    )
    assert set(dialogues(tmp_path / "one")) == {one.conversation_id for one in PLAIN[:2]}
    rows = [row for row in rows if row["conversation_id"] in dialogues(tmp_path / "one")]
    assert (
        run(
            "review",
            "import",
            tmp_path / "one",
            saved(tmp_path / "b.csv", rows),
            "--out",
            tmp_path / "two",
        )
        == 0
    )
    record = json.loads((tmp_path / "two" / "build.json").read_text())
    assert record["counts"]["review_conversations"] == {"kept": 2, "not reviewed and so dropped": 2}
    assert record["counts"]["review_2_conversations"] == {"kept": 2}
    assert len(record["reviews"]) == 2


def test_a_card_is_read_back_as_it_was(dataset, shared_data, tmp_path, capsys):
    assert read_card(dataset() / "README.md") == CARD
    assert run("build", "star", "--source", shared_data / "star", "--out", tmp_path / "star") == 0
    from builders.cards.star import CARD as STAR

    star = read_card(tmp_path / "star" / "README.md")
    assert (star.title, star.licence, star.limits, star.source.split()) == (
        STAR.title,
        STAR.licence,
        STAR.limits,
        STAR.source.split(),
    )
    assert (star.made, star.copyright, star.tags) == (STAR.made.strip(), STAR.copyright, STAR.tags)
    assert star.citation.strip() == STAR.citation.strip()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (
            {"conversation_id": "csconv-nobody"},
            "there is no conversation 'csconv-nobody' in the dataset",
        ),
        (
            {"text": "Turn 3 of 9."},
            (
                f"{ONE} turn 4: the text was changed in place, to 'Turn 3 of 9.'; corrections go"
                " into new_text"
            ),
        ),
        ({"strategy": "Others"}, f"{ONE} turn 4: the strategy was changed in place"),
        ({"check": "c000000000000"}, f"{ONE} turn 4 is not what was exported"),
        ({"turn": "11"}, f"{ONE} has turns 1 to 10, not '11'"),
        ({"turn": "four"}, f"{ONE} has turns 1 to 10, not 'four'"),
        (
            {"decision": "maybe"},
            f"{ONE}: the decision is 'maybe'; it must be keep, fix, drop or empty",
        ),
        ({"decision": "fix"}, f"{ONE}: the decision is fix, but nothing is corrected"),
        (
            {"decision": "keep", "new_text": "No."},
            f"{ONE}: the decision is keep, but turn 4 is corrected",
        ),
        (
            {"new_strategy": "Greeting"},
            f"{ONE} turn 4: strategy 'Greeting' for a turn of the customer",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_it_and_nothing_is_written(
    dataset, tmp_path, capsys, cells, says
):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], 4, **cells)
    assert (
        run("review", "import", folder, saved(tmp_path / "a.csv", rows), "--out", tmp_path / "out")
        == 1
    )
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_other_errors_of_a_table(dataset, tmp_path, capsys):
    folder = dataset(PLAIN)
    rows = exported(folder)

    def refused(table):
        assert run("review", "import", folder, table, "--out", tmp_path / "out") == 1
        return capsys.readouterr().err

    mark(rows, PLAIN[0], 1, new_strategy="Greetings", decision="fix")
    mark(rows, PLAIN[2], 1, decision="keep")
    mark(rows, PLAIN[2], 2, decision="drop")
    error = refused(saved(tmp_path / "a.csv", rows))
    assert (
        "2 problems" in error
        and "closest: Greeting" in error
        and f"{PLAIN[2].conversation_id}: its rows say drop and keep" in error
    )
    rows = exported_again = [dict(row, decision="", new_strategy="") for row in rows]
    assert "occurs twice" in refused(
        saved(tmp_path / "a.csv", [*rows, {**exported_again[0], "decision": "drop"}])
    )
    assert (
        run(
            "review",
            "import",
            folder,
            saved(tmp_path / "a.csv", [*rows, rows[0]]),
            "--out",
            tmp_path / "same",
        )
        == 1
    )
    capsys.readouterr()
    (tmp_path / "a.csv").write_text("what,ever\n1,2\n")
    assert "no column conversation_id" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes("编号,文字\n".encode("gb18030"))
    assert "CSV UTF-8" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(",".join(COLUMNS) + '\n"never closed')
    assert "line 2" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("")
    assert "found nothing" in refused(tmp_path / "a.csv")
    assert "is no file" in refused(tmp_path / "none.csv")
    assert run("review", "import", folder, tmp_path / "a.csv", "--out", folder) == 1
    for row in rows:
        row["decision"] = "drop"
    assert "no conversation is left" in refused(saved(tmp_path / "a.csv", rows))
    assert not (tmp_path / "out").exists()


def test_reviewers_who_disagree_are_reported_and_the_option_decides(dataset, tmp_path, capsys):
    folder = dataset(PLAIN)
    rows = exported(folder)
    mark(rows, PLAIN[0], decision="keep")
    mark(rows, PLAIN[1], decision="drop")
    mark(rows, PLAIN[2], 2, new_text="Anna's words")
    anna = saved(tmp_path / "anna.csv", rows)
    mark(rows, PLAIN[0], decision="drop")
    mark(rows, PLAIN[2], 2, new_text="Bo's words")
    bo = saved(tmp_path / "bo.csv", rows)
    assert run("review", "import", folder, anna, bo, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "2 disagreements" in error and f"{ONE}: anna.csv: keep; bo.csv: drop" in error
    assert "Anna's words" in error and "--on-conflict" in error
    for choice, left in (("drop", {PLAIN[3]}), ("keep", {PLAIN[0], PLAIN[2], PLAIN[3]})):
        assert (
            run(
                "review",
                "import",
                folder,
                anna,
                bo,
                "--out",
                tmp_path / choice,
                "--on-conflict",
                choice,
            )
            == 0
        )
        assert set(dialogues(tmp_path / choice)) == {one.conversation_id for one in left}
        assert f"disagreement, so {choice}: {ONE}" in capsys.readouterr().out
        assert (
            json.loads((tmp_path / choice / "build.json").read_text())["counts"][
                "review_disagreements"
            ]
            == 2
        )
