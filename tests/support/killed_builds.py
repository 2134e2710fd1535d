"""A build in a process of its own, killed on the way and run again: nothing is lost, nothing is
asked twice, and the files are those of a build that nobody killed.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.built_folders import journal_rows

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 4
"""Requests that a build has in flight."""

Moment = Callable[["subprocess.Popen[str]", Path], object]
"""Waits, given the process and its journal, until the process is to be killed."""


def start(build: str, out: Path, *options: object) -> "subprocess.Popen[str]":
    """`csc build BUILD` with the scripted stand-in."""
    command = [sys.executable, "-m", f"builders.{build}.build", "--llm", "scripted", "--out", out]
    return subprocess.Popen(
        list(map(str, [*command, "--concurrency", AT_ONCE, *options])),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(journal: Path, stage: str = "%") -> dict[str, tuple[int, float]]:
    """key -> (tries, last sent) of a stage's requests that are answered; {} before the journal is
    there.
    """
    where = f"state = 'done' AND stage LIKE '{stage}'"
    with contextlib.suppress(sqlite3.OperationalError):
        return {key: (tries, sent) for key, _, tries, sent, _ in journal_rows(journal, where)}
    return {}


def until(count: int, stage: str = "%") -> Moment:
    """When so many requests of the stage are answered."""

    def wait(process, journal):
        deadline = time.monotonic() + 300
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and len(answered(journal, stage)) < count
        ):
            time.sleep(0.003)

    return wait


def after(seconds: float) -> Moment:
    """So long after the start."""
    return lambda process, journal: time.sleep(seconds)


def kill_and_finish(
    build: str, whole: Path, out: Path, moments: Sequence[Moment], *options: object
) -> int:
    """Kill the build of `out` at each moment, then let it end; `whole`: the folder of one with the
    same options that nobody killed. The files are left to the caller to compare. Returns how often
    there was something left to kill.
    """
    out.parent.mkdir(exist_ok=True)
    journal, known, alive = out.with_name(f"{out.name}.journal.sqlite"), {}, 0
    for wait in moments:
        process = start(build, out, *options)
        wait(process, journal)
        alive += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = answered(journal)
        assert known.items() <= now.items(), "a request that was answered was asked again"
        known = now
    process = start(build, out, *options)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    final = answered(journal)
    assert known.items() <= final.items()
    expected = journal_rows(whole.with_name(f"{whole.name}.journal.sqlite"))
    assert len(final) == len(journal_rows(journal)) == len(expected)
    # Only what was in flight at a kill is asked a second time.
    assert sum(tries - 1 for tries, _ in final.values()) <= AT_ONCE * len(moments)
    return alive
