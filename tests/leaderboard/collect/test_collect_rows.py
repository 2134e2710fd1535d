"""Rows of a board: which may stand together, and how those of one name are told apart."""

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from leaderboard.folder import load_report
from tests.support.collecting import TASK, board_of, run
from tests.support.made_results import (
    csc_of,
    right,
)


def provenance(**values):
    return lambda results: csc_of(results).update(values)


def unsigned(results):
    csc_of(results)["signatures"]["bleu_2"] = "bleu|another:version"


def limited(results):
    results["n-samples"][TASK] = {"original": 600, "effective": 12}


def older(results):
    results["configs"][TASK]["metadata"]["version"] = 0.9


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (provenance(content_hash="f" * 16), "corpus", "with content ffffffffffffffff"),
        (provenance(prompt="chat"), "prompt", "prompt style is single"),
        (provenance(format="json"), "prompt", "single-json for org/two"),
        (provenance(reask=1), "prompt", "single-reask for org/two"),
        (lambda results: results.update(chat_template=None), "chat_template", "not applied"),
        (older, "version", "task version is"),
        (limited, "limit", "12 documents"),
        (unsigned, "signatures", "signature of bleu_2 is"),
    ],
)
def test_rows_that_differ_are_an_error_or_separate_tables(tmp_path, change, field, words):
    run(tmp_path / "runs", "org/one")
    run(tmp_path / "runs", "org/two", change=change)
    with pytest.raises(DataError, match="rows that cannot be compared") as error:
        board_of(tmp_path / "runs", out=tmp_path / "board")
    assert (
        words in str(error.value)
        and "org/one" in str(error.value)
        and "org/two" in str(error.value)
    )
    assert f"--split-by {field}" in str(error.value) and not (tmp_path / "board").exists()
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=[field])
    assert [len(table.rows) for table in board.tables] == [1, 1]
    assert len({table.id for table in board.tables}) == 2 and not any(
        table.comparisons for table in board.tables
    )
    with pytest.raises(SettingError, match="there are version, corpus"):
        board_of(tmp_path / "runs", out=tmp_path / "board", split=["colour"])


def test_tables_of_several_corpora_are_titled_by_their_names(tmp_path):
    """Not by their hashes, which say nothing to a reader; two contents of one name need a digit."""
    names = {"one": "org/first", "two": "/home/somebody/second"}
    for name, corpus in names.items():
        change = provenance(corpus=corpus, content_hash=name[0] * 16)
        run(tmp_path / "runs", f"org/{name}", change=change)
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["corpus"])
    assert [table.title for table in board.tables] == [
        "Conversations (corpus: org/first)",
        "Conversations (corpus: second)",
    ]
    run(
        tmp_path / "runs", "org/three", change=provenance(corpus="org/first", content_hash="e" * 16)
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["corpus"])
    assert sorted(table.title for table in board.tables) == [
        "Conversations (corpus: org/first, content eeeeeeee)",
        "Conversations (corpus: org/first, content oooooooo)",
        "Conversations (corpus: second)",
    ]


def test_how_the_requests_were_played_does_not_part_rows(tmp_path):
    run(tmp_path / "runs", "org/one", change=provenance(play={"mode": "lockstep"}))
    run(
        tmp_path / "runs",
        "org/two",
        change=provenance(play={"mode": "plain", "reason": "csc_play=plain"}),
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert [len(table.rows) for table in board.tables] == [2]


def test_two_commits_of_a_corpus_are_not_mixed(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / "runs", f"org/{name}", change=provenance(revision=name * 10))
    with pytest.raises(DataError, match="corpus revision is oneoneone"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_a_baseline_stands_in_every_table_of_its_corpus(tmp_path):
    run(tmp_path / "runs", "org/one")
    run(tmp_path / "runs", "org/one", change=provenance(prompt="chat"))

    def baseline(results):
        results["config"]["model"] = "baseline/majority"
        del csc_of(results)["prompt"], results["chat_template"]

    run(tmp_path / "runs", "baseline/majority", right(0.25), change=baseline)
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["prompt"])
    assert [sorted(row.model for row in table.rows) for table in board.tables] == [
        ["baseline__majority", "org__one"]
    ] * 2
    assert {table.setting.prompt for table in board.tables} == {"single", "chat"}
    assert {d.table for d in load_report(tmp_path / "board", "org__one").diagnoses} == {
        table.id for table in board.tables
    }


def test_rows_of_one_name_are_labelled_with_the_settings_that_differ(tmp_path):
    run(
        tmp_path / "old",
        "org/one",
        right(0.25),
        change=lambda r: r.update(date=1_700_000_000.0),
        batch_size=1,
    )
    run(tmp_path / "new", "org/one", right(1), device="cuda")
    run(tmp_path / "half", "org/one", right(0.5), dtype="bfloat16")
    folders = (tmp_path / "new", tmp_path / "old", tmp_path / "half")
    board = board_of(*folders, out=tmp_path / "board", replace=True)
    # How it was run (device, batch size) does not make another model; another type of number does.
    assert {
        board.models[row.model].label: row.values[f"{TASK}/strategy_acc"].value
        for row in board.tables[0].rows
    } == {
        "org/one (dtype=bfloat16)": 0.5,
        "org/one (dtype=default)": 1.0,
    }


def test_one_model_with_and_without_thinking_is_two_rows(tmp_path):
    def thought(tokens):
        return lambda results: csc_of(results).update(
            thinking={"family": "think", "thinks": True, "switched_off": {}, "tokens": tokens}
        )

    run(tmp_path / "on", "org/one", right(1), change=thought(2048))
    run(tmp_path / "off", "org/one", right(0.5), change=thought(0))
    board = board_of(tmp_path / "on", tmp_path / "off", out=tmp_path / "board")
    assert {
        board.models[row.model].label: row.values[f"{TASK}/strategy_acc"].value
        for row in board.tables[0].rows
    } == {
        "org/one (thinking=up to 2048 tokens)": 1.0,
        "org/one (thinking=default)": 0.5,
    }


def test_duplicates_are_told(tmp_path):
    old = run(
        tmp_path / "old", "org/one", right(0.25), change=lambda r: r.update(date=1_700_000_000.0)
    )
    new = run(tmp_path / "new", "org/one", right(1))
    board = board_of(tmp_path, out=tmp_path / "board")
    assert board.notes == (
        f"org/one, {TASK}: 2 runs with the same settings; kept {new.name}, left out {old.name}",
    )
    assert board.tables[0].rows[0].values[f"{TASK}/strategy_acc"].value == 1.0
    # The copy in the board is no third run, and the folder can be made again.
    assert board_of(tmp_path, out=tmp_path / "board") == board


def test_rescored_results_are_newer(tmp_path):
    run(tmp_path / "runs", "org/one")
    assert (
        main(
            [
                "score",
                str(tmp_path / "runs"),
                "--metrics",
                "bleu_2",
                "--out",
                str(tmp_path / "runs" / "again"),
            ]
        )
        == 0
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert len(board.tables[0].rows) == 1 and "2 runs with the same settings" in board.notes[0]
    (again,) = (tmp_path / "runs" / "again").rglob("results_*.json")
    assert again.name in board.notes[0].split("kept ")[1].split(",")[0]


def test_without_samples_there_are_numbers_and_no_comparison(tmp_path):
    run(tmp_path / "runs", "org/one")
    file = run(tmp_path / "runs", "org/two", right(0.5))
    for samples in file.parent.glob("samples_*"):
        samples.unlink()
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    row = next(row for row in board.tables[0].rows if row.model == "org__two")
    assert row.values[f"{TASK}/strategy_acc"].value == 0.5 and not row.runs[TASK].samples
    assert (
        not board.tables[0].comparisons
        and not board.tables[0].best
        and "no samples file" in board.notes[0]
    )


def test_files_of_a_later_lm_eval_are_read(tmp_path):
    def later(results):
        results |= {"new_thing": {"a": [1]}, "chat_template_sha": 5}
        results["config"]["another"] = "thing"
        results["results"]["hellaswag"] = {"acc,none": 0.5}
        results["configs"]["hellaswag"] = {"metadata": {}}
        csc_of(results)["project"] = "9.0"

    run(tmp_path / "runs", "org/one", change=later)
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert (
        board.tables[0].rows[0].runs[TASK].project == "9.0"
        and "not csc tasks: hellaswag" in board.notes[0]
    )
