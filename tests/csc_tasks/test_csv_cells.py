"""The one writer of CSV: text is never a formula, numbers stay numbers, nobody writes past it."""

import ast
import csv
import io
from pathlib import Path

import pytest

from csc_tasks.csv_cells import GuardedWriter, guarded, unguarded

ROOT = Path(__file__).resolve().parents[2]
FORMULAS = ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0@x", "＝1", "－1"]


def written(cells, **settings):
    stream = io.StringIO()
    GuardedWriter(stream, **settings).row(cells)
    return next(csv.reader(io.StringIO(stream.getvalue(), newline="")))


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_gets_an_apostrophe_in_every_column(text):
    assert written([text, "x", text]) == [f"'{text}", "x", f"'{text}"]
    for cell in written([text], guard=guarded):
        assert cell.lstrip(" \u00a0").startswith("'") and unguarded(cell) == text


def test_other_text_and_numbers_stay_as_they_are():
    cells = ["a=b", "1-2", "x@y", "", "'quoted'", -0.5, 3, None, "多,行\n二"]
    assert written(cells) == ["a=b", "1-2", "x@y", "", "'quoted'", "-0.5", "3", "", "多,行\n二"]


def test_nobody_writes_csv_past_it():
    for package in ("csc_tasks", "builders", "trainers", "leaderboard"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name == "csv_cells.py":
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            names |= {
                alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module == "csv"
                for alias in node.names
            }
            assert not names & {"DictWriter", "to_csv"}, path
            text = path.read_text(encoding="utf-8")
            assert "csv.writer(" not in text and "import writer" not in text, path
