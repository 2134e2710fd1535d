"""What a report shows: tables, figures with the numbers behind them, and what is missing.

A cell is a text, a count (int, shown with thousands), a Number, or None where nothing was measured.
Numbers stand as they are shown: a share has been multiplied by 100.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaderboard.board import Column, Value
from leaderboard.layout import ABSENT, UNDEFINED, WITHOUT, Mark, bounds_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORTED = "reported"
"""The kind of a row (or value) that is printed in a paper: not measured here, never ranked."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number and its 95 % interval on the scale on which it is shown; None where it is undefined.

    mark: best or second of its column. claimed: nobody here computed it again. without: an interval
    was wanted, and none can be given. items, clusters: how many replies and conversations it is of,
    where that is known.
    """

    value: float | None
    digits: int = 2
    low: float | None = None
    high: float | None = None
    mark: Mark = ""
    claimed: bool = False
    without: bool = False
    items: int | None = None
    clusters: int | None = None

    @property
    def text(self) -> str:
        """The number alone: 12.3, or N/A."""
        return UNDEFINED if self.value is None else f"{self.value:z.{self.digits}f}"

    @property
    def interval(self) -> str:
        """`± 4.0`, `(0.1 to 0.6)`, `(N/A)`, or "" where none was wanted."""
        if self.value is None or self.low is None or self.high is None:
            return f"({UNDEFINED})" if self.without and self.value is not None else ""
        return bounds_text(self.value, self.low, self.high, self.digits)


def number_of(value: Value, column: Column, mark: Mark = "", claimed: bool = False) -> Number:
    """A board's value as its column shows it."""

    def scaled(number: float | None) -> float | None:
        return None if number is None else number * column.scale

    return Number(
        scaled(value.value),
        column.digits,
        scaled(value.low),
        scaled(value.high),
        mark,
        claimed,
        value.reason in WITHOUT,
        value.items,
        value.clusters,
    )


Cell = str | int | Number | None


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column; group stands above those that share it ("Reference context"). key:
    TASK/METRIC of a column of numbers that a paper may print too.
    """

    label: str
    group: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, a cell per heading. kind: model, adapter, baseline, REPORTED, or "" where rows are
    no models.
    """

    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table. name: of its files, [a-z0-9-]. paper: where it stands there ("arXiv 2508.04423,
    Table 6"), or what it follows up. notes: what a reader must know.
    """

    name: str
    title: str
    paper: str
    columns: tuple[Heading, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One figure. numbers: all that is drawn, as a table whose name, title and paper are the
    figure's. draw: fills an empty matplotlib figure of this size (inches); it is called only where
    matplotlib is there, and must not use pyplot.
    """

    numbers: ReportTable
    draw: "Callable[[Figure], None]"
    size: tuple[float, float] = (7.0, 4.5)


@dataclass(frozen=True, slots=True)
class Missing:
    """A table or figure that cannot be made from what there is. reason: what is not there.
    command: a command line that makes it, with words in capitals for what only the reader knows.
    """

    title: str
    paper: str
    reason: str
    command: str


Exhibit = ReportTable | ReportFigure | Missing


def cell_text(cell: Cell) -> str:
    """A cell's text without marks and interval."""
    if cell is None:
        return ABSENT
    if isinstance(cell, Number):
        return cell.text
    return f"{cell:,}" if isinstance(cell, int) else cell
