"""A board as flat tables: one row per model, task and metric, and one per paired comparison, as
parquet files that anything reads.

Rows reported in papers are left out: nobody here measured them.
"""

from collections.abc import Iterator
from pathlib import Path

from leaderboard.board import Board, Table

SETTING = (
    "corpus",
    "config",
    "split",
    "revision",
    "task_version",
    "prompt",
    "chat_template",
    "limit",
    "reference",
)
VALUE = ("value", "stderr", "low", "high", "method", "reason", "items", "clusters")
RUN = ("date", "project", "lm_eval_version", "git_hash", "raw", "contradicted")
SPREAD = ("runs", "sd", "least", "most")
COMPARISON = ("difference", "stderr", "low", "high", "p", "p_holm", "items", "clusters")
_TYPES = {
    **dict.fromkeys(("value", "stderr", "low", "high", "difference", "p", "p_holm"), "float64"),
    **dict.fromkeys(("sd", "least", "most"), "float64"),
    **dict.fromkeys(("items", "clusters", "limit", "runs"), "int64"),
    **dict.fromkeys(("higher_is_better", "chat_template", "contradicted"), "bool"),
}


def results(board: Board) -> Iterator[dict]:
    """One row per measured value, on the metric's own scale."""
    for table in board.tables:
        common = {"table": table.id, **{name: getattr(table.setting, name) for name in SETTING}}
        columns = {column.key: column for column in table.columns}
        for row in table.rows:
            model = board.models[row.model]
            named = {
                "model": model.name,
                "model_slug": model.slug,
                "model_kind": model.kind,
                "base": model.base_name,
            }
            for key, value in row.values.items():
                column, run = columns[key], row.runs.get(columns[key].task)
                yield named | {
                    "task": column.task,
                    "metric": column.metric,
                    "language": column.language,
                    **{name: getattr(value, name) for name in VALUE},
                    **{name: getattr(row.spreads.get(key), name, None) for name in SPREAD},
                    "trust": str(row.trusts[key]),
                    "run_trust": str(run.trust) if run else None,
                    "higher_is_better": column.higher_is_better,
                    "signature": column.signature,
                    **common,
                    # Tasks of one table may have versions of their own.
                    **({"task_version": run.task_version} if run else {}),
                    "documents": table.documents.get(column.task),
                    **{name: getattr(run, name, None) for name in RUN},
                }


def comparisons(board: Board) -> Iterator[dict]:
    """One row per paired difference, a minus b, on the conversations both answered."""
    for table in board.tables:
        for one in table.comparisons:
            column = _column(table, one.column)
            yield {
                "table": table.id,
                "task": column.task,
                "metric": column.metric,
                "language": column.language,
                "a": board.models[one.a].name,
                "b": board.models[one.b].name,
                **{name: getattr(one, name) for name in COMPARISON},
            }


def write_parquet(rows: list[dict], file: Path) -> Path:
    """Write rows with one fixed type a column, the same bytes for the same rows."""
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(_TYPES.get(name, "string"))) for name in rows[0]]
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file)
    return file


def _column(table: Table, key: str):
    return next(column for column in table.columns if column.key == key)
