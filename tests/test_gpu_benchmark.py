"""benchmarks/gpu.sh, as far as a machine without a GPU can tell: every part on a CPU, and a table
that is whole whatever becomes of a part.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu.sh"

# Stands for the interpreter: playing works, training is killed, the rest fails; vLLM is not there.
STUB = """#!/bin/sh
case "$*" in
    *needs*) echo "all there" ;;
    *" play "*) echo noise; echo "|played|" ;;
    *" nf4 "*) kill -KILL $$ ;;
    *) echo "no | such thing" >&2; exit 1 ;;
esac
"""


def run(out: Path, python: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(SCRIPT), *words, str(out)],
        env=os.environ | {"PYTHON": python, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_script_is_clean():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True)
    assert done.stdout == ""


def test_a_part_that_fails_or_is_stopped_is_a_row_and_the_next_one_runs(tmp_path):
    python = tmp_path / "python"
    python.write_text(STUB)
    python.chmod(0o755)
    done = run(tmp_path / "out", str(python))
    table = (tmp_path / "out" / "gpu.md").read_text()
    assert done.returncode == 0 and done.stdout.endswith(table)
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert rows == [
        *["|played|"] * 3,
        "|nf4-7B|||||||stopped after 90 s|",
        "|played|",
        "|fsdp|||||||failed: no / such thing|",
        "|vLLM|||||||not installed|",
    ]


def test_what_is_missing_is_said_before_anything_runs(tmp_path):
    # Without site-packages, an interpreter that has none of the libraries.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    done = run(tmp_path / "out", str(python))
    assert done.returncode != 0
    assert "|" not in (tmp_path / "out" / "gpu.md").read_text()


READ = "|FSDP configuration|2M|float32|4|read|"


def assert_played(table: str) -> None:
    assert re.search(r"^\|play, plain\|2M\|float32\|2\|[\d.]+ turns/s\|", table, re.M)
    # In float32 lockstep play gives the replies of the plain way.
    assert re.search(r"^\|play, lockstep\|.*x; (\d+) of \1 replies the same\|$", table, re.M)


def assert_trained(table: str) -> None:
    assert re.search(
        r"^\|NF4 QLoRA\|2M\|float32\|1\|[\d,]+ tokens/s\|.*\|\d+ steps; memory", table, re.M
    )


@pytest.fixture
def rows_of(capfd, caplog):
    """The rows that a part prints; on a CPU, in this process."""
    # The part changes it, for its process.
    caplog.set_level("ERROR", logger="lm_eval")

    def rows(part: str, *words: str) -> str:
        given = [part, "--device", "cpu", "--dtype", "float32", "--size", "2M", *words]
        assert gpu.main(given) == 0
        return "\n".join(
            line for line in capfd.readouterr().out.splitlines() if line.startswith("|")
        )

    return rows


def test_playing_runs_on_a_cpu(rows_of):
    few = ("--batch", "2", "--exchanges", "2", "3", "--reply", "2")
    assert_played(rows_of("play", *few))


def test_training_and_the_fsdp_configuration_run_on_a_cpu(rows_of):
    assert_trained(rows_of("nf4", "--batch", "1", "--conversations", "1"))
    assert READ in rows_of("fsdp")


@pytest.mark.slow
def test_every_kind_of_part_runs_on_a_cpu(tmp_path):
    done = run(tmp_path, sys.executable, "--dry-run")
    table = (tmp_path / "gpu.md").read_text()
    assert done.returncode == 0, done.stderr
    assert_played(table)
    assert_trained(table)
    assert READ in table
    assert "failed" not in table and "stopped" not in table
