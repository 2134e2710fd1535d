"""What an earlier version wrote (tests/data/earlier_run) still reads, with the same numbers."""

import json
from pathlib import Path

import pytest

from csc_tasks.cli import main
from leaderboard.folder import load_board, load_report
from leaderboard.judging.units import WHOLE, read_models

RUN = Path(__file__).resolve().parents[2] / "data" / "earlier_run"
TASKS = ("csc_conv_gen", "csc_qa", "cscx_strategy_choice")


@pytest.fixture(scope="module")
def results():
    """The stored results: they say nothing of what their tasks are."""
    stored = json.loads(next(RUN.glob("results_*.json")).read_text(encoding="utf-8"))
    assert set(stored["results"]) == set(TASKS)
    assert all("generated" not in stored["configs"][task]["metadata"]["csc"] for task in TASKS)
    return stored["results"]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("earlier") / "board"
    assert main(["collect", str(RUN), "--out", str(root)]) == 0
    return root


def test_the_numbers_are_those_of_the_file(results, board):
    tables = load_board(board).tables
    assert {table.kind: {column.group for column in table.columns} for table in tables} == {
        "conversations": {"Generated context"},
        "questions": {"Answers"},
        "strategy_choice": {"Strategy choice"},
    }
    for table in tables:
        for key, value in table.rows[0].values.items():
            task, _, name = key.partition("/")
            stored, error = (results[task][f"{name}{part},none"] for part in ("", "_stderr"))
            assert value.value == (None if stored == "N/A" else pytest.approx(stored)), key
            assert value.stderr == (None if error == "N/A" else pytest.approx(error)), key


def test_its_generated_context_is_still_one(board):
    (model,) = load_board(board).models
    facts = {diagnosis.task: diagnosis.facts for diagnosis in load_report(board, model).diagnoses}
    assert facts["csc_conv_gen"].support[0] == "history without the model's own turns"
    assert facts["csc_qa"].support[0] == "history" and facts["cscx_strategy_choice"] is None


def test_its_replies_can_be_rated(results):
    judged = {one.task: one for one in read_models([RUN])}
    assert set(judged) == {"csc_conv_gen", "csc_qa"}
    assert {unit.kind for unit in judged["csc_conv_gen"].units.values()} == {"conversation"}
    assert {unit.turn for unit in judged["csc_conv_gen"].units.values()} == {WHOLE}
    assert {unit.kind for unit in judged["csc_qa"].units.values()} == {"answer"}
    assert len(judged["csc_qa"].units) == results["csc_qa"]["answers,none"] == 4


def test_it_can_be_scored_again(results, tmp_path):
    assert main(["score", str(RUN), "--out", str(tmp_path)]) == 0
    again = {}
    for file in tmp_path.rglob("results_*.json"):
        again |= json.loads(file.read_text(encoding="utf-8"))["results"]
    assert set(again) == set(TASKS)
    for task in TASKS:
        for name, value in results[task].items():
            assert again[task][name] == (
                pytest.approx(value) if isinstance(value, float) else value
            ), (task, name)
