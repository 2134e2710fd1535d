"""What the cells of a board's table say, for whoever writes it as text: which columns, which rows,
every number with its interval and mark.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from csc_tasks.conversation import HOW_TO_LABEL
from csc_tasks.metrics import METRICS
from leaderboard.board import Board, Ceiling, Column, Model, Reason, Reported, Row, Table, Value

ABSENT = "–"
"""Stands where nothing was measured."""
UNDEFINED = "N/A"
"""Stands where something was, and has no value (the stage order of a model that never replied)."""
WITHOUT: dict[Reason | None, str] = {
    "few conversations": "too few conversations for an interval that holds",
    "one conversation": "a single conversation has no interval",
    "no variation": "nothing varies, and the metric has no bounds to reckon with",
    "sample unknown": "the items behind the number are not known here",
}
"""Why a value has no interval, in words."""
NO_STRATEGIES = f"no gold strategies to compare with ({HOW_TO_LABEL})"
"""Why a metric of strategies has no value."""
Mark = Literal["best", "second", ""]
REPORTED = "reported"
CEILING = "ceiling"
CEILING_LABEL = "One rater against the others"
SMALLEST = 1e-9
"""A bound below this is 0 but for rounding."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell: a number and its interval as text, and how it is marked.

    interval: `± 4.0` where both bounds are as far away in the digits that are shown, `(0.10 to
    0.58)` where they are not, `(N/A)` where none can be given, "" where none was asked for.
    claimed: nobody here computed it, so it is not ranked. spread: `×3, sd 0.4` where the number is
    a mean over several runs.
    """

    number: str
    interval: str = ""
    mark: Mark = ""
    claimed: bool = False
    spread: str = ""

    @property
    def beside(self) -> str:
        """What stands beside the number."""
        return " ".join(filter(None, (self.interval, f"({self.spread})" if self.spread else "")))


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the model's label, and a Cell per column. kind: model, adapter, baseline, ceiling
    or reported. trust: how far its numbers can be trusted and whether its files claim what does not
    hold, or "ceiling" or "reported".
    """

    label: str
    kind: str
    cells: tuple[Cell, ...]
    trust: str


def layout(board: Board, table: Table, every: bool) -> tuple[list[Column], list[Line]]:
    """The columns that are shown and all rows with their cells."""
    columns = [c for c in table.columns if every or c.headline]
    columns = columns or list(table.columns)
    lines = []
    for row in table.rows:
        model = board.models[row.model]
        cells = tuple(_cell(table, c, row) for c in columns)
        lines.append(Line(model.label, model.kind, cells, row.badge))
    if table.ceiling:
        lines.append(_ceiling(table.ceiling, columns))
    for reported in table.reported:
        numbers = [reported.values.get(c.key) for c in columns]
        printed = tuple(
            Cell(ABSENT if number is None else _number(number, c))
            for number, c in zip(numbers, columns, strict=True)
        )
        lines.append(Line(reported_name(reported), REPORTED, printed, REPORTED))
    return columns, lines


def _ceiling(ceiling: Ceiling, columns: Sequence[Column]) -> Line:
    """What the raters reach among themselves, in the columns where that can be said."""
    values = [ceiling.values.get(column.key) for column in columns]
    cells = tuple(
        Cell(ABSENT)
        if value is None or value.value is None
        else Cell(
            _number(value.value, column),
            interval_text(value, column),
            claimed=not ceiling.proven,
        )
        for value, column in zip(values, columns, strict=True)
    )
    return Line(CEILING_LABEL, CEILING, cells, CEILING)


def footnotes(table: Table, columns: Sequence[Column]) -> list[str]:
    """The table's notes, without the signatures of columns that are not shown, and why numbers of
    those that are have no interval.
    """
    shown = {(c.label, c.signature) for c in columns}
    hidden = {
        f"{c.label}: {c.signature}" for c in table.columns if (c.label, c.signature) not in shown
    }
    whys = [f"{UNDEFINED}: {text}." for text in why_without(table, columns)]
    return [*(note for note in table.footnotes if note not in hidden), *whys]


def _cell(table: Table, column: Column, row: Row) -> Cell:
    value = row.values.get(column.key)
    if value is None:
        return Cell(ABSENT)
    if value.value is None:
        return Cell(UNDEFINED)
    spread = row.spreads.get(column.key)
    return Cell(
        _number(value.value, column),
        interval_text(value, column),
        mark_of(table, column, row.model),
        claimed=not row.ranks(column),
        spread=f"×{spread.runs}, sd {_number(spread.sd, column)}" if spread else "",
    )


def interval_text(value: Value, column: Column) -> str:
    """`± half width`, or both bounds: a half width would give an asymmetric interval bounds that it
    does not have.
    """
    if value.value is None or value.low is None or value.high is None:
        return f"({UNDEFINED})" if value.reason in WITHOUT else ""
    return bounds_text(value.value, value.low, value.high, column.digits, column.scale)


def bound_text(bound: float, column: Column) -> str:
    """A bound of a difference in a column's digits; one beside 0 gets as many as it takes to say on
    which side of 0 it lies, since that decides what is significant.
    """
    scaled, digits = bound * column.scale, column.digits
    if abs(scaled) > SMALLEST and not round(scaled, digits):
        digits = -math.floor(math.log10(abs(scaled)))
    return f"{scaled:z.{digits}f}"


def bounds_text(value: float, low: float, high: float, digits: int, scale: float = 1.0) -> str:
    """An interval as text; scale: what all three are multiplied by for showing."""
    below = f"{(value - low) * scale:.{digits}f}"
    if below == f"{(high - value) * scale:.{digits}f}":
        return f"± {below}"
    return f"({low * scale:.{digits}f} to {high * scale:.{digits}f})"


def why_without(table: Table, columns: Sequence[Column]) -> list[str]:
    """Why some of these columns' numbers have no interval, each reason once."""
    keys = [column.key for column in columns]
    values = [row.values[key] for row in table.rows for key in keys if key in row.values]
    there = {value.reason for value in values if value.value is not None}
    whys = [text for reason, text in WITHOUT.items() if reason in there]
    chosen = {name for name, metric in METRICS.items() if metric.of == "strategy"}
    compared = [column for column in columns if column.metric in chosen]
    if any(
        value.value is None and not value.items
        for row in table.rows
        for column in compared
        if (value := row.values.get(column.key))
    ):
        whys.append(NO_STRATEGIES)
    return whys


def probability(p: float | None) -> str:
    """A p-value in three digits."""
    if p is None:
        return ABSENT
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def mark_of(table: Table, column: Column, slug: str) -> Mark:
    """How a row's number is marked, by slug."""
    if table.best.get(column.key) == slug:
        return "best"
    return "second" if table.second.get(column.key) == slug else ""


def _number(value: float, column: Column) -> str:
    return f"{value * column.scale:.{column.digits}f}"


def head(column: Column) -> str:
    """A column's heading, with the direction in which it is better."""
    return f"{column.label} {'↑' if column.higher_is_better else '↓'}"


def headings(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """(heading, the labels below it): the first metric over its contexts where it has several, then
    each run of columns by its task.
    """

    def measure(column: Column) -> tuple[str, str | None]:
        return column.metric, column.language

    size = 0
    while size < len(columns) and measure(columns[size]) == measure(columns[0]):
        size += 1
    leading = columns[:size] if size > 1 else []
    spans = [(head(leading[0]), [c.group for c in leading])] if leading else []
    for group, own in groupby(columns[len(leading) :], key=lambda c: c.group):
        spans.append((group, [head(c) for c in own]))
    return spans


def row_names(models: Mapping[str, Model]) -> dict[str, str]:
    """What each row is called, by slug: the model's name, with its settings where another row has
    the same name.
    """
    shared = Counter(model.name for model in models.values())
    return {
        slug: model.name if shared[model.name] == 1 else model.label.removeprefix("+ ")
        for slug, model in models.items()
    }


def reported_name(row: Reported) -> str:
    """A reported row's model, its size and what it was tuned on."""
    return " ".join(
        [
            row.name,
            *([row.size] if row.size else []),
            *([f"+ {row.tuned_on}"] if row.tuned_on else []),
        ]
    )


def caption(table: Table) -> str:
    """What all rows share, in a line."""
    s = table.setting
    parts = [f"corpus {s.corpus} ({s.config}/{s.split}, {' and '.join(s.languages)})"]
    parts += [f"revision {s.revision}"] if s.revision else []
    parts += [f"prompt style {s.prompt}"] if s.prompt else []
    parts += (
        [f"chat template {'applied' if s.chat_template else 'not applied'}"]
        if s.chat_template is not None
        else []
    )
    parts += [f"reference {s.reference}"] if s.reference else []
    parts += [f"customer {s.customer}: {s.audit}"] if s.customer else []
    parts += [f"limited to {s.limit} documents"] if s.limit is not None else []
    return f"{'; '.join([*parts, f'task version {s.task_version}'])}."
