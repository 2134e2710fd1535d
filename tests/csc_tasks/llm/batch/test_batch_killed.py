"""A run in batches that is killed, at every moment at which it can lose something."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from csc_tasks.llm.journal.reading import read_rows
from tests.support.batch_api import batch_api
from tests.support.llm_server import echo

ROOT = Path(__file__).resolve().parents[3]
MOMENTS = (
    ("POST", "/files"),
    ("POST", "/batches"),
    ("GET", "/batches/batch_0"),
    ("GET", "/files/file-batch_0-output_file_id/content"),
    ("DELETE", "/files/"),
)


def test_ctrl_c_says_what_is_out_and_the_next_run_collects_it(tmp_path):
    journal = tmp_path / "journal.sqlite"
    with batch_api(echo) as api:
        api.hold.set()
        words = [sys.executable, "-m", "tests.support.batch_build", api.url, journal, "5"]
        # A suite that runs in the background has SIGINT ignored, and so would its children.
        heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
        process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, **heard)
        deadline = time.monotonic() + 60
        while not api.looks:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert "batch batch_0 is still out (5 requests); the same command collects it" in said
        api.hold.clear()
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [f"echo {i}" for i in range(5)]
    assert len(api.batches) == 1


@pytest.mark.parametrize("answered", [True, False])
def test_nothing_is_paid_twice_whenever_the_run_is_killed(tmp_path, answered):
    """Killed at each moment in turn, before or after the server has done what it was asked."""
    journal, items = tmp_path / "journal.sqlite", 12
    with batch_api(echo) as api:
        words = [sys.executable, "-m", "tests.support.batch_build", api.url, journal, str(items)]
        for method, start in MOMENTS:
            process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)

            def trouble(seen, path, method=method, start=start, process=process):
                if seen == method and path.startswith(start):
                    os.kill(process.pid, signal.SIGKILL)
                    return -1 if answered else 503
                return 0

            api.trouble = trouble
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL, start
        api.trouble = lambda method, path: 0
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"echo {i}" for i in range(items)]
    assert len(api.batches) == 1 and len(api.lines(0)) == items
    assert set(api.answered.values()) == {1}
    assert {(row["state"], row["tries"]) for row in read_rows(journal)} == {("done", 1)}
    assert not journal.with_name("journal.sqlite.batches").exists()
