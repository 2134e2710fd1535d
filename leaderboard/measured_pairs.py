"""The paired comparisons of one column of a board, as `csc power` plans with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from csc_tasks.arguments import check_known
from csc_tasks.errors import DataError, SettingError
from leaderboard.board import Comparison, Model, Table
from leaderboard.columns import leading_column
from leaderboard.folder import checked_board


@dataclass(frozen=True, slots=True)
class MeasuredPairs:
    """Paired comparisons with a standard error, and the median pair's numbers.

    spread: standard deviation of a conversation's share in the difference, SE * sqrt(clusters).
    turns: scored turns a conversation. shares: whether the column holds shares, 0 to 1. source: all
    of this in words. The two models asked for are one comparison, the first minus the second.
    """

    comparisons: tuple[Comparison, ...]
    spread: float
    turns: float
    shares: bool
    source: str


def measured_pairs(
    folder: Path, table: str | None, metric: str | None, models: Sequence[str] | None
) -> MeasuredPairs:
    """The pairs of one column, which is the one that rows are put in order by where none is named.

    Without `models` (two, by slug or name) baselines are left out: models differ less from each
    other than from a baseline, and it is models that are to be told apart. Raises SettingError for
    a table, metric or model that is not there, DataError where nothing is compared.
    """
    board = checked_board(folder)
    check_known("--table", [table] if table else [], [t.id for t in board.tables])
    given = [t for t in board.tables if table in (None, t.id)]
    metric = metric or _usual(folder, given)
    check_known(
        "--metric",
        [metric],
        sorted({c.key for t in given for c in t.columns if c.ranked or c.key == metric}),
    )
    tables = [t for t in given if metric in {c.key for c in t.columns}]
    if len(tables) != 1:
        raise DataError(
            f"{folder}: {metric} is in several tables; choose one with --table:"
            f" {', '.join(t.id for t in tables)}"
        )
    pairs = [c for c in tables[0].comparisons if c.column == metric and c.stderr]
    if models:
        pairs = _of_two(pairs, board.models, models)
        who = " and ".join(models)
    else:
        compared = len(pairs)
        pairs = [
            c for c in pairs if "baseline" not in {board.models[slug].kind for slug in (c.a, c.b)}
        ]
        if compared and not pairs:
            raise DataError(
                f"{folder}: {metric}: all {compared} paired comparisons are with baselines; name"
                " two models with --models"
            )
        left_out = compared - len(pairs)
        words = f", {left_out} with baselines left out" if left_out else ""
        who = f"median of {len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}{words}"
    if not pairs:
        between = f" between {' and '.join(models)}" if models else ""
        raise DataError(
            f"{folder}: no paired comparison of {metric}{between} to measure in; two re-scored"
            " models that differ are needed (csc collect --corpus)"
        )
    spread = median((c.stderr or 0.0) * math.sqrt(c.clusters) for c in pairs)
    turns = median(c.items / c.clusters for c in pairs)
    return MeasuredPairs(
        tuple(pairs),
        spread,
        turns,
        next(c.scale for c in tables[0].columns if c.key == metric) == 100,
        f"measured: {metric}, {who}, {turns:.1f} turns a conversation, spread {spread:.4f}"
        " a conversation",
    )


def _of_two(
    pairs: Sequence[Comparison], known: Mapping[str, Model], models: Sequence[str]
) -> list[Comparison]:
    """The comparison of two models, the first minus the second; [] where there is none."""
    slugs = {name: model.slug for model in known.values() for name in (model.name, model.slug)}
    check_known("model", models, sorted(slugs))
    first, second = (slugs[name] for name in models)
    if first == second:
        raise SettingError(f"{' and '.join(models)} are one model; name two")
    for pair in pairs:
        if (pair.a, pair.b) == (first, second):
            return [pair]
        if (pair.a, pair.b) == (second, first):
            return [_turned(pair)]
    return []


def _turned(pair: Comparison) -> Comparison:
    """The same comparison as b minus a."""
    return pair.model_copy(
        update={
            "a": pair.b,
            "b": pair.a,
            "difference": -pair.difference,
            "low": None if pair.high is None else -pair.high,
            "high": None if pair.low is None else -pair.low,
        }
    )


def _usual(folder: Path, tables: Sequence[Table]) -> str:
    """The column that the rows of the first table with a ranked one are put in order by."""
    columns = [column for table in tables if (column := leading_column(table.columns))]
    if not columns:
        raise DataError(f"{folder}: no ranked column; name one with --metric TASK/METRIC")
    return columns[0].key
