"""docs/explanation/habits.md: what we say of ourselves is there, and every file that is named of
another project has its version among the sources.
"""

import argparse
import importlib
import re
import subprocess
from pathlib import Path

import pytest

from csc_tasks import __version__
from csc_tasks.arguments import add_quiet
from csc_tasks.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "habits.md").read_text(encoding="utf-8")
HEAD, *ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith("|--")
]
OTHERS = HEAD[2:]
# In a cell of another project, what stands in code and is no file: an option or a make target.
NO_FILE = re.compile(r"--|make ")


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_there_is_a_table():
    assert OTHERS == ["sacrebleu", "inspect_ai", "lighteval", "tau2-bench"]
    assert len(ROWS) >= 25 and all(len(row) == len(HEAD) and all(row) for row in ROWS)


@pytest.mark.parametrize("habit", ROWS, ids=lambda row: row[0])
def test_ours_is_there(habit, capsys):
    """A file exists, a make target and an option too; without either the cell says "no"."""
    named = code(habit[1])
    assert named or habit[1].startswith("no ")
    for text in named:
        if text.startswith("make "):
            done = subprocess.run(["make", "-n", text[5:]], cwd=ROOT, capture_output=True)
            assert done.returncode == 0, text
        elif text == "csc --version":
            assert main(["--version"]) == 0
            assert capsys.readouterr().out == f"csc-tasks {__version__}\n"
        elif text.startswith("csc "):
            verb, *options = text[4:].split()
            parser = argparse.ArgumentParser()
            importlib.import_module(COMMANDS[verb][0]).add_arguments(parser)
            add_quiet(parser)
            known = {name for action in parser._actions for name in action.option_strings}
            assert {word for word in options if word.startswith("-")} <= known, text
        else:
            assert (ROOT / text).is_file(), text


def sources():
    """Project -> file -> the commit or wheel that it was seen in."""
    found = {}
    for entry in re.split(r"\n- ", PAGE.split("\n## Sources\n")[1])[1:]:
        name, listed = re.match(r"\*\*(.+?)\*\*: (.*)", entry, re.DOTALL).groups()
        pairs = re.findall(r"`([^`]+)`\s+(\w{7}\b|\*wheel\*)", listed)
        assert len(pairs) == len(code(listed)), name
        found[name] = dict(pairs)
    return found


@pytest.mark.parametrize("place", range(len(OTHERS)), ids=OTHERS)
def test_every_file_of_theirs_has_a_source(place):
    given = sources()[OTHERS[place]]
    named = set()
    for habit, *cells in ROWS:
        cell = cells[place + 1]
        files = [text for text in code(cell) if not NO_FILE.match(text)]
        # A cell either says that we saw nothing, or names a file.
        assert files or cell.startswith(("not seen", "nothing runs long")), (habit, cell)
        named |= {text for text in files if text != "docs/hub-registration.md"}
    assert named == set(given)
