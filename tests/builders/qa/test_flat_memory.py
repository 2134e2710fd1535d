"""What `csc build qa` holds in memory does not grow with the texts of its source."""

import gc
import json
import tracemalloc
from functools import partial

import pytest

from builders import dataset
from builders.dataset import write_folder
from builders.rows import Ordered
from builders.scripted import recognise
from builders.spool import Spool
from csc_tasks.cli import main
from tests.builders.test_dataset import BUILD, CARD, all_configs

TURN = 1_500
TURNS = 6


@pytest.fixture
def traced():
    """A function that calls another and returns the most that Python held meanwhile, in bytes."""

    def peak(call):
        gc.collect()
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What other tests left is not looked through again and again.
    gc.collect()
    gc.freeze()
    return peak


def write_source(path, count):
    """Conversations of six turns of 1,500 characters, no two the same."""
    with path.open("w", encoding="utf-8") as file:
        for call in range(count):
            turns = [
                {
                    "speaker": ("customer", "supporter")[turn % 2],
                    "text": f"call {call}, turn {turn}: " + " ".join(map(str, range(TURN // 4))),
                }
                for turn in range(TURNS)
            ]
            row = {"conversation_id": str(call), "language": "en", "turns": turns}
            file.write(json.dumps(row) + "\n")
    return path


def test_a_build_holds_places_and_not_texts(tmp_path, traced, monkeypatch, capsys):
    monkeypatch.setattr(dataset, "ROW_GROUP", 5)
    # The stand-in remembers the last few thousand texts.
    monkeypatch.setattr(recognise, "_votes", recognise._votes.__wrapped__)

    def build(count):
        source = write_source(tmp_path / f"{count}.jsonl", count)
        words = ["build", "qa", "--source", str(source), "--llm", "scripted", "--moderation"]
        words += ["none", "--splits", "0,0,100", "--concurrency", "2"]
        assert main([*words, "--out", str(tmp_path / f"set{count}")]) == 0

    build(5)  # What is imported and cached once is not counted.
    few, many = traced(lambda: build(6)), traced(lambda: build(20))
    rows = json.loads((tmp_path / "set20" / "build.json").read_text())["splits"]["qa"]["test"]
    assert rows["rows"] > 50
    # The texts of one conversation are 9 kB, its three rows, each with its history, 22 kB more.
    # Half of the texts leaves room for garbage that is not collected yet.
    assert (many - few) / 14 < TURN * TURNS / 2


def test_rows_that_are_made_when_read_are_written_one_by_one(tmp_path, traced, monkeypatch):
    """The folder is the same, to the byte, as that of a list."""
    monkeypatch.setattr(dataset, "ROW_GROUP", 10)
    (row,) = all_configs()["qa"]["test"][:1]

    def rows(count):
        for i in range(count):
            if i % 10 == 0:
                gc.collect()
            yield {**row, "conversation_id": f"qa-{i:05}", "client_question": f"{i} " + "x" * TURN}

    def write(name, made):
        write_folder(tmp_path / name, {"qa": {"test": made}}, CARD, BUILD, {})

    def written(name, made):
        write(name, made)
        return {
            path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()
        }

    assert written("one", Ordered(100, lambda: rows(100))) == written("two", list(rows(100))[::-1])
    few, many = (traced(partial(write, f"{n}", Ordered(n, partial(rows, n)))) for n in (50, 200))
    assert (many - few) / 150 < TURN / 5


def test_a_spool_gives_back_what_it_was_given_and_leaves_no_file(tmp_path):
    spool = Spool(tmp_path)
    values = [["电话", 1, None], {"a": "\u2028 \n"}, "", [0] * 5_000]
    places = [spool.add(value) for value in values]
    assert spool.read(places[2]) == "" and list(tmp_path.iterdir()) == []
    assert [spool.read(place) for place in places] == values
    assert spool.read(spool.add("after a reading")) == "after a reading"
    spool.close()
