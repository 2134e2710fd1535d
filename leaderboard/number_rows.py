"""Every number of a board's tables as rows, for CSV and JSON."""

from collections.abc import Iterator, Sequence

from leaderboard.board import Board, Table
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
                    numbers = [v.value, v.stderr, v.low, v.high, v.method, v.reason or ""]
                    numbers += [v.items, v.clusters]
                    names = [
                        model.name,
                        model.kind,
                        model.base_name or "",
                        c.task,
                        c.metric,
                        c.language or "",
                    ]
                    judged = [mark_of(table, c, row.model), str(row.trusts[c.key])]
                    judged.append(str(row.contradicted(c.task)).lower())
                    spread = row.spreads.get(c.key)
                    apart = [spread.runs, spread.sd, spread.least, spread.most] if spread else []
                    yield [
                        *(table.id, *names, *numbers, *judged, c.signature),
                        *(apart or [1, "", "", ""]),
                    ]
        for c in table.columns if table.ceiling else ():
            if (v := table.ceiling.values.get(c.key)) is not None:
                numbers = [v.value, v.stderr, v.low, v.high, v.method, v.reason or ""]
                numbers += [v.items, v.clusters]
                names = [CEILING_LABEL, CEILING, "", c.task, c.metric, c.language or ""]
                judged = ["", CEILING, "", c.signature, *[""] * 4]
                yield [table.id, *names, *numbers, *judged]
        for row in table.reported:
            for c in table.columns:
                if c.key in row.values:
                    names = [
                        reported_name(row),
                        "reported",
                        "",
                        c.task,
                        c.metric,
                        c.language or "",
                    ]
                    empty = [""] * 8
                    judged = [REPORTED, "", row.source, *[""] * 4]
                    yield [table.id, *names, row.values[c.key], *empty, *judged]
