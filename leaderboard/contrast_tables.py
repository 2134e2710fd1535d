"""The contrasts of a board as text: a table per condition, and all of them unrounded as CSV."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from leaderboard.board import CONTRASTS, Board, Column, Contrast, ContrastNumber
from leaderboard.columns import column
from leaderboard.layout import (
    UNDEFINED,
    WITHOUT,
    bounds_text,
    head,
    probability,
    row_names,
)
from leaderboard.text_table import TextTable

RULE = (
    "Two runs of one model that differ in one condition: first minus second, on the conversations"
    " that both have with the same turns (alone: conversations that only the first / only the"
    " second has). Bold: the paired 95 % interval, clustered by conversation, excludes 0. p:"
    " two-sided, corrected (Holm) over all contrasts of one condition in a metric."
)
HEADS = (
    *("Model", "Contrast", "In", "Metric", "First", "Second"),
    *("Difference", "p (Holm)", "Conversations", "Alone"),
)
TEXTS = 4
"""How many of the columns are texts; the others are numbers."""
HEADER = (
    *("family", "title", "within", "first_model", "first_task", "first_level"),
    *("second_model", "second_task", "second_level", "metric", "first", "second"),
    *("difference", "stderr", "low", "high", "method", "reason", "p", "p_holm"),
    *("items", "clusters", "first_alone", "second_alone", "skipped"),
)


def contrast_tables(board: Board, every: bool) -> list[TextTable]:
    """A table per family, with the headline metrics or with every one."""
    names = row_names(board.models)
    tables = []
    for family, own in groupby(board.contrasts, key=lambda one: one.family):
        members = list(own)
        rows = []
        whys = set()
        for one in members:
            columns = {n.metric: contrast_column(board, one, n.metric) for n in one.numbers}
            short = {metric for metric, its in columns.items() if every or its.headline}
            for number in one.numbers:
                if number.metric in (short or columns):
                    rows.append(_row(board, one, number, columns[number.metric], names))
                    whys |= {number.difference.reason}
        reasons = [f"{UNDEFINED}: {text}." for why, text in WITHOUT.items() if why in whys]
        tables.append(
            TextTable(
                f"{CONTRASTS}-{family}".replace("_", "-"),
                f"Contrasts: {members[0].title}",
                HEADS,
                TEXTS,
                tuple(rows),
                (RULE, *reasons, *_skipped(board, members, names)),
                HEADS.index("Difference"),
            )
        )
    return tables


def contrast_column(board: Board, one: Contrast, metric: str) -> Column:
    """How a result of a contrast is shown: as the column of its first run."""
    key = f"{one.first.task}/{metric}"
    columns = (c for table in board.tables for c in table.columns if c.key == key)
    return next(columns, None) or column(one.first.task, metric, "")


def within(board: Board, one: Contrast) -> str:
    """In which of several parts of a board a contrast is, in words; "" where all are in one."""
    return one.within if len({other.within for other in board.contrasts}) > 1 else ""


def contrast_name(one: Contrast) -> str:
    """What is subtracted from what."""
    return f"{one.first.level} − {one.second.level}"


def rows_of(board: Board) -> Iterator[list[object]]:
    """Every number of every contrast on the metric's own scale, a row each; a result that is not
    contrasted has a row that says why.
    """
    names = row_names(board.models)
    for one in board.contrasts:
        sides = [
            text
            for side in (one.first, one.second)
            for text in (names[side.model], side.task, side.level)
        ]
        named = [one.family, one.title, one.within, *sides]
        for n in one.numbers:
            d = n.difference
            apart = [d.value, d.stderr, d.low, d.high, d.method, d.reason or ""]
            sizes = [d.items, d.clusters, *n.alone]
            yield [*named, n.metric, n.first, n.second, *apart, n.p, n.p_holm, *sizes, ""]
        for metric, why in one.skipped.items():
            empty = [""] * (len(HEADER) - len(named) - 2)
            yield [*named, metric, *empty, why]


def _row(
    board: Board, one: Contrast, number: ContrastNumber, its: Column, names: dict[str, str]
) -> tuple[tuple[str, ...], bool]:
    apart = number.difference
    clear = apart.low is not None and apart.high is not None and (apart.low > 0 or apart.high < 0)
    difference = UNDEFINED
    if apart.value is not None:
        interval = f"({UNDEFINED})" if apart.reason in WITHOUT else ""
        if apart.low is not None and apart.high is not None:
            interval = bounds_text(apart.value, apart.low, apart.high, its.digits, its.scale)
        difference = f"{apart.value * its.scale:+.{its.digits}f} {interval}".strip()
    cells = (
        names[one.second.model],
        contrast_name(one),
        "; ".join(filter(None, (_group(board, one, its), within(board, one)))),
        head(its),
        _shown(number.first, its),
        _shown(number.second, its),
        difference,
        probability(number.p_holm),
        f"{apart.clusters:,}",
        f"{number.alone[0]:,} / {number.alone[1]:,}" if any(number.alone) else "",
    )
    return cells, clear


def _group(board: Board, one: Contrast, its: Column) -> str:
    """Where a contrast's column stands; of two tasks, what their columns have in common there, so
    that the contexts as asked and those with forced strategies are told apart.
    """
    if one.first.task == one.second.task:
        return its.group
    key = f"{one.second.task}/{its.metric}"
    columns = (c for table in board.tables for c in table.columns if c.key == key)
    other = next(columns, None) or column(one.second.task, its.metric, "")
    parts = other.group.split(", ")
    return ", ".join(part for part in its.group.split(", ") if part in parts)


def _shown(value: float | None, its: Column) -> str:
    return UNDEFINED if value is None else f"{value * its.scale:.{its.digits}f}"


def _skipped(board: Board, members: Sequence[Contrast], names: dict[str, str]) -> Iterator[str]:
    """What is not contrasted, and why, a line per contrast."""
    for one in members:
        reasons: dict[str, list[str]] = {}
        for metric, why in one.skipped.items():
            reasons.setdefault(why, []).append(contrast_column(board, one, metric).label)
        for why, metrics in reasons.items():
            own = contrast_column(board, one, next(iter(one.skipped)))
            task = one.first.task
            places = [task if task == one.second.task else _group(board, one, own)]
            places += [within(board, one)]
            where = "".join(f", {place}" for place in places if place)
            yield (
                f"{names[one.second.model]}, {contrast_name(one)}{where}: not contrasted, {why}:"
                f" {', '.join(metrics)}."
            )
