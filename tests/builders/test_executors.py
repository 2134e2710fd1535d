"""Builds in parts on datatrove's executors: processes here, and the array that Slurm would get."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from csc_tasks.cli import main
from csc_tasks.llm.journal.reading import read_totals
from tests.support.csconv_builds import recorded, write

WORDS = ("build", "qa", "--source", "calls.jsonl", "--limit", "4", "--llm", "scripted")
ROOT = Path(__file__).resolve().parents[2]

SBATCH = """#!/bin/bash
# Runs every task of the array here, one after the other, as `srun` would, and prints a job's id.
for word; do script=$word; done
cp "$script" "$FAKE_SLURM/$(date +%s%N).slurm"
last=$(grep -oP '(?<=--array=0-)\\d+' "$script")
grep -q merge_stats "$script" && last=-1
export SLURM_NODELIST=here SLURM_CPUS_PER_TASK=1
for task in $(seq 0 "$last"); do
    SLURM_ARRAY_TASK_ID=$task bash "$script" >> "$FAKE_SLURM/log" 2>&1
done
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done
exec "$@"
"""
SCONTROL = "#!/bin/bash\necho here\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    write(tmp_path / "calls.jsonl", [*recorded(4, "en"), *recorded(2, "zh")])
    assert main([*WORDS, "--out", "whole"]) == 0
    return tmp_path


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def test_processes_here_and_a_part_that_failed_is_the_only_one_run_again(here, capfd):
    words = (*WORDS, "--out", "parts", "--executor", "local", "--tasks", "2", "--workers", "1")
    (here / "parts.shard-2-of-2.journal.sqlite").mkdir()
    assert main(list(words)) == 1
    assert "the same command starts those that are not" in (capfd.readouterr().err.splitlines()[-1])
    first = (here / "parts.shard-1-of-2.json").stat().st_mtime_ns
    assert not (here / "parts").exists()
    (here / "parts.shard-2-of-2.journal.sqlite").rmdir()
    assert main(list(words)) == 0
    assert (here / "parts.shard-1-of-2.json").stat().st_mtime_ns == first
    assert files_of(here / "parts") == files_of(here / "whole")
    done = [
        sum(total.done for total in read_totals(here / f"{name}.journal.sqlite"))
        for name in ("whole", "parts", "parts.shard-1-of-2", "parts.shard-2-of-2")
    ]
    assert done[0] == done[1] == done[2] + done[3]


def test_what_was_dropped_is_asked_again_every_time(here, capfd):
    words = (*WORDS, "--out", "parts", "--executor", "local", "--tasks", "1", "--retry-dropped")
    record, made = here / "parts.shard-1-of-1.json", []
    for _ in range(2):
        assert main(list(words)) == 0
        made.append(record.stat().st_mtime_ns)
    assert made[0] < made[1]
    assert files_of(here / "parts") == files_of(here / "whole")


def test_a_slurm_array_is_handed_in_and_joined_when_it_is_done(here, capfd, monkeypatch):
    slurm = here / "slurm"
    slurm.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
        (slurm / name).write_text(script)
        (slurm / name).chmod(0o755)
    beside = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{slurm}:{beside}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(slurm))
    words = [*WORDS, "--out", "parts", "--executor", "slurm", "--tasks", "2"]
    assert main([*words, "--task-option", "time=1:00:00"]) == 1
    assert (
        "the executor needs --task-option partition=VALUE"
        in capfd.readouterr().err.splitlines()[-1]
    )
    options = ["--task-option", "time=1:00:00", "--task-option", "partition=gpu"]
    assert main([*words, *options, "--task-option", "gpus_per_task=1"]) == 0
    assert "When the jobs are done: csc build merge parts" in capfd.readouterr().out
    scripts = sorted(slurm.glob("*.slurm"))
    text = scripts[0].read_text()
    for line in ("--partition=gpu", "--time=1:00:00", "--gpus=1", "--array=0-1"):
        assert f"#SBATCH {line}\n" in text
    for script in scripts:
        assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
        if shellcheck := shutil.which("shellcheck"):
            subprocess.run([shellcheck, "-S", "error", script], check=True)
    assert main(["build", "merge", "parts"]) == 0, (slurm / "log").read_text()[-3000:]
    assert files_of(here / "parts") == files_of(here / "whole")


@pytest.mark.ray
def test_ray_gives_the_same_folder(here):
    words = [*WORDS, "--out", "parts", "--executor", "ray", "--tasks", "2"]
    assert main([*words, "--task-option", "mem_per_cpu_gb=1"]) == 0
    assert files_of(here / "parts") == files_of(here / "whole")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tasks", "2"], "--tasks belongs to --executor"),
        (["--task-option", "time=1"], "--task-option belongs to --executor"),
        (["--executor", "local"], "--executor local needs --tasks"),
        (["--executor", "local", "--tasks", "0"], "--tasks 0: at least 1"),
        (
            ["--executor", "local", "--tasks", "2", "--shard", "1/2"],
            "--shard and --executor: the executor gives every task its part",
        ),
        (
            ["--executor", "local", "--tasks", "2", "--journal", "mine"],
            "--journal and --executor: every part has a journal of its own",
        ),
        (
            ["--executor", "local", "--tasks", "2", "--task-option", "colour=red"],
            "--task-option colour=red: it is NAME=VALUE, and there are depends, ",
        ),
    ],
)
def test_misuse_is_one_line(tmp_path, monkeypatch, capsys, options, said):
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, "--out", "parts", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []
