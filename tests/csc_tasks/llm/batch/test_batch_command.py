"""Batches that a command answers through files, as `vllm run-batch` does."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from csc_tasks.llm.outcomes import Fatal
from tests.support.llm_asking import ask, ask_all

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def command(notes):
    words = [sys.executable, "-m", "tests.support.run_batch", "--notes", str(notes)]
    return shlex.join(words)


@pytest.fixture
def commanded(make, command, monkeypatch):
    """Make an LLM whose batches the command answers; there is no server and no key."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def made():
        return make(None, specs=["batch:org/model"], batch_command=command, first_pause=0.005)

    return made


def test_a_command_answers_and_what_it_rejects_is_dropped(commanded, notes):
    llm = commanded()
    outcome = ask_all(llm, ["one", "bad", "two"])
    assert outcome.values == ["echo one", "echo two"]
    assert outcome.dropped == {"test: rejected with 400": 1}
    assert (notes / "runs").read_text() == "org/model\n"
    spent = llm.budget.stages["test"]
    assert (spent.input, spent.output) == (20, 10)
    assert not llm.journal.path.with_name("journal.sqlite.batches").exists()


def test_a_command_that_fails_ends_the_run_and_the_next_asks_again(commanded, notes):
    (notes / "fail").touch()
    with pytest.raises(Fatal, match=r"ended with status 1: out of memory \(all of it is in .*log"):
        ask_all(commanded(), ["one", "two"])
    (notes / "fail").unlink()
    assert ask_all(commanded(), ["one", "two"]).values == ["echo one", "echo two"]
    assert (notes / "runs").read_text().count("\n") == 2


def test_a_moderation_endpoint_is_refused(commanded):
    with pytest.raises(Fatal, match="a --batch-command answers no moderation endpoint"):
        ask(commanded(), kind="moderation")


def test_a_command_that_outlives_its_run_is_waited_for(commanded, notes, command, tmp_path):
    (notes / "hold").touch()
    journal = tmp_path / "journal.sqlite"
    words = [sys.executable, "-m", "tests.support.batch_build", "", journal, "4", command]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (notes / "runs").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        again.communicate(timeout=2)
    (notes / "hold").unlink()
    said, _ = again.communicate(timeout=60)
    assert said.splitlines() == [f"echo {i}" for i in range(4)]
    assert (notes / "runs").read_text() == "model\n"
