"""`make real`: its table of cells, what is run again and what is not, the time left, and a few
cells of a random model from end to end.
"""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import cells as table
from benchmarks import real
from csc_tasks.cli import COMMANDS
from tests.support.models import make_model
from tests.support.quick_lm_eval import only_our_tasks_in_processes

ROOT = Path(__file__).resolve().parents[1]


def cells_of(*words):
    return list(real.matrix(real.options().parse_args([*map(str, words)])))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{}")
    return tmp_path / "tiny"


def test_the_whole_matrix_is_there_for_the_untrained_model(folder):
    cells = cells_of("--model", folder, "--star", "STAR")
    names = [cell.name for cell in cells]
    for corpus in ("demo", "star"):
        assert f"baselines-{corpus}" in names
        for style in ("single", "chat"):
            for form in ("text", "json"):
                assert f"score-{corpus}-{style}-{form}" in names
    # Asking again takes long: once, and in reference context alone.
    (again,) = (cell for cell in cells if cell.name.endswith("-reask"))
    assert again.name == "score-star-chat-reask" and "csc_conv_ref" in again.words
    trained = [name for name in names if name.startswith("train-")]
    assert trained == [
        "train-lora-rolecs_paper-star-seed0",
        "train-qlora-rolecs_paper-star-seed0",
        "train-lora-rolecs-star-seed0",
        "train-qlora-rolecs-star-seed0",
    ]
    assert all(f"score-star-{name.removeprefix('train-')}" in names for name in trained)
    assert names[-2:] == ["board", "tables"] and len(set(names)) == len(names)


def test_without_star_the_demo_is_all(folder):
    names = " ".join(cell.name for cell in cells_of("--model", folder))
    assert "star" not in names and "train-qlora-rolecs-demo-seed0" in names


def test_in_full_the_chat_recipe_has_three_seeds_on_every_corpus(folder):
    cells = cells_of("--model", folder, "--star", "STAR", "--full")
    trained = [cell.name for cell in cells if cell.name.startswith("train-")]
    assert len(trained) == 2 * (2 * 1 + 2 * 3)
    assert "train-lora-rolecs-demo-seed2" in trained
    assert not any("--limit" in cell.words or "--train-size" in cell.words for cell in cells)
    assert sum(cell.name.endswith("-reask") for cell in cells) == 4


def test_conditions_are_the_same_in_every_cell(folder):
    cells = cells_of("--model", folder, "--star", "STAR", "--limit", "5", "--tokens", "7")
    scored = [cell.words for cell in cells if cell.name.startswith("score-")]
    assert len(scored) == 2 * 2 * 2 + 1 + 4
    for words in scored:
        given = dict(itertools.pairwise(words))
        assert (given["--limit"], given["--gen_kwargs"]) == ("5", "max_gen_toks=7")
    baselines = [cell.words for cell in cells if cell.name.startswith("baselines-")]
    assert all(words[words.index("--limit") + 1] == "5" for words in baselines)


def test_every_cell_is_a_verb_and_comes_after_what_it_needs(folder):
    done = set()
    for cell in cells_of("--model", folder, "--star", "STAR"):
        assert set(cell.needs) <= done
        done.add(cell.name)
        assert cell.words[:3] == (sys.executable, "-m", "csc_tasks.cli")
        words = cell.words[3:]
        verb = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        module = __import__(COMMANDS[verb][0], fromlist=["add_arguments"])
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        rest = list(words[len(verb.split()) :])
        parser.parse_args(["--", *rest] if parser.get_default("passes_on") else rest)


def test_a_gguf_file_is_unpacked_first(tmp_path):
    (tmp_path / "Some-Model.Q4_1.gguf").write_bytes(b"GGUF")
    first, *others = cells_of("--model", tmp_path, "--out", tmp_path / "out")
    assert first.name == "model" and first.makes == tmp_path / "out" / "models" / "Some-Model"
    reading = {cell.name for cell in others if str(first.makes) in " ".join(cell.words)}
    assert {cell.name for cell in others if "model" in cell.needs} == {
        name for name in reading if "lora" not in name or name.startswith("train-")
    }


def python(code, *words):
    return (sys.executable, "-c", code, *map(str, words))


APPEND = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
"""Its outcome is longer after every run that found an earlier one."""


def test_only_what_changed_is_run_again(tmp_path, capsys):
    one, other, both = (tmp_path / name for name in ("one", "other", "both"))

    def cells(text):
        return [
            table.Cell("one", python(APPEND, one, text), one),
            table.Cell("other", python(APPEND, other, "b"), other),
            table.Cell("both", python(APPEND, both, "c"), both, needs=("one",), resumes=True),
        ]

    def run(text):
        assert table.run_all(cells(text), tmp_path, (), None) == 0
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]

    assert all("left" in line for line in run("a"))
    assert all("has run" in line for line in run("a"))
    assert (one.read_text(), other.read_text(), both.read_text()) == ("a", "b", "c")
    lines = run("x")
    assert ["has run" in line for line in lines] == [False, True, False]
    # What an earlier command made is gone; what was made from it is made again.
    assert (one.read_text(), both.read_text()) == ("x", "c")
    other.unlink()
    assert ["has run" in line for line in run("x")] == [True, False, True]


def test_a_cell_that_fails_stops_and_is_run_again(tmp_path, capsys):
    made = tmp_path / "made"
    code = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(print('no room') or 3)"
    cells = [
        table.Cell("bad", python(code, made), made),
        table.Cell("next", python(APPEND, tmp_path / "next", "x"), tmp_path / "next"),
    ]
    for _ in range(2):
        assert table.run_all(cells, tmp_path, (), None) == 1
        err = capsys.readouterr().err
        assert err.startswith("no room\nerror: bad ended with status 3 (")
        assert made.read_text() == "x" and not (tmp_path / "next").exists()


MEETING = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
end = time.monotonic() + 30
while not other.exists():
    if time.monotonic() > end:
        sys.exit("nobody came")
    time.sleep(0.01)
"""


def test_two_run_at_once_and_none_before_what_it_needs(tmp_path, capsys):
    one, other, after, last = (tmp_path / name for name in ("one", "other", "after", "last"))
    saw = (
        "import os, sys; print(sorted(map(os.path.basename, filter(os.path.exists, sys.argv[1:]))))"
    )
    cells = [
        table.Cell("one", python(MEETING, one, other), one),
        table.Cell("after", python(saw, one, other), after, ("one", "other"), prints=True),
        table.Cell("other", python(MEETING, other, one), other),
        table.Cell("last", python(saw, after), last, ("after",), prints=True),
    ]
    assert table.run_all(cells, tmp_path, jobs=2) == 0
    assert after.read_text() == "['one', 'other']\n" and last.read_text() == "['after']\n"
    assert table.finished(cells, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "[1/4] one",
        "[3/4] other",
        "[2/4] after",
        "[4/4] last",
    ]
    # 4 cells of 20 s, two at once.
    assert lines[0].endswith("; about 40 s left")
    record = json.loads((tmp_path / "cells" / "one.json").read_text())
    assert 0 < record["cpu_seconds"] < 30


def test_what_runs_beside_a_failure_is_not_lost(tmp_path, capsys):
    bad = python("import sys; sys.exit('no room')")
    good = "import sys, time; time.sleep(0.3); open(sys.argv[1], 'w').write('whole')"
    cells = [
        table.Cell("bad", bad, tmp_path / "bad"),
        table.Cell("good", python(good, tmp_path / "good"), tmp_path / "good"),
        table.Cell("third", python(good, tmp_path / "third"), tmp_path / "third"),
    ]
    assert table.run_all(cells, tmp_path, jobs=2) == 1
    assert "no room\nerror: bad ended with status 1" in capsys.readouterr().err
    assert (tmp_path / "good").read_text() == "whole" and not (tmp_path / "third").exists()
    assert "ended" in json.loads((tmp_path / "cells" / "good.json").read_text())


def test_an_outcome_that_is_printed_appears_whole_or_not_at_all(tmp_path, capsys):
    made = tmp_path / "made"
    made.write_text("earlier")
    cut = table.Cell("cut", python("print('half'); raise SystemExit(2)"), made, prints=True)
    assert table.run_all([cut], tmp_path) == 1
    assert not made.exists() and "half\nerror: cut ended" in capsys.readouterr().err


def test_no_cell_is_started_after_the_time_is_over(tmp_path, capsys):
    cells = [table.Cell("one", python(APPEND, tmp_path / "one", "x"), tmp_path / "one")]
    assert table.run_all(cells, tmp_path, minutes=0) == 0
    assert capsys.readouterr().out == "not run after 0 min: 1 cells; about 20 s left\n"
    assert not table.finished(cells, tmp_path)


KILLED = """
import sys
from pathlib import Path
from benchmarks import cells as table
from benchmarks import cells as table
out = Path(sys.argv[1])
def cell(name, code, resumes):
    words = (sys.executable, "-c", code, str(out / name))
    return table.Cell(name, words, out / name, resumes=resumes)
begin = "import sys, time, pathlib; p = pathlib.Path(sys.argv[1]); p.mkdir(exist_ok=True); "
slow = "n = len(list(p.iterdir())); (p / str(n)).touch(); time.sleep(0 if n else 600)"
cells = [cell("first", begin, False), cell("training", begin + slow, True)]
sys.exit(table.run_all(cells, out, (), None))
"""


def test_after_a_kill_the_training_goes_on(tmp_path):
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen(words, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    for _ in range(6000):
        if (tmp_path / "training" / "0").exists():
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    record = json.loads((tmp_path / "cells" / "training.json").read_text())
    assert "ended" not in record
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, training, *_ = done.stdout.splitlines()
    assert first.startswith("[1/2] first: has run") and "about" in training
    # Its folder was left as the kill left it.
    assert sorted(path.name for path in (tmp_path / "training").iterdir()) == ["0", "1"]


def test_time_left_goes_by_how_the_others_went(tmp_path):
    cells = [
        table.Cell(name, (), tmp_path, seconds=s)
        for name, s in zip("abc", (180, 60, 240), strict=True)
    ]
    ended = {"words": [], "made_from": {}, "expected": 180, "seconds": 480.0, "ended": 1.0}
    none = {cell.name: {} for cell in cells}
    assert table.time_left(cells, none) == "about 8 min left"
    # 480 s instead of 180, beside 120 s as expected: twice as long as expected.
    assert table.time_left(cells, none | {"a": ended}) == "about 10 min left"
    assert table.time_left(cells[:2], none | {"a": ended}) == "about 2 min left"
    quick = ended | {"seconds": 30.0}
    assert table.time_left(cells[:2], none | {"a": quick}) == "about 30 s left"


def test_a_few_cells_of_a_random_model(tmp_path, monkeypatch):
    """The demo's baselines and one style in two contexts, two conversations of four tokens."""
    for name, value in only_our_tasks_in_processes(tmp_path / "start").items():
        monkeypatch.setenv(name, value)
    model = make_model(tmp_path / "tiny", positions=8192)
    words = ["--model", model, "--out", tmp_path / "out", "--limit", 2, "--tokens", 4]
    wanted = {"baselines-demo", "score-demo-chat-text", "board", "tables"}
    cells = [
        real.replace(cell, needs=tuple(wanted.intersection(cell.needs)))
        for cell in cells_of(*words)
        if cell.name in wanted
    ]
    assert table.run_all(cells, tmp_path / "out", (), None) == 0
    shown = (tmp_path / "out" / "tables.md").read_text(encoding="utf-8")
    rows = [line for line in shown.splitlines() if line.startswith("| demo | chat | tiny |")]
    # Of random letters none is a strategy: 0 % in both contexts, unparsed 100 %.
    conversations = rows[0].split(" | ")
    assert conversations[3].startswith("0.0 (") and conversations[4].startswith("0.0 (")
    assert "limited to 2 documents" in shown and "4" in shown.split("Generation:")[1][:30]
    assert "| demo | – | *majority* |" in shown
    said = (tmp_path / "out" / "logs" / "board.log").read_text(encoding="utf-8")
    assert "Nobody leads: " in said or " leads in " in said
    assert (tmp_path / "out" / "board" / "index.html").is_file()
