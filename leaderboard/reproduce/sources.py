"""What a report is made of: boards, sweeps, ratings and comparisons, found among what is given."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from csc_tasks.corpus_statistics import CorpusStatistics
from csc_tasks.errors import DataError
from csc_tasks.file_names import stays_inside
from csc_tasks.papers import PaperExhibit, papers
from csc_tasks.reading import read_json
from leaderboard.board import Board, Model, Row, Table
from leaderboard.folder import load_board, load_report
from leaderboard.judging.ratings import Comparison, Rating, read_comparisons, read_ratings
from leaderboard.model_report import ModelReport
from leaderboard.reproduce.published import Published

BOARD, SWEEP = "board.json", "sweep.json"
SWEEP_FORMAT = "csc-tasks sweep, version 1"


class _Read(BaseModel):
    """Base of what is read of a sweep; keys that nothing here needs may come and go."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Point(_Read):
    """One training of a sweep, or the base itself. size: conversations that were learned. file: the
    results file of its scoring, below the sweep's folder. model: the name of its row on a board.
    scores: task -> result name -> number.
    """

    value: str
    base: bool = False
    seed: int | None = None
    size: int | None = None
    validation_loss: float | None = None
    file: str | None = None
    model: str | None = None
    scores: Mapping[str, Mapping[str, float | None]] = {}


class SweepFile(_Read):
    """What sweep.json holds (`csc train --sweep KEY=...`)."""

    key: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep. hashes: of each point's results file, by which a board has its row; None where it
    was not scored.
    """

    file: Path
    key: str
    points: tuple[Point, ...]
    hashes: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class BoardSource:
    """A board: its name in the report, and every model's report by slug."""

    name: str
    board: Board
    reports: Mapping[str, ModelReport]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was found. statistics: what the corpora hold."""

    statistics: tuple[CorpusStatistics, ...] = ()
    boards: tuple[BoardSource, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    ratings: tuple[Rating, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    published: Published | None = None

    def tables(self, kind: str) -> Iterator[tuple[BoardSource, Table]]:
        """The tables of a kind, of all boards."""
        for source in self.boards:
            for table in source.board.tables:
                if table.kind == kind:
                    yield source, table

    def rows(self) -> Iterator[tuple[BoardSource, Table, Row]]:
        """Every row of every table."""
        for source in self.boards:
            for table in source.board.tables:
                for row in table.rows:
                    yield source, table, row

    def printed(self, exhibit: PaperExhibit, table: Table) -> Published | None:
        """The paper's values, where the table is of the paper's own corpus."""
        corpora = papers().of(exhibit).corpora
        return self.published if table.setting.corpus in corpora else None


def model_of(source: BoardSource, row: Row) -> Model:
    """The model of a row."""
    return source.board.models[row.model]


def read_board(folder: Path, name: str) -> BoardSource:
    """A board and its models' reports; raises DataError as `load_board` does."""
    board = load_board(folder)
    return BoardSource(name, board, {slug: load_report(folder, slug) for slug in board.models})


def board_folders(paths: Sequence[Path]) -> list[Path]:
    """Those of the paths that are boards."""
    return [path for path in paths if (path / BOARD).is_file()]


def read_sweeps(paths: Sequence[Path]) -> tuple[Sweep, ...]:
    """Every sweep below the paths. Raises DataError for a file of another form."""
    files: dict[Path, Path] = {}
    for path in paths:
        own = sorted(path.rglob(SWEEP)) if path.is_dir() else [path]
        files |= {file.resolve(): file for file in own if file.name == SWEEP}
    return tuple(map(_sweep, files.values()))


def _sweep(file: Path) -> Sweep:
    wanted = "make it again with csc train --sweep"
    data: Any = read_json(file, wanted)
    if not isinstance(data, dict) or data.get("format") != SWEEP_FORMAT:
        raise DataError(f"{file}: not a sweep in the form {SWEEP_FORMAT!r}; {wanted}")
    try:
        read = SweepFile.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: {place}: {first['msg']}; {wanted}") from None
    return Sweep(file, read.key, read.points, tuple(_hash(file, point) for point in read.points))


def _hash(sweep: Path, point: Point) -> str | None:
    if point.file is None:
        return None
    if not stays_inside(point.file):
        raise DataError(f"{sweep}: file is {point.file!r:.80}; it must lie below its folder")
    file = sweep.parent / point.file
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def read_judging(paths: Sequence[Path]) -> tuple[tuple[Rating, ...], tuple[Comparison, ...]]:
    """All ratings and comparisons below the paths; raises DataError as their readers do."""
    return tuple(read_ratings(paths)), tuple(read_comparisons(paths))
