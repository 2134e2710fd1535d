"""Rows of a corpus that cannot be read: all of them in one error, or left out and counted."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence

from csc_tasks.errors import DataError, UnknownStrategy

BAD_ROWS = ("error", "drop")
"""What is done about them."""
LEFT_OUT = "bad rows left out"
SHOWN = 20


def add_bad_rows(parser: ArgumentParser) -> None:
    """Add `--bad-rows`, which is to a verb what csc_bad_rows is to a task."""
    parser.add_argument(
        "--bad-rows",
        choices=BAD_ROWS,
        default=BAD_ROWS[0],
        help="rows that cannot be read: an error that names them (default), or left out and named",
    )


class BadRows:
    """What is wrong with which row, by where the row stands. Rows are met in several passes and
    named in the order in which they stand in the files.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._errors: dict[str, DataError] = {}

    def place(self, where: str) -> str:
        """Note that a row stands after those before it; `where` again."""
        self._places[where] = len(self._places)
        return where

    def add(self, where: str, error: DataError) -> None:
        self._errors.setdefault(where, error)

    def __contains__(self, where: object) -> bool:
        return where in self._errors

    def settle(self, name: str, how: str | None, left: int, counts: Counter[str]) -> list[str]:
        """What is wrong with each row that is left out, after counting them. how: of BAD_ROWS, or
        None where nobody can choose. left: rows that can be read.

        Raises DataError with up to SHOWN of them unless they are to be left out and others remain;
        UnknownStrategy where each has an unknown label.
        """
        errors = [
            self._errors[where] for where in sorted(self._errors, key=self._places.__getitem__)
        ]
        if not errors:
            return []
        if how == "drop" and left:
            counts[LEFT_OUT] += len(errors)
            return list(map(str, errors))
        unknown = all(isinstance(error, UnknownStrategy) for error in errors)
        way_out = (
            "; csc_bad_rows=drop (--bad-rows drop) leaves such rows out" if how == "error" else ""
        )
        raise (UnknownStrategy if unknown else DataError)(f"{_listed(name, errors)}{way_out}")


def shown(texts: Sequence[str]) -> list[str]:
    """The first SHOWN of them, and how many more there are."""
    more = len(texts) - SHOWN
    return [*texts[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])]


def _listed(name: str, errors: Sequence[DataError]) -> str:
    if len(errors) == 1:
        return str(errors[0])
    return (
        f"{name}: {len(errors):,} rows cannot be read: {' | '.join(shown(list(map(str, errors))))}"
    )
