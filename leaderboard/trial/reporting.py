"""A trial on a tracker that the user named: a run for every candidate with its numbers, their
intervals and the decision. Numbers, names and the sentence: what was said in conversations is never
reported.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from csc_tasks.errors import CscError
from csc_tasks.out import replace_folder
from leaderboard.board import Value
from leaderboard.numbers.measured import Measured
from leaderboard.trial.decision import Decision
from leaderboard.trial.document import numbers_of

LOGS = "logs"
"""The folder of TensorBoard's files, in the trial's."""

Runs = Mapping[str, Mapping[str, Measured]]


def report(tracker: str, out: Path, decision: Decision, runs: Runs) -> None:
    """Report a trial, by the name of its folder `out`, to one of TRACKERS. runs: candidate -> task
    -> run.

    Raises CscError where the tracker fails; the trial is done by then.
    """
    name = out.resolve().name
    try:
        # What a tracker says of itself is not what was asked for.
        with redirect_stdout(sys.stderr):
            _TO[tracker](name, out, decision, runs)
    except CscError:
        raise
    except Exception as error:  # a tracker may raise anything, and its words may hold a key
        raise CscError(
            f"--report-to {tracker}: not reported ({type(error).__name__}); the trial is done, and"
            " the same command reports it again"
        ) from None


def scalars(decision: Decision, candidate: str, runs: Runs) -> dict[str, float]:
    """Name -> number of a candidate: `TASK/NAME`, with its interval `TASK/NAME/low` and `/high`;
    under `decision/` the one that decides, on the conversations that all candidates have, and
    whether the candidate is among those to choose.
    """
    numbers = {f"decision/{decision.column.key}": decision.order[candidate]}
    for task, run in runs[candidate].items():
        numbers |= {f"{task}/{name}": value for name, value in numbers_of(run).items()}
    found = {"decision/chosen": float(candidate in decision.chosen)}
    for name, value in numbers.items():
        found |= _with_interval(name, value)
    return found


def _with_interval(name: str, value: Value) -> dict[str, float]:
    parts = {name: value.value, f"{name}/low": value.low, f"{name}/high": value.high}
    return {part: number for part, number in parts.items() if number is not None}


def _about(name: str, decision: Decision, candidate: str) -> dict[str, str]:
    return {
        "trial": name,
        "candidate": candidate,
        "decided by": decision.column.key,
        "decision": decision.sentence,
    }


def _to_tensorboard(name: str, out: Path, decision: Decision, runs: Runs) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with replace_folder(out / LOGS) as folder:
        for candidate in decision.order:
            writer: Any = SummaryWriter(str(folder / candidate))  # its methods have no types
            for tag, number in scalars(decision, candidate, runs).items():
                writer.add_scalar(tag, number, 0)
            for tag, text in _about(name, decision, candidate).items():
                writer.add_text(tag, text, 0)
            writer.close()


def _to_wandb(name: str, out: Path, decision: Decision, runs: Runs) -> None:
    wandb: Any = importlib.import_module("wandb")

    for candidate in decision.order:
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "csc-tasks"),
            group=name,
            name=f"{name}/{candidate}",
            dir=str(out),
            config=_about(name, decision, candidate),
        )
        run.log(scalars(decision, candidate, runs), step=0)
        run.finish()


def _to_trackio(name: str, out: Path, decision: Decision, runs: Runs) -> None:
    trackio: Any = importlib.import_module("trackio")

    for candidate in decision.order:
        trackio.init(project=name, name=candidate, config=_about(name, decision, candidate))
        trackio.log(scalars(decision, candidate, runs))
        trackio.finish()


_TO: dict[str, Callable[[str, Path, Decision, Runs], None]] = {
    "tensorboard": _to_tensorboard,
    "trackio": _to_trackio,
    "wandb": _to_wandb,
}
