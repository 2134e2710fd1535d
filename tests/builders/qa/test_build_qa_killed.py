"""csc build qa killed at any moment and run again."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.built_folders import files_of, journal_rows
from tests.support.qa_builds import build
from tests.support.qa_recordings import recordings, write_source

ROOT = Path(__file__).resolve().parents[3]


def start(source, out, *options):
    """The build in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "builders.qa.build",
        "--source",
        source,
        "--llm",
        "scripted",
        "--out",
        out,
        "--concurrency",
        4,
    ]
    return subprocess.Popen(
        list(map(str, [*command, *options])),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def done_rows(journal, stage="%"):
    """key -> (tries, last sent) of the requests that are answered; {} before the journal is
    there.
    """
    with contextlib.suppress(sqlite3.OperationalError):
        return {
            key: (tries, sent)
            for key, _, tries, sent, _ in journal_rows(
                journal, f"state = 'done' AND stage LIKE '{stage}'"
            )
        }
    return {}


def killed_and_finished(source, tmp_path, moments):
    """Kill the build when a stage has so many answers, each moment in a run of its own, then let it
    end; check the promises.
    """
    options = ["--variant", "short=tokens:64"]
    whole, out = tmp_path / "whole", tmp_path / "killed" / "set"
    out.parent.mkdir()
    journal = out.with_name("set.journal.sqlite")
    assert build(source, whole, *options) == 0
    answered, alive = {}, 0
    for stage, count in moments:
        process = start(source, out, *options)
        deadline = time.monotonic() + 30
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and len(done_rows(journal, stage)) < count
        ):
            time.sleep(0.002)
        alive += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = done_rows(journal)
        assert answered.items() <= now.items(), "a request that was answered was asked again"
        answered = now
    process = start(source, out, *options)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    final = done_rows(journal)
    assert answered.items() <= final.items() and len(final) == len(
        journal_rows(tmp_path / "whole.journal.sqlite")
    )
    # Only what was in flight at a kill, four requests at most, is asked a second time.
    assert sum(tries - 1 for tries, _ in final.values()) <= 4 * len(moments)
    assert files_of(out) == files_of(whole)
    return alive


def test_a_build_killed_in_each_stage_ends_with_the_same_bytes(source, tmp_path):
    assert (
        killed_and_finished(
            source,
            tmp_path,
            [("moderate", 9), ("summary", 60), ("summary_short", 100), ("refine", 40)],
        )
        >= 3
    )


@pytest.mark.slow
def test_a_build_killed_twenty_times_ends_with_the_same_bytes(tmp_path):
    source = write_source(tmp_path / "calls.jsonl", recordings(40))
    steps = (("moderate", 12, 6), ("summary%", 120, 8), ("refine", 60, 6))
    moments = [(stage, step * n) for stage, step, times in steps for n in range(1, times + 1)]
    assert killed_and_finished(source, tmp_path, moments) >= 15
