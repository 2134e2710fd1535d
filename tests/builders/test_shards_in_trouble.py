"""Builds in parts where something goes wrong: parts that fail, still run, stand elsewhere or were
made by other commands. Nothing is asked twice, lost or built in another place.
"""

import importlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest

from csc_tasks.cli import guarded, main
from csc_tasks.cli import run as run_verb
from csc_tasks.llm.backends import ScriptedLLM
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Failure
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.journal.reading import read_rows, read_totals
from csc_tasks.llm.shards import Shard
from tests.support.csconv_builds import recorded, write
from tests.support.llm_server import Act, llm_server

QA = ("build", "qa", "--source", "calls.jsonl", "--llm", "scripted")


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write(Path("calls.jsonl"), recorded(6, "en"))
    return tmp_path / "work"


@pytest.fixture
def in_this_process(monkeypatch):
    """csc build merge starts the builder as a process, which takes seconds to import."""

    def start(command, cwd=None, **_):
        builder = importlib.import_module(command[2])
        before = os.getcwd()
        os.chdir(cwd or before)
        status = guarded(
            lambda: run_verb(None, "", builder.add_arguments, builder.main, command[3:])
        )
        os.chdir(before)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr("builders.merge.subprocess.run", start)


def parts(words, out, count=2, *more):
    for number in range(1, count + 1):
        assert main([*words, "--out", str(out), "--shard", f"{number}/{count}", *more]) == 0


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def state(path):
    """What a journal adds up to, and the state of every request."""
    totals = [(t.stage, t.tries, t.done, t.failed, t.given_up) for t in read_totals(path)]
    return sorted(totals), sorted((row["key"], row["state"]) for row in read_rows(path))


def test_a_merge_from_elsewhere_builds_where_the_parts_are(here, tmp_path, monkeypatch):
    out = "a [set] * of parts"
    assert main([*QA, "--out", "whole"]) == 0
    parts(QA, f"{out}/")
    # Of two sets whose names are alike, each has its own parts.
    parts(QA, f"{out}.shard-1-of-2", 3)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    # Another source of this name, which is not the parts'.
    write(Path("calls.jsonl"), recorded(2, "zh"))
    # --ask would pay for all of it again.
    assert main(["build", "merge", f"../work/{out}/", "--ask"]) == 0
    assert files_of(here / out) == files_of(here / "whole")
    assert [path.name for path in elsewhere.iterdir()] == ["calls.jsonl"]
    assert state(here / f"{out}.journal.sqlite") == state(here / "whole.journal.sqlite")


def test_a_link_to_the_folder_and_the_folder_itself_can_be_named(
    here, in_this_process, monkeypatch
):
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    parts(QA, "link")
    assert main(["build", "merge", "link"]) == 0
    (here / "real.journal.sqlite").unlink()
    monkeypatch.chdir(here / "real")
    assert main(["build", "merge", "."]) == 0


def test_a_source_that_lies_elsewhere_here_is_named(here, in_this_process, tmp_path, capsys):
    parts(QA, "set")
    moved = tmp_path / "another machine"
    moved.mkdir()
    for path in here.glob("set.*"):
        shutil.move(path, moved)
    shutil.move(here / "calls.jsonl", tmp_path / "found.jsonl")
    assert main(["build", "merge", str(moved / "set")]) == 1
    assert "calls.jsonl" in capsys.readouterr().err
    source = ["--source", os.path.relpath(tmp_path / "found.jsonl")]
    assert main(["build", "merge", str(moved / "set"), *source]) == 0
    assert (moved / "set" / "build.json").exists()


def test_joining_again_changes_nothing(here, in_this_process, monkeypatch):
    complete = ScriptedLLM.complete
    turns = []

    async def failing(self, request):
        turns.append(request.item_id)
        if len(turns) % 5 == 1:
            return Failure("server", "500: oops")
        if len(turns) == 7:
            return Failure("rejected", "400: too long", feature="too long")
        return await complete(self, request)

    monkeypatch.setattr(ScriptedLLM, "complete", failing)
    monkeypatch.setitem(LLM.__init__.__kwdefaults__, "first_pause", 0.001)
    parts(QA, "set")
    assert main(["build", "merge", "set"]) == 0
    once, files = state(here / "set.journal.sqlite"), files_of(here / "set")
    assert sum(total[1] for total in once[0]) == len(turns)
    for _ in range(2):
        assert main(["build", "merge", "set"]) == 0
    assert state(here / "set.journal.sqlite") == once and files_of(here / "set") == files


def test_what_was_given_up_and_answered_later_is_answered(here, in_this_process, monkeypatch):
    assert main([*QA, "--out", "whole"]) == 0
    asked = [row["item_id"] for row in read_rows(here / "whole.journal.sqlite")]
    complete, lost = ScriptedLLM.complete, asked[-1].partition("/")[0]

    async def rejecting(self, request):
        if request.stage == "refine" and request.item_id.startswith(lost):
            return Failure("rejected", "400: too long", feature="too long")
        return await complete(self, request)

    monkeypatch.setattr(ScriptedLLM, "complete", rejecting)
    parts(QA, "set")
    assert main(["build", "merge", "set"]) == 0
    run = json.loads((here / "set" / "run.json").read_text())
    assert run["dropped_without_a_reply"]
    # Asked again and given up again: the one that joins asks nothing, so nothing stays open.
    parts(QA, "set", 2, "--retry-dropped")
    assert main(["build", "merge", "set"]) == 0
    monkeypatch.setattr(ScriptedLLM, "complete", complete)
    # The other part has nothing to ask again.
    (owner,) = [n for n in (1, 2) if Shard(n, 2).owns(lost)]
    assert main([*QA, "--out", "set", "--shard", f"{owner}/2", "--retry-dropped"]) == 0
    assert main(["build", "merge", "set"]) == 0
    assert files_of(here / "set") == files_of(here / "whole")
    run = json.loads((here / "set" / "run.json").read_text())
    assert run["dropped_without_a_reply"] == []
    assert sum(stage["given_up"] for stage in run["stages"].values()) == 0
    own = [read_totals(here / f"set.shard-{n}-of-2.journal.sqlite") for n in (1, 2)]
    tries = sum(total.tries for totals in own for total in totals)
    assert sum(total.tries for total in read_totals(here / "set.journal.sqlite")) == tries


@pytest.mark.parametrize("name", ["set.shard-2-of-2.journal.sqlite", "set.journal.sqlite"])
def test_nothing_is_joined_while_a_journal_is_written(here, in_this_process, capsys, name):
    parts(QA, "set")
    with Journal(here / name) as journal:
        asked = len(list(read_rows(here / name)))
        assert main(["build", "merge", "set", "--ask"]) == 1
        assert f"{name} is in use by process {os.getpid()}" in capsys.readouterr().err
        assert len(list(read_rows(journal.path))) == asked
    assert not (here / "set").exists()
    assert main(["build", "merge", "set"]) == 0


def test_limits_may_differ_and_versions_may_not(here, in_this_process, monkeypatch, capsys):
    assert main([*QA, "--out", "set", "--shard", "1/2", "--max-requests", "500"]) == 0
    price = ["--price", "1,1", "--max-cost", "3", "--stop-after-failures", "9"]
    assert main([*QA, "--out", "set", "--shard", "2/2", *price]) == 0
    assert main(["build", "merge", "set"]) == 0
    monkeypatch.setattr("csc_tasks.__version__", "0.0.1")
    assert main([*QA, "--out", "set", "--shard", "2/2"]) == 0
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert main(["build", "merge", "set"]) == 1
    assert "part 2/2 was made by csc-tasks 0.0.1, and this is" in capsys.readouterr().err


def test_records_that_are_anothers_are_named(here, capsys):
    parts(QA, "set")
    shutil.copy(here / "set.shard-1-of-2.json", here / "set.shard-2-of-2.json")
    assert main(["build", "merge", "set"]) == 1
    assert "set.shard-2-of-2.json does not say which part it is" in capsys.readouterr().err


def test_embeddings_are_asked_once_and_by_the_one_that_joins(here, in_this_process, monkeypatch):
    embedded = []

    def embed(texts, model, base_url):
        embedded.append(len(texts))
        return numpy.eye(len(texts))

    monkeypatch.setattr("builders.profiles.build.embed", embed)
    words = ("build", "profiles", "--source", "calls.jsonl", "--llm", "scripted")
    words = (*words, "--embed", "openai:model")
    parts(words, "set")
    assert embedded == []
    assert main(["build", "merge", "set"]) == 0
    assert embedded == [6]


def test_who_joins_needs_no_key_and_no_server(here, in_this_process, monkeypatch):
    words = ("build", "qa-stages", "demo", "--limit", "12", "--llm", "openai:model")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-7f3a9c1e5b2d8064")
    with llm_server(lambda body, _: Act('{"reason": "Why.", "stage": "mid"}')) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        parts(words, "set")
        asked = server.count
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    assert main(["build", "merge", "set"]) == 0
    assert sum(total.done for total in read_totals(here / "set.journal.sqlite")) == asked
    for path in here.rglob("*"):
        assert path.is_dir() or b"7f3a9c1e5b2d8064" not in path.read_bytes()
