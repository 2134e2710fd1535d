"""Ratings and comparisons as lines of JSON: what `csc judge`, `csc pairwise` and `csc human import`
write and `csc agreement` reads.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.reading import json_lines

FAILED_TURN = "the model's turn failed"
"""The problem of what nobody was asked about, because the model had no reply to it."""

RATINGS, COMPARISONS = "ratings.jsonl", "comparisons.jsonl"
_ADDED = frozenset({"reason", "forward_reason", "backward_reason"})
"""What lines do not have that earlier versions wrote."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one rater said of one model's unit.

    kind: "judge" (scores 0..100) or "human" (1..5). rater: the judge's or person's name. asked: the
    judge as backend:model, "" for people.
    scores: dimension -> number, None where nothing usable came (`problem` says why): missing, never
    0. repeat: 1 for the second asking.
    attempts: replies it took, malformed ones included; 0 where nobody was asked.
    length: characters of what was rated. reason: why, in the judge's words; "" in ratings of people
    and in those made before judges gave one.
    """

    kind: str
    rater: str
    asked: str
    model: str
    task: str
    unit: str
    conversation_id: str
    language: str
    topic: str
    stage: str
    length: int
    scores: dict[str, float] | None
    problem: str = ""
    attempts: int = 1
    repeat: int = 0
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether nobody was asked, because the model's turn failed."""
        return self.problem == FAILED_TURN


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one judge said of two models' units with the same id, asked in both orders.

    forward: "first", "second" or "tie" with model a first; backward: the same with b first; None
    where nothing usable came. forward_reason, backward_reason: why, in the judge's words; "" in
    comparisons made before judges gave one.
    """

    rater: str
    asked: str
    a: str
    b: str
    task: str
    unit: str
    conversation_id: str
    language: str
    topic: str
    stage: str
    length_a: int
    length_b: int
    forward: str | None
    backward: str | None
    problem: str = ""
    forward_reason: str = ""
    backward_reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether nobody was asked, because a turn of one of the models failed."""
        return self.problem == FAILED_TURN

    @property
    def winner(self) -> str | None:
        """ "a", "b", or "tie", which a verdict that flips with the order is too; None unless both
        orders were answered.
        """
        if self.forward is None or self.backward is None:
            return None
        forward = {"first": "a", "second": "b", "tie": "tie"}[self.forward]
        backward = {"first": "b", "second": "a", "tie": "tie"}[self.backward]
        return forward if forward == backward else "tie"

    @property
    def flipped(self) -> bool:
        """Whether both orders were decided, and for the same place rather than the same model."""
        return self.forward == self.backward and self.forward in ("first", "second")


def write_lines(file: Path, items: Iterable[Any]) -> Path:
    """Write the items (of a dataclass), one a line; the file appears whole or not at all."""
    return replace_file(
        file, (json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items)
    )


def failed_words(count: int) -> str:
    """How many failed turns there were, to go on with a line of counts; "" for none."""
    return f"; {count:,} not asked about, {FAILED_TURN}" if count else ""


def read_ratings(paths: Iterable[Path]) -> list[Rating]:
    """The ratings in files or folders; raises DataError for a line that is none, and for two that
    say the same thing twice.
    """
    ratings: dict[tuple, tuple[Rating, str]] = {}
    for rating, where in _read(paths, RATINGS, Rating):
        _check_rating(rating, where)
        key = (rating.kind, rating.rater, rating.model, rating.unit, rating.repeat)
        if key in ratings:
            again = (
                f"{rating.rater} has rated {rating.unit} of {rating.model} before, in"
                f" {ratings[key][1]}"
            )
            raise DataError(f"{where}: {again}; give one of them")
        ratings[key] = rating, where
    return [rating for rating, _ in ratings.values()]


def read_comparisons(paths: Iterable[Path]) -> list[Comparison]:
    """As `read_ratings`, for comparisons."""
    comparisons: dict[tuple, tuple[Comparison, str]] = {}
    for comparison, where in _read(paths, COMPARISONS, Comparison):
        answers = (comparison.forward, comparison.backward)
        if not set(answers) <= {"first", "second", "tie", None}:
            raise DataError(f"{where}: {answers} are no answers of a comparison")
        key = (comparison.rater, frozenset((comparison.a, comparison.b)), comparison.unit)
        if key in comparisons:
            raise DataError(
                f"{where}: {comparison.rater} has compared {comparison.unit} before, in"
                f" {comparisons[key][1]}; give one of them"
            )
        comparisons[key] = comparison, where
    return [comparison for comparison, _ in comparisons.values()]


def _read(paths, name, form):
    names = {field.name for field in fields(form)}
    # A folder that is given twice is read once.
    for path in {path.resolve(): path for path in paths}.values():
        for file in sorted(path.rglob(name)) if path.is_dir() else [path]:
            if file.name != name:
                continue
            wanted = "give what csc judge, csc pairwise or csc human import wrote"
            for number, row in json_lines(file, wanted):
                where = f"{file} line {number}"
                if not isinstance(row, Mapping) or set(row) | (names & _ADDED) != names:
                    raise DataError(
                        f"{where}: not a line of {name}; was it written by another version? Make it"
                        " again"
                    )
                yield form(**row), where


def _check_rating(rating: Rating, where: str) -> None:
    ranges = {"judge": (0, 100), "human": (1, 5)}
    if rating.kind not in ranges:
        raise DataError(f"{where}: kind {rating.kind!r} is neither judge nor human")
    low, high = ranges[rating.kind]
    for name, score in (rating.scores or {}).items():
        if type(score) not in (int, float) or not low <= score <= high:
            raise DataError(
                f"{where}: {name} is {score!r}; scores of kind {rating.kind} are {low}..{high}"
            )
