"""Checkpoints that were written to their end, and those that were not."""

import shutil
from pathlib import Path

COMPLETE = "complete"
"""The file that marks a whole checkpoint, with the seconds of training so far: a kill can leave a
folder in which parts are missing.
"""


def checkpoint_at(folder: Path, step: int) -> Path:
    """The checkpoint of a step, by the name that Trainer gives it."""
    return folder / f"checkpoint-{step}"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def remove_half_checkpoints(folder: Path) -> None:
    """A kill can leave a checkpoint in which parts are missing: Trainer must not count it as one of
    those it keeps.
    """
    for path in folder.glob("checkpoint-*"):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)


def mark_complete(checkpoint: Path, seconds: float) -> None:
    """Say that all of a checkpoint is on the disk, after so many seconds of training."""
    (checkpoint / COMPLETE).write_text(f"{seconds:.1f}", encoding="utf-8")


def seconds_before(checkpoint: Path | None) -> float:
    """Seconds of training that a checkpoint stands for, those before earlier kills included; 0
    without one.
    """
    if checkpoint is None:
        return 0.0
    return float((checkpoint / COMPLETE).read_text(encoding="utf-8") or 0)
