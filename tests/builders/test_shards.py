"""Builds in parts: whatever their number, joined they are the build on one machine, byte for byte,
and no request is sent by two.
"""

import importlib
import json
import shutil
import subprocess

import pytest

from csc_tasks.cli import guarded, main
from csc_tasks.cli import run as run_verb
from csc_tasks.errors import SettingError
from csc_tasks.llm.journal.reading import read_rows
from csc_tasks.llm.shards import Shard
from tests.support.csconv_builds import recorded, write

BUILDS = {
    "qa": ("build", "qa", "--source", "calls.jsonl"),
    "csconv": ("build", "csconv", "--source", "topics.jsonl"),
    "csconv, topics asked, capped": (
        *("build", "csconv", "--source", "calls.jsonl", "--per-topic", "1"),
    ),
    "csconv, limited": ("build", "csconv", "--source", "topics.jsonl", "--limit", "4"),
    "rolecs": (
        "build",
        "rolecs",
        "--topics",
        "Technical Support and Online Services",
        "--language",
        "en",
        "--limit",
        "5",
    ),
    "profiles": ("build", "profiles", "--source", "calls.jsonl"),
    "qa-stages": ("build", "qa-stages", "demo", "--limit", "30"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    write(folder / "calls.jsonl", [*recorded(8, "en"), *recorded(6, "zh")])
    write(folder / "topics.jsonl", [*recorded(10, "en", topic=True)])
    return folder


@pytest.fixture
def here(tmp_path, sources, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in sources.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


def run(words, *more):
    return main([*words, "--llm", "scripted", *map(str, more)])


@pytest.fixture
def in_this_process(monkeypatch):
    """csc build merge starts the builder as a process, which takes seconds to import."""

    def start(command, **_):
        _, dash_m, module, *words = command
        assert dash_m == "-m"
        builder = importlib.import_module(module)
        status = guarded(lambda: run_verb(None, "", builder.add_arguments, builder.main, words))
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr("builders.merge.subprocess.run", start)


def files_of(folder):
    """Name -> bytes of everything that two builds must have in common."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }
    beside = (folder.with_name(f"{folder.name}.{name}.jsonl") for name in ("originals", "judged"))
    return files | {
        path.name.removeprefix(folder.name): path.read_bytes() for path in beside if path.exists()
    }


def asked(path):
    return [row["key"] for row in read_rows(path) if row["state"] == "done"]


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("name", BUILDS)
def test_parts_make_the_build_of_one_machine(here, in_this_process, capfd, name, count):
    words = BUILDS[name]
    assert run(words, "--out", "whole") == 0
    passes = 0
    while True:
        passes += 1
        for number in range(1, count + 1):
            assert run(words, "--out", "parts", "--shard", f"{number}/{count}") == 0
            assert not (here / "parts").exists()
        capfd.readouterr()
        if main(["build", "merge", "parts"]) == 0:
            break
        assert "are still open: run the parts again" in capfd.readouterr().err
        assert passes < 12
    whole, parts = files_of(here / "whole"), files_of(here / "parts")
    assert parts == whole and len(whole) > 1
    assert sorted(asked(here / "parts.journal.sqlite")) == sorted(
        asked(here / "whole.journal.sqlite")
    )
    own = [
        key
        for number in range(1, count + 1)
        for key in asked(here / f"parts.shard-{number}-of-{count}.journal.sqlite")
    ]
    # Nothing was asked by two, and nothing by the one that joined them.
    assert sorted(own) == sorted(asked(here / "whole.journal.sqlite"))


def test_what_is_open_can_be_asked_by_the_one_that_joins(here, capfd):
    words = BUILDS["csconv, topics asked, capped"]
    assert run(words, "--out", "whole") == 0
    for number in (1, 2):
        assert run(words, "--out", "parts", "--shard", f"{number}/2") == 0
    assert main(["build", "merge", "parts"]) == 1
    assert main(["build", "merge", "parts", "--ask"]) == 0
    assert files_of(here / "parts") == files_of(here / "whole")
    assert (
        "$ python -m builders.csconv.build --source calls.jsonl --per-topic 1 --llm scripted --out"
        " parts\n"
    ) in capfd.readouterr().out


def test_a_part_that_was_killed_goes_on(here, in_this_process):
    words = (*BUILDS["qa"], "--out", "parts")
    assert run(words, "--shard", "1/2", "--max-requests", 3) == 1
    assert main(["build", "merge", "parts"]) == 1
    assert len(asked(here / "parts.shard-1-of-2.journal.sqlite")) == 3
    for number in (1, 2):
        assert run(words, "--shard", f"{number}/2") == 0
    assert run(BUILDS["qa"], "--out", "whole") == 0
    # --max-requests belonged to the first try alone.
    assert main(["build", "merge", "parts"]) == 0
    assert files_of(here / "parts") == files_of(here / "whole")


def test_parts_that_do_not_belong_together_are_named(here, capsys):
    words = BUILDS["qa"]
    assert main(["build", "merge", "parts"]) == 1
    assert "there are no finished parts parts.shard-I-of-N" in capsys.readouterr().err
    assert run(words, "--out", "parts", "--shard", "1/3") == 0
    assert main(["build", "merge", "parts"]) == 1
    assert "not finished: --shard 2/3, 3/3" in capsys.readouterr().err
    for number in (2, 3):
        assert run(words, "--out", "parts", "--seed", number, "--shard", f"{number}/3") == 0
    assert main(["build", "merge", "parts"]) == 1
    assert "part 2/3 was made by another command than part 1/3" in capsys.readouterr().err
    record = here / "parts.shard-1-of-3.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"module": "os"}))
    assert main(["build", "merge", "parts"]) == 1
    assert run(words, "--out", "parts", "--shard", "1/2") == 0
    assert main(["build", "merge", "parts"]) == 1
    assert "there are parts of 2 and of 3" in capsys.readouterr().err
    assert not (here / "parts").exists()


@pytest.mark.parametrize("text", ["3", "4/3", "a/b", "1/0", "-1/3", "1/"])
def test_a_part_that_cannot_be_is_one_line(text):
    with pytest.raises(SettingError, match=f"--shard {text}: "):
        Shard.parse(text)


def test_a_journal_of_ones_own_does_not_go_with_parts(here, capsys):
    assert run(BUILDS["qa"], "--out", "parts", "--shard", "1/2", "--journal", "mine") == 1
    assert "every part has a journal of its own" in capsys.readouterr().err


def test_every_item_is_in_one_part_and_parts_are_even():
    names = [f"qa-{i}" for i in range(8_000)]
    for count in (1, 3, 8):
        shards = [Shard(number, count) for number in range(count + 1)]
        owners = [[shard.number for shard in shards if shard.owns(name)] for name in names]
        assert all(len(one) == 1 and one[0] > 0 for one in owners)
        sizes = [sum(one == [number] for one in owners) for number in range(1, count + 1)]
        assert max(sizes) - min(sizes) < 0.15 * 8_000 / count + 1
        # A pair goes with its conversation.
        assert all(
            shard.owns("qa-5/17") == shard.owns("qa-5/2") == shard.owns("qa-5") for shard in shards
        )
