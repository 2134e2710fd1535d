"""The journal: what is in it survives, what is lost is noticed, and a killed build goes on as if
nothing had happened.
"""

import asyncio
import inspect
import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from csc_tasks.cli import guarded
from csc_tasks.errors import SettingError
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal import journal as module
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.journal.reading import read_rows, read_totals
from csc_tasks.llm.journal.rows import canonical, request_key
from csc_tasks.llm.outcomes import JournalLost, Stopped
from csc_tasks.llm.progress import Progress
from tests.support import llm_build
from tests.support.journals import ROW
from tests.support.llm_server import Act, in_turn, llm_server

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


def states(path):
    return {row["key"]: (row["state"], row["tries"]) for row in read_rows(path)}


def test_a_row_is_there_before_the_reply_and_done_after(path):
    with Journal(path) as journal:
        assert journal.reply("k") is None
        journal.send("k", ROW)
        # Another process sees it already.
        assert states(path) == {"k": ("sent", 1)}
        assert journal.reply("k") is None
        journal.fail("k", "500: no luck")
        assert states(path) == {"k": ("failed", 1)}
        journal.send("k", ROW)
        journal.finish("k", {"text": "你好"}, "ok", "", Usage(3, 4, 1))
        assert journal.reply("k") == {"text": "你好"}
    with Journal(path) as journal:
        assert journal.reply("k") == {"text": "你好"}
    (row,) = read_rows(path)
    assert {name: row[name] for name in ROW} == ROW | {"request": {"messages": []}}
    assert (row["state"], row["tries"], row["outcome"], row["reply"]) == (
        "done",
        2,
        "ok",
        {"text": "你好"},
    )
    assert (row["input_tokens"], row["output_tokens"], row["thinking_tokens"]) == (3, 4, 1)
    assert row["first_sent"] <= row["last_sent"] <= row["ended"]


def test_what_was_out_when_a_process_died_is_asked_again(path):
    journal = Journal(path)
    journal.send("k", ROW)
    journal.close()
    with Journal(path) as journal:
        assert journal.reply("k") is None
        journal.send("k", ROW)
        assert states(path) == {"k": ("sent", 2)}


def test_a_request_that_was_given_up_is_no_longer_open(path):
    with Journal(path) as journal:
        journal.send("k", ROW)
        journal.fail("k", "413: too large")
        assert journal.given_up("k") is None
        journal.give_up("k", "too large", "413: too large")
        assert journal.given_up("k") == ("too large", "413: too large")
        assert journal.reply("k") is None
        assert [(row.stage, row.item_id, row.outcome) for row in journal.all_given_up()] == [
            ("plan", "a", "too large")
        ]
        assert [(t.failed, t.given_up) for t in journal.totals()] == [(1, 1)]
        # Taken up again, or sent again, it is like any other that failed.
        journal.take_up("k")
        assert journal.given_up("k") is None
        journal.give_up("k", "too large", "413: too large")
        journal.send("k", ROW)
        assert journal.given_up("k") is None
        journal.finish("k", {"text": "fine"}, "ok", "", Usage(1, 1))
        assert journal.reply("k") == {"text": "fine"} and journal.all_given_up() == []


def test_a_done_row_can_be_neither_asked_nor_ended_again(path):
    with Journal(path) as journal:
        journal.send("k", ROW)
        journal.finish("k", {}, "ok", "", Usage())
        for wrong in (
            lambda: journal.send("k", ROW),
            lambda: journal.fail("k", "x"),
            lambda: journal.give_up("k", "x", "y"),
            lambda: journal.finish("k", {}, "ok", "", Usage()),
        ):
            with pytest.raises(AssertionError):
                wrong()
    assert states(path) == {"k": ("done", 1)}


def test_no_statement_deletes():
    assert not re.search(r"\b(DELETE|DROP|TRUNCATE|REPLACE)\b", inspect.getsource(module))


def test_a_reply_with_half_a_character_can_be_recorded(path):
    with Journal(path) as journal:
        journal.send("k", ROW)
        journal.finish("k", {"text": "a\ud83d"}, "malformed", "x", Usage())
        assert journal.reply("k") == {"text": "a\ud83d"}


def test_keys_depend_on_content_and_not_on_order():
    assert request_key(a=1, b=[{"x": 1, "y": "é"}]) == request_key(b=[{"y": "é", "x": 1}], a=1)
    assert request_key(a=1, b="2") != request_key(a="1", b=2)
    text = {"type": "string"}
    form = {"type": "object", "properties": {"maxLength": text, "said": text}}
    bounded = {"type": "object", "properties": {"maxLength": text, "said": text | {"maxLength": 9}}}
    assert request_key(a=1, schema=form) == request_key(a=1, schema=bounded)
    assert request_key(a=1, schema=form) != request_key(a=1, schema=form | {"type": "array"})
    assert canonical({"b": 1, "a": "é“"}) == '{"a":"é“","b":1}'
    # sha256 of the tag and the canonical text, as `printf` and `sha256sum` give it: old journals
    # must stay readable.
    assert request_key(a=1) == "8b4e279e7fc4e20ce4cb923dde71ecaa8f2608c0b89885934ace33c402d84187"


def test_one_process_writes(path):
    with Journal(path):
        with pytest.raises(
            SettingError, match=f"in use by process {os.getpid()}; wait until it ends"
        ):
            Journal(path)
        script = (
            "import sys; from csc_tasks.llm.journal.journal import Journal; Journal(sys.argv[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, cwd=ROOT
        )
        assert f"SettingError: {path} is in use by process {os.getpid()}" in done.stderr
    Journal(path).close()


def test_the_lock_dies_with_its_process(path):
    imported = "from csc_tasks.llm.journal.journal import Journal"
    opened = f"import sys, time; {imported}; j = Journal(sys.argv[1])"
    script = f"{opened}; print('open', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(SettingError, match=f"in use by process {process.pid}"):
            Journal(path)
        process.kill()
        process.wait()
        Journal(path).close()


def text_file(path):
    path.write_text("not a database, but long enough to be looked at\n" * 100)


def other_database(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
    database.close()


def newer_journal(path):
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (text_file, "is no journal of this project (file is not a database)"),
        (other_database, "is a database of something else"),
        (newer_journal, "was written by a newer csc-tasks (journal version 99"),
        (Path.mkdir, "is a folder; give a file for the journal"),
    ],
)
def test_a_file_that_is_no_journal_is_left_alone(path, prepare, problem):
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):
        with pytest.raises(SettingError) as caught:
            Journal(path)
        assert problem in str(caught.value) and str(path) in str(caught.value)
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (text_file, "no journal"),
        (other_database, "something else"),
        (newer_journal, "newer"),
        (lambda path: None, "is no file"),
        (Path.touch, "is empty"),
    ],
)
def test_reading_what_is_no_journal(path, prepare, problem):
    prepare(path)
    for read in (read_totals, lambda path: list(read_rows(path))):
        with pytest.raises(SettingError, match=problem):
            read(path)
    assert path.exists() or problem == "is no file"


def test_a_place_that_does_not_exist(tmp_path):
    with pytest.raises(SettingError, match="cannot be a journal: No such file or directory"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")


def ask_many(llm, count, word=""):
    async def worker(item):
        await llm.ask(
            stage="test",
            messages=[{"role": "user", "content": f"{word}{item} " + "x" * 2000}],
            item_id=str(item),
        )

    return asyncio.run(run_items(range(count), worker, llm, Progress(count, stream=io.StringIO())))


def test_a_full_disk_stops_the_run(path):
    with llm_server(in_turn(Act(delay=0.01))) as server:
        with LLM.from_specs(
            ["openai:model"], Journal(path), base_url=server.url, concurrency=4
        ) as llm:
            llm.journal._run("PRAGMA max_page_count = 12")
            with pytest.raises(
                JournalLost, match="database or disk is full; nothing is asked without a journal"
            ):
                ask_many(llm, 500)
            assert server.count < 100
            with pytest.raises(JournalLost):
                ask_many(llm, 500, "after it ")
            # What was under way at the stop may still arrive; nothing new does.
            assert not any("after it" in json.dumps(body) for body in server.asked)
            sent = server.count
        done = sum(row["state"] == "done" for row in read_rows(path))
        assert 0 < done <= sent
        # With room again, what is recorded is not asked for again.
        with LLM.from_specs(
            ["openai:model"], Journal(path), base_url=server.url, concurrency=4
        ) as llm:
            ask_many(llm, 90)
            assert (llm.replayed, llm.sent) == (done, 90 - done)


def test_a_journal_that_is_moved_away_stops_the_run(path):
    with (
        llm_server(in_turn(Act())) as server,
        LLM.from_specs(["openai:model"], Journal(path), base_url=server.url, concurrency=4) as llm,
    ):
        ask_many(llm, 5)
        path.rename(path.with_suffix(".old"))
        with pytest.raises(JournalLost, match="No such file"):
            ask_many(llm, 10)
        path.write_text("")
        with pytest.raises(JournalLost):
            ask_many(llm, 10)
        assert server.count == 5


def test_threads_may_share_a_journal(path):
    def work(thread):
        for i in range(50):
            key = f"{thread}-{i}"
            journal.send(key, ROW)
            journal.finish(key, {"text": key}, "ok", "", Usage(1, 1))
            assert journal.reply(key) == {"text": key}

    with Journal(path) as journal:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(t.rows, t.done, t.input_tokens) for t in journal.totals()] == [(400, 400, 400)]


# The verb


@pytest.fixture
def filled(path):
    with Journal(path) as journal:
        usages = {
            "ok": Usage(1000, 200, 50),
            "malformed": Usage(500, 100),
            "refused": Usage(),
            "ok ": Usage(7, 3),
        }
        for i, (outcome, usage) in enumerate(usages.items()):
            stage, outcome = "plan" if i < 2 else "say", outcome.strip()
            journal.send(f"k{i}", ROW | {"stage": stage, "item_id": f"item-{i // 2}"})
            journal.finish(f"k{i}", {"text": "“a”\ud83d"}, outcome, "", usage)
        journal.send("k4", ROW | {"stage": "say"})
        journal.fail("k4", "500")
        journal.send("k4", ROW | {"stage": "say"})
        journal.send("k5", ROW | {"stage": "say"})
        journal.fail("k5", "500")
        journal.give_up("k5", "unreachable", "500")
        yield path


def csc_journal(*words):
    """The verb in this process: exit status; what it printed is captured."""
    from argparse import ArgumentParser

    from csc_tasks.llm.journal import cli

    parser = ArgumentParser()
    cli.add_arguments(parser)
    return guarded(lambda: cli.main(parser.parse_args([str(word) for word in words])) or 0)


def test_stats_while_a_build_has_the_file_open(filled, capsys):
    assert csc_journal("stats", filled) == 0
    table = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert table[0][:11] == [
        "stage",
        "model",
        "items",
        "requests",
        "tries",
        "answered",
        "malformed",
        "refused",
        "failed",
        "given up",
        "out",
    ]
    assert table[2][:11] == ["plan", "openai:m", "1", "2", "2", "2", "1", "0", "0", "0", "0"]
    assert table[3][:11] == ["say", "openai:m", "2", "4", "5", "2", "0", "1", "1", "1", "1"]
    assert table[4][:11] == ["all", "", "", "6", "7", "4", "1", "1", "1", "1", "1"]


def test_stats_tell_replies_that_were_well_formed_at_first_from_repaired_ones(path, capsys):
    with Journal(path) as journal:
        # Of four questions one is answered at once, one at the second try, one never, one not yet.
        for key, (attempt, outcome) in {
            "a0": (0, "ok"),
            "b0": (0, "malformed"),
            "b1": (1, "ok"),
            "c0": (0, "malformed"),
            "c1": (1, "malformed"),
            "d0": (0, None),
        }.items():
            journal.send(key, ROW | {"item_id": key[0], "attempt": attempt})
            if outcome:
                journal.finish(key, {"text": "x"}, outcome, "", Usage(1, 1))
    assert csc_journal("stats", path) == 0
    header, _, row, total = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert header[-3:] == ["asked", "ok at first", "ok after repair"]
    assert row[-3:] == total[-3:] == ["4", "1", "1"]


def test_costs(filled, capsys):
    assert csc_journal("costs", filled, "--price", "1,10", "--price", "plan=2,20") == 0
    table = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert table[2] == [
        "plan",
        "openai:m",
        "2",
        "1,500",
        "300",
        "50",
        "0",
        "0.0090",
    ]  # 1500 * 2 + 300 * 20 = 9,000 millionths
    assert table[3] == ["say", "openai:m", "2", "7", "3", "0", "1", "0.0000"]
    assert table[4] == ["all", "", "4", "1,507", "303", "50", "1", "0.0090 and what is unknown"]
    assert csc_journal("costs", filled) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("| 1 | – |")


def test_export(filled, capsys):
    assert csc_journal("export", filled) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == list(read_rows(filled)) and len(lines) == 6
    assert lines[0]["reply"] == {"text": "“a”\ud83d"}


def test_the_verb_says_what_is_wrong(path, capsys):
    assert csc_journal("stats", path) == 1
    assert capsys.readouterr().err == f"error: {path} is no file; give the journal of a build\n"


# Builds that die


def start(server, path, out, *numbers):
    command = [
        sys.executable,
        "-m",
        "tests.support.llm_build",
        server.url,
        str(path),
        str(out),
        *map(str, numbers),
    ]
    # A suite that runs in the background has SIGINT ignored, and so would its children.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, **heard
    )


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def asked_of(body):
    """What names a request on both sides: the journal's and the server's."""
    return canonical([body["messages"], body.get("seed")])


def recorded(path):
    """The requests that are done, if there is a journal already."""
    try:
        rows = list(read_rows(path))
    except SettingError:
        return set()
    return {
        canonical([row["request"]["messages"], row["request"]["sampling"].get("seed")])
        for row in rows
        if row["state"] == "done"
    }


def kill_and_restart(tmp_path, kills, items, concurrency, seed):
    """Kill a build at `kills` random moments; compare with one that was left alone. Returns how
    many requests were asked twice.
    """
    draw = random.Random(seed)
    with llm_server(llm_build.script) as server:
        assert (
            finish(
                start(
                    server, tmp_path / "whole.sqlite", tmp_path / "whole.jsonl", items, concurrency
                )
            )[0]
            == 0
        )
        whole = server.count
        answered = Counter(map(asked_of, server.answered))
        assert set(answered.values()) == {1}
        path, out = tmp_path / "journal.sqlite", tmp_path / "out.jsonl"
        begun, again = len(server.asked), 0
        for number in range(kills):
            since, done = len(server.asked), recorded(path)
            process = start(server, path, out, items, concurrency)
            # The share of its way that this run may go; the last bit of it is a matter of time, not
            # of requests.
            target = server.count + draw.randint(
                1, max(2, 2 * (whole - len(done)) // (kills - number + 1))
            )
            while server.count < target and process.poll() is None:
                time.sleep(0.002)
            time.sleep(draw.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert not {asked_of(body) for body in server.asked[since:]} & done
        since, done = len(server.asked), recorded(path)
        assert 0 < len(done) < len(answered)
        status, said, err = finish(start(server, path, out, items, concurrency))
        assert status == 0, err
        assert not {asked_of(body) for body in server.asked[since:]} & done
        # Once more: everything is there.
        last = len(server.asked)
        assert finish(start(server, path, tmp_path / "again.jsonl", items, concurrency))[:2] == (
            0,
            said,
        )
        assert len(server.asked) == last
        # All that came twice had been out when a run was killed, at most `concurrency` of them each
        # time.
        twice = Counter(map(asked_of, server.answered[len(answered) :]))
        again = sum(count - 1 for count in twice.values())
        assert again <= kills * concurrency
        assert set(twice) == set(answered) and begun > 0
    expected = (tmp_path / "whole.jsonl").read_bytes()
    assert (
        (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes() == expected
    )
    assert expected.count(b"\n") == items - 1 and b"refused" in expected
    return again


def test_a_killed_build_goes_on_as_if_nothing_had_happened(tmp_path):
    kill_and_restart(tmp_path, kills=4, items=40, concurrency=8, seed=1)


@pytest.mark.slow
def test_twenty_kills(tmp_path):
    """The same with 20 kills, 64 at once."""
    assert kill_and_restart(tmp_path, kills=20, items=400, concurrency=64, seed=2) > 0


def test_an_interrupted_build_says_so_and_can_go_on(tmp_path):
    with llm_server(llm_build.script) as server:
        process = start(server, tmp_path / "j", tmp_path / "out")
        while server.count < 30:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        status, _, err = finish(process)
        assert status == 130 and err.endswith("interrupted\n") and "Traceback" not in err
        assert "40/40" not in err and not (tmp_path / "out").exists()
        done, since = recorded(tmp_path / "j"), len(server.asked)
        assert len(done) > 10
        assert finish(start(server, tmp_path / "j", tmp_path / "out"))[0] == 0
        assert not {asked_of(body) for body in server.asked[since:]} & done


def test_a_build_that_fails_says_so_in_its_exit_status(tmp_path):
    """A published script ended with exit(0) whatever had happened."""
    with llm_server(in_turn(Act(status=401))) as server:
        status, out, err = finish(start(server, tmp_path / "j", tmp_path / "out"))
    assert status == 1 and out == ""
    assert (
        err.splitlines()[-1].startswith("error: openai:model at ")
        and "401" in err.splitlines()[-1]
        and "Traceback" not in err
    )


def test_a_stop_is_an_error_of_one_line_too(tmp_path):
    assert guarded(lambda: (_ for _ in ()).throw(Stopped("enough"))) == 1
