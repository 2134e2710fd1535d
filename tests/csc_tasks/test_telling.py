"""What verbs say and where: --quiet of all verbs, JSON documents on stdout, and that nothing else
decides it.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from csc_tasks import telling
from csc_tasks.arguments import Parser, add_json
from csc_tasks.cli import COMMANDS, main
from csc_tasks.telling import mention, show, show_document, speaking, tally, tell

ROOT = Path(__file__).resolve().parents[2]


def said():
    show("table", "of two lines")
    tally("1 read, 1 left out")
    tell("Wrote it")
    mention("half of it is done")


def test_what_stands_where(capsys):
    said()
    printed = capsys.readouterr()
    assert printed.out == "table\nof two lines\n1 read, 1 left out\nWrote it\n"
    assert printed.err == "half of it is done\n"


def test_quiet_leaves_what_was_asked_for_and_what_was_left_out(capsys):
    with speaking(quiet=True):
        said()
    printed = capsys.readouterr()
    assert printed.out == "table\nof two lines\n" and printed.err == "1 read, 1 left out\n"
    assert telling.QUIET not in os.environ and "TQDM_DISABLE" not in os.environ


def test_a_document_is_alone_on_stdout_and_has_no_token_that_json_lacks(capsys):
    with speaking(document=True):
        tally("1 read")
        print("a library says something")
        show("the table")
        show_document("-", {"a": 0.1 + 0.2, "b": float("nan"), "c": [float("inf"), "é"]})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": 0.30000000000000004, "b": None, "c": [None, "é"]}
    assert printed.err == "1 read\na library says something\n"
    with speaking(document=True):
        show_document("-", {"reply": "half \ud83d"})
    assert json.loads(capsys.readouterr().out) == {"reply": "half \ud83d"}


def test_a_document_in_a_file_stands_beside_the_text(tmp_path, capsys):
    show("the text")
    show_document(str(tmp_path / "new" / "x.json"), {"a": 1})
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == {"a": 1}
    printed = capsys.readouterr()
    assert printed.out == "the text\n"
    assert printed.err == f"wrote {tmp_path / 'new' / 'x.json'}\n"


def test_processes_that_a_quiet_verb_starts_are_quiet():
    script = "from csc_tasks.telling import tell, show; tell('done'); show('asked for')"
    with speaking(quiet=True):
        assert telling.stdout_of_steps() == subprocess.DEVNULL
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "asked for\n"
    assert telling.stdout_of_steps() is None


@pytest.mark.parametrize(
    ("words", "place", "others"),
    [
        (["board", "--json"], "-", ["board"]),
        (["--json", "board"], "-", ["board"]),
        (["--json", "-", "board"], "-", ["board"]),
        (["--json=-", "board"], "-", ["board"]),
        (["--json", "out.json", "board"], "out.json", ["board"]),
        (["--json=out", "board"], "out", ["board"]),
        (["--json", "--other", "board"], "-", ["board"]),
        (["board", "--", "--json"], None, ["board", "--json"]),
    ],
)
def test_what_follows_json_is_its_file_only_where_it_is_called_one(words, place, others):
    """`csc verify --json results/` must not write over the results."""
    parser = Parser(prog="csc x")
    parser.add_argument("results", nargs="+")
    parser.add_argument("--other", action="store_true")
    add_json(parser)
    args = parser.parse_args(words)
    assert (args.json, args.results) == (place, others)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--json", "out"], " (the name of --json's file ends in .json, or write --json=out)"),
        (["out", "--json"], ""),
    ],
)
def test_a_file_of_json_that_is_not_called_one_is_said(words, hint, capsys):
    parser = Parser(prog="csc x")
    parser.add_argument("results")
    add_json(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["board", *words])
    said = f"error: unrecognized arguments: out{hint}; `csc x --help` lists the options\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_takes_quiet(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([*verb.split(), "--help"])
    assert end.value.code == 0 and "--quiet" in capsys.readouterr().out


# What prints for another process of ours, before any verb speaks, or is the rule itself.
OTHER_RULES = {"csc_tasks/telling.py", "csc_tasks/cli.py", "csc_tasks/play/trial.py"}


def test_nothing_prints_to_stdout_past_the_rule():
    """`show`, `tally` or `tell` say which of the four a line is."""
    found = []
    for package in ("csc_tasks", "builders", "trainers", "leaderboard"):
        for file in (ROOT / package).rglob("*.py"):
            place = file.relative_to(ROOT).as_posix()
            if place in OTHER_RULES:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                to_stdout = ast.unparse(node.func) == "print" and not any(
                    keyword.arg == "file" for keyword in node.keywords
                )
                if to_stdout or ast.unparse(node.func) == "sys.stdout.write":
                    found.append(f"{place}:{node.lineno}")
    assert found == []
