"""Who handed a results file in: the RESULTS argument that it came from.

Under one argument the newest run of a model stands. Of two arguments one may be somebody else's,
who took the model's name: both rows stand, named with where they came from.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from csc_tasks.runs.finding import find_results
from csc_tasks.runs.quarantine import Quarantine
from csc_tasks.runs.results_file import Identity, Measurement, read_results
from csc_tasks.shown import shown
from leaderboard.reading.comparable import FIELDS

SETTING = "handed in"


def read_all(
    paths: Sequence[Path], notes: list[str], aside: Quarantine, apart: bool = True
) -> list[Measurement]:
    """Everything that the results files below `paths` say, each file read once; with the path that
    it came from as its origin where they are to be kept apart. Files that cannot be read go to
    `aside`; raises DataError as `Quarantine.check` does.
    """
    origins: dict[Path, str] = {}
    seen: set[Path] = set()
    for path, origin in zip(paths, _names(paths), strict=True):
        for file in find_results([path]):
            place = file.resolve()
            if place not in seen:
                seen.add(place)
                origins[file] = origin
    every = [m for tasks in aside.tried(origins, partial(read_results, notes=notes)) for m in tasks]
    return [replace(m, origin=origins[m.file]) for m in every] if apart else every


def kept_apart(measurements: Sequence[Measurement], notes: list[str]) -> list[Measurement]:
    """The measurements, where those of one model that would be one cell of a table, from several
    origins, become models of their own; said in `notes`.
    """
    cells: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for m in measurements:
        cells[_cell(m)].add(m.origin)
    shared: dict[Identity, set[str]] = defaultdict(set)
    for m in measurements:
        if len(origins := cells[_cell(m)]) > 1:
            shared[m.identity] |= origins
    for identity, origins in shared.items():
        notes.append(
            f"{shown(identity.name)}: handed in from {' and '.join(map(shown, sorted(origins)))};"
            " these are rows of their own (--replace keeps the newest alone)"
        )
    return [_of_origin(m) if m.identity in shared else m for m in measurements]


def _cell(m: Measurement) -> tuple[object, ...]:
    return m.identity, m.task, *(tell(m) for _, tell in FIELDS.values())


def _of_origin(m: Measurement) -> Measurement:
    settings = tuple(sorted((*m.identity.settings, (SETTING, m.origin))))
    return replace(m, identity=replace(m.identity, settings=settings))


def _names(paths: Iterable[Path]) -> list[str]:
    """A name for each path: as many of its last parts as tell them apart. Whole paths would tell
    readers of a board about the disk that it was made on.
    """
    parts = [path.resolve().parts for path in paths]
    size = 1
    while len({own[-size:] for own in parts}) < len(set(parts)):
        size += 1
    return ["/".join(own[-size:]).lstrip("/") for own in parts]
