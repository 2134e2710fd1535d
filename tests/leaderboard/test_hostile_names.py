"""Verbs that write, on results whose models and files have hostile names: everything lies in --out,
and every table can be opened in a spreadsheet.
"""

import csv
import io
import json
import re

import pytest

from csc_tasks.cli import main
from leaderboard.folder import load_board
from leaderboard.tables import as_csv
from tests.support.board_example import BASE, example_board
from tests.support.hostile_names import HOSTILE
from tests.support.judged_models import gold, write_model
from tests.support.made_results import conversation_result, conversations, right, write_run

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1")
# Half a surrogate pair is refused when results are read.
NAMES = tuple(name for name in HOSTILE if "\ud83d" not in name)


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of every model of NAMES that has a name."""
    root = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(NAMES):
        if name.strip():
            result = conversation_result("csc_conv_ref", conversations(3), right(0.5))
            write_run(root / str(number), name, [result])
    return root


def test_a_board_of_hostile_models_lies_in_its_folder(runs, tmp_path):
    # The files' own names come from submitters too.
    result = conversation_result("csc_conv_ref", conversations(3), right(1.0))
    file = write_run(tmp_path / "in", "org/odd", [result])
    odd = file.rename(file.with_name(f"results_2026\\..\\{'x' * 150} \x07.json")).parent
    before = tree(tmp_path)
    assert main(["collect", str(runs), str(odd), "--out", str(tmp_path / "board")]) == 0
    board = load_board(tmp_path / "board")
    assert len(board.models) >= sum(bool(name.strip()) for name in NAMES) - 1
    made = tree(tmp_path) - before
    assert all(name == "board" or name.startswith("board/") for name in made)
    plain = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,79}/)*[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
    assert [name for name in made if not plain.fullmatch(name)] == []
    assert len({name.casefold() for name in made}) == len(made)
    assert any(
        re.fullmatch(r"board/raw/org__odd/results_2026.*x-[0-9a-f]{6}\.json", name) for name in made
    )
    assert main(["publish", str(tmp_path / "board"), "--repo-id", "org/results"]) == 0
    assert main(["tables", str(tmp_path / "board"), "--format", "csv"]) == 0


def test_columns_of_judges_of_a_hostile_model_lie_in_out(tmp_path):
    write_model(tmp_path / "in", "../../x", gold, documents=3, tasks=("csc_qa",), language="en")
    before = tree(tmp_path)
    words = ["judge", str(tmp_path / "in"), "--llm", "scripted", "--out", str(tmp_path / "out")]
    assert main([*words, "--conversations", "2"]) == 0
    made = tree(tmp_path) - before
    assert made and all(re.match(r"out(?:$|[/.])", name) for name in made)
    file = next((tmp_path / "out").rglob("results_*.json"))
    assert json.loads(file.read_text(encoding="utf-8"))["model_name"] == "x"


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_table_is_a_formula(text):
    """Whatever a board's file holds in any of its names: metrics, signatures, sources, marks."""
    example = example_board()
    board = example.model_copy(
        update={
            "models": {
                slug: model.model_copy(
                    update={"name": text, "base_name": text} if slug == BASE else {}
                )
                for slug, model in example.models.items()
            },
            "tables": tuple(
                table.model_copy(
                    update={
                        "columns": tuple(
                            column.model_copy(
                                update={
                                    "task": text,
                                    "metric": text,
                                    "signature": text,
                                    "language": text,
                                }
                            )
                            for column in table.columns
                        ),
                        "reported": tuple(
                            row.model_copy(update={"name": text, "source": text})
                            for row in table.reported
                        ),
                    }
                )
                for table in example.tables
            ),
        }
    )
    cells = [cell for row in csv.reader(io.StringIO(as_csv(board, board.tables))) for cell in row]
    assert f"'{text}" in cells
    for cell in cells:
        number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
        assert number or cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n＝＋－＠"), cell
