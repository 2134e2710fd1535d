"""The rows of one split on their way into a dataset folder: a list, or made anew each time they are
read.
"""

from collections.abc import Callable, Iterator
from typing import Protocol


class Rows(Protocol):
    """The rows of one split: a list, or `Ordered`."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[dict]: ...


class Ordered:
    """So many rows in the order of their ids, made anew by `make` each time they are read: they
    need not fit into memory. labelled: whether turns may carry labels.
    """

    def __init__(
        self, length: int, make: Callable[[], Iterator[dict]], labelled: bool = False
    ) -> None:
        self._length, self._make, self.labelled = length, make, labelled

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict]:
        return self._make()


def changed(rows: Rows, change: Callable[[dict], dict]) -> Rows:
    """The rows after a change that leaves their ids."""
    if isinstance(rows, Ordered):
        return Ordered(len(rows), lambda: map(change, rows), rows.labelled)
    return list(map(change, rows))
