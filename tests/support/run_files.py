"""A run's files as tests look at them: which of several are read, and one as arrays."""

from collections.abc import Sequence
from pathlib import Path

from csc_tasks.reading import json_lines
from csc_tasks.runs.quarantine import Quarantine, read_newest
from csc_tasks.runs.samples_file import WANTED, Items, Listener, items_of


def newest_runs(files: Sequence[Path]) -> list[Path]:
    """The samples files that a verb reads of these, when all can be read."""
    return list(read_newest(files, Quarantine(files), lambda file: file))


def read_items(
    file: Path, unit: str, names: list[str], draw: int, seed: int, listeners: Sequence[Listener]
) -> Items:
    """The lines of a samples file as they stand, as arrays."""
    return items_of(file, json_lines(file, WANTED), unit, names, draw, seed, listeners)
