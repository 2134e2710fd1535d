"""Every number of a board's tables as rows, for CSV and JSON."""

from collections.abc import Iterator, Sequence

from leaderboard.board import Board, Column, Spread, Table, Value
from leaderboard.layout import CEILING, CEILING_LABEL, REPORTED, mark_of, reported_name

HEADER = (
    "table",
    "model",
    "kind",
    "base",
    "task",
    "metric",
    "language",
    "value",
    "stderr",
    "low",
    "high",
    "method",
    "reason",
    "items",
    "clusters",
    "mark",
    "trust",
    "contradicted",
    "signature",
    "runs",
    "sd",
    "min",
    "max",
)


def rows_of(board: Board, tables: Sequence[Table]) -> Iterator[list[object]]:
    """All numbers, on the metrics' own scales: a row of HEADER's cells per table, model and column;
    reported rows have kind `reported`.
    """
    for table in tables:
        for row in table.rows:
            model = board.models[row.model]
            for c in table.columns:
                if (v := row.values.get(c.key)) is not None:
                    spread = row.spreads.get(c.key)
                    yield [
                        *(table.id, model.name, model.kind, model.base_name or ""),
                        *_column(c),
                        *_numbers(v),
                        *(mark_of(table, c, row.model), str(row.trusts[c.key])),
                        *(str(row.contradicted(c.task)).lower(), c.signature),
                        *(_spread(spread) if spread else [1, "", "", ""]),
                    ]
        for c in table.columns if table.ceiling else ():
            if table.ceiling and (v := table.ceiling.values.get(c.key)) is not None:
                named = [table.id, CEILING_LABEL, CEILING, ""]
                judged = ["", CEILING, "", c.signature, *[""] * 4]
                yield [*named, *_column(c), *_numbers(v), *judged]
        for reported in table.reported:
            for c in table.columns:
                if c.key in reported.values:
                    named = [table.id, reported_name(reported), "reported", ""]
                    judged = [REPORTED, "", reported.source, *[""] * 4]
                    yield [*named, *_column(c), reported.values[c.key], *[""] * 8, *judged]


def _column(column: Column) -> list[object]:
    return [column.task, column.metric, column.language or ""]


def _numbers(v: Value) -> list[object]:
    return [v.value, v.stderr, v.low, v.high, v.method, v.reason or "", v.items, v.clusters]


def _spread(spread: Spread) -> list[object]:
    return [spread.runs, spread.sd, spread.least, spread.most]
