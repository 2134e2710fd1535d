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


def test_every_kind_of_part_runs_on_a_cpu(tmp_path):
    done = run(tmp_path, sys.executable, "--dry-run")
    table = (tmp_path / "gpu.md").read_text()
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\|play, plain\|2M\|float32\|2\|[\d.]+ turns/s\|", table, re.M)
    # In float32 lockstep play gives the replies of the plain way.
    assert re.search(r"^\|play, lockstep\|.*x; (\d+) of \1 replies the same\|$", table, re.M)
    assert re.search(
        r"^\|NF4 QLoRA\|2M\|float32\|1\|[\d,]+ tokens/s\|.*\|\d+ steps; memory", table, re.M
    )
    assert "|FSDP configuration|2M|float32|4|read|" in table
    assert "failed" not in table and "stopped" not in table
