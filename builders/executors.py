"""A build in parts on datatrove's executors: processes on this machine, a Slurm array, or Ray.

Every part is one task that runs `csc build ... --shard I/N`; datatrove starts them, keeps their
logs under OUT.parts/ and notes which are finished, so that the same command starts only those that
are not. On this machine and on Ray the parts are joined when all are finished, and started again
while that leaves requests open. A Slurm array is only handed in: `csc build merge OUT` comes when
its jobs are done.
"""

import hashlib
import inspect
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builders.shards import RETRY, whole_journal, without
from csc_tasks.errors import ModelError, SettingError, require
from csc_tasks.llm.journal.reading import read_totals
from csc_tasks.telling import tell

EXECUTORS = {
    "local": "LocalPipelineExecutor",
    "slurm": "SlurmPipelineExecutor",
    "ray": "RayPipelineExecutor",
}
OURS = ("--executor", "--tasks", "--workers", "--task-option", "--shard")
"""Options that are no part of a task's own command."""

OWN = {"pipeline", "tasks", "workers", "logging_dir"}
"""Arguments of an executor that are given here."""


def add_executor(parser: ArgumentParser) -> None:
    """Add the options of a build in parts on one of EXECUTORS."""
    add = parser.add_argument_group("many machines").add_argument
    add(
        "--shard",
        metavar="I/N",
        help=(
            "ask only about part I of N of the items, into a journal of its own; csc build merge"
            " OUT puts the parts together"
        ),
    )
    add(
        "--executor",
        choices=tuple(EXECUTORS),
        help="run the build in parts: local (processes), slurm or ray, by datatrove",
    )
    add("--tasks", type=int, metavar="N", help="for --executor: how many parts")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="for --executor: parts that run at once, each with --concurrency (default: all)",
    )
    add(
        "--task-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=(
            "for --executor: an argument of datatrove's executor, as in time=24:00:00,"
            " partition=gpu, gpus_per_task=1 or env_command='vllm serve ... &'; repeatable"
        ),
    )


def without_executor(parser: ArgumentParser) -> None:
    """For a builder whose work cannot be divided: what `run` looks for is not given."""
    parser.set_defaults(shard=None, executor=None, tasks=None, workers=None, task_option=[])


@dataclass(frozen=True, slots=True)
class Part:
    """One task: the part of a build that has its rank. What datatrove calls in every task."""

    module: str
    words: tuple[str, ...]

    def __call__(self, data: object, rank: int = 0, world_size: int = 1) -> None:
        """Run it as a process of its own; raises RuntimeError where it fails, so that the task
        counts as unfinished.
        """
        shard = f"{rank + 1}/{world_size}"
        command = [sys.executable, "-m", self.module, *self.words, "--shard", shard]
        status = subprocess.run(command, check=False).returncode
        if status:
            raise RuntimeError(f"part {shard} ended with exit status {status}")


def check_executor(args: Namespace) -> None:
    """Raise SettingError for options that do not go together."""
    if args.executor is None:
        for option in ("tasks", "workers", "task_option"):
            if getattr(args, option):
                raise SettingError(f"--{option.replace('_', '-')} belongs to --executor")
        return
    if args.shard is not None:
        raise SettingError("--shard and --executor: the executor gives every task its part")
    if args.journal:
        raise SettingError("--journal and --executor: every part has a journal of its own")
    for option in ("tasks", "workers"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise SettingError(f"--{option} {value}: at least 1")
    if args.tasks is None:
        raise SettingError(f"--executor {args.executor} needs --tasks, the number of parts")


def launch(module: str, args: Namespace) -> None:
    """Run the build of `module` on the executor, and join the parts where it waits for them.

    Raises SettingError for an option that the executor does not have, MissingExtra where datatrove
    is not installed, ModelError where tasks or the joining failed.
    """
    executors = require("datatrove.executor", "cluster", "--executor")
    made: Any = getattr(executors, EXECUTORS[args.executor])
    options = task_options(args.task_option, inspect.signature(made).parameters)
    words = tuple(without(OURS, args.command_words))
    name = hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]
    logs = args.out.resolve().with_name(f"{args.out.name}.parts") / f"{args.tasks}-{name}"
    given = {"tasks": args.tasks, "workers": args.workers or -1, **options}
    if args.executor == "slurm":
        given.setdefault("job_name", f"csc-{args.out.name}")
    merge = [sys.executable, "-m", "builders.merge", str(args.out)]
    number, before = 1, -1
    while True:
        folder = logs / f"pass-{number}"
        executor = made([Part(module, words)], logging_dir=str(folder), **given)
        asked_again = RETRY in words and before < 0
        if asked_again and not executor.get_incomplete_ranks(skip_completed=True):
            # An earlier run of this command asked again then; this one does now.
            number += 1
            continue
        try:
            executor.run()
        except Exception as error:
            raise ModelError(
                f"not every part is finished ({error}); the logs are in {folder}, and the same"
                " command starts those that are not"
            ) from None
        if args.executor == "slurm":
            tell(f"When the jobs are done: csc build merge {args.out}; their logs: {folder}")
            return
        if unfinished := executor.get_incomplete_ranks(skip_completed=True):
            raise ModelError(
                f"{len(unfinished)} of {args.tasks} parts are not finished; the logs are in"
                f" {folder}, and the same command starts them again"
            )
        if subprocess.run(merge, check=False).returncode == 0:
            return
        whole = whole_journal(args.out.resolve())
        answered = sum(total.done for total in read_totals(whole)) if whole.exists() else before
        if answered == before:
            raise ModelError(
                f"the parts could not be joined; their logs are in {logs}, and without these all"
                " parts are run again"
            )
        number, before = number + 1, answered


def task_options(given: list[str], known: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """`NAME=VALUE` words as arguments of an executor; whole numbers become numbers. Raises
    SettingError for a name that it does not have.
    """
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in known or name in OWN:
            names = sorted(set(known) - OWN)
            raise SettingError(
                f"--task-option {text}: it is NAME=VALUE, and there are {', '.join(names)}"
            )
        options[name] = int(value) if value.lstrip("-").isdecimal() else value
    needed = {name for name, one in known.items() if one.default is one.empty} - OWN
    if missing := sorted(needed - set(options)):
        raise SettingError(
            f"the executor needs {' and '.join(f'--task-option {name}=VALUE' for name in missing)}"
        )
    return options
