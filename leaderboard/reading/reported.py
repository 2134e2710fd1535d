"""Rows printed in a paper, for a look beside our own: never measured here, never ranked.

The file holds `{"paper": ..., "note": ..., "table6_csconv": {"columns": [...], "rows": [[...],
...]}}` with percent values and columns model, size, fine_tuned_on, and ref_ or gen_ + bleu2, bleu4,
rougeL, bertscore, bleurt, strategy_acc: Table 6 of arXiv 2508.04423.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.reading import read_json
from leaderboard.board import Column, Reported

TABLE = "table6_csconv"
_TASKS = {"ref": "csc_conv_ref", "gen": "csc_conv_gen"}
# Published ROUGE-L was counted by rouge_score's default tokenizer, which drops Chinese characters:
# it belongs to the column of that name.
_METRICS = {
    "bleu2": "bleu_2",
    "bleu4": "bleu_4",
    "rougeL": "rouge_l_default",
    "bertscore": "bertscore",
    "bleurt": "bleurt",
    "strategy_acc": "strategy_acc",
}


def read_reported(
    file: Path, columns: Sequence[Column]
) -> tuple[tuple[Reported, ...], tuple[str, ...]]:
    """The rows of the file for these columns (a text metric's Chinese one), and the notes that
    belong below the table.

    Columns that the table does not have are left out and named in the notes. Raises DataError for a
    file of another form.
    """
    data = read_json(file, f"give a file of reported rows with {TABLE}")
    try:
        table, paper = data[TABLE], data["paper"]
        names, rows, note = list(table["columns"]), list(table["rows"]), data.get("note", "")
        places = [names.index(name) for name in ("model", "size", "fine_tuned_on")]
        if (
            not isinstance(paper, str)
            or not isinstance(note, str)
            or any(len(row) != len(names) for row in rows)
        ):
            raise TypeError(
                "a row with more or fewer values than columns, or a note that is no text"
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: not a file of reported rows with {TABLE} ({type(error).__name__}:"
            f" {error!s:.80})"
        ) from None
    keys = {name: _column(name, columns) for name in names}
    left = [
        name for name, column in keys.items() if column is None and name.partition("_")[0] in _TASKS
    ]
    found = []
    for row in rows:
        name, size, tuned_on = (row[place] for place in places)
        if not isinstance(name, str) or any(
            not isinstance(value, str | None) for value in (size, tuned_on)
        ):
            raise DataError(
                f"{file}: a row of {TABLE} opens with {row[:3]!r:.80}; model, size and"
                " fine_tuned_on are texts"
            )
        values = {}
        for key, value in zip(names, row, strict=True):
            if (column := keys[key]) is not None and value is not None:
                if (
                    isinstance(value, bool)
                    or not isinstance(value, int | float)
                    or not math.isfinite(value)
                ):
                    raise DataError(
                        f"{file}: {key} of {name} is {value!r:.40}; it must be a number or null"
                    )
                values[column.key] = value / column.scale
        found.append(
            Reported(
                name=name, size=size, tuned_on=tuned_on, source=f"{paper}, Table 6", values=values
            )
        )
    notes = [f"Reported rows: as printed in {paper}; not measured here, not ranked."]
    notes += [note] if note else []
    notes += [f"Reported but without a column here: {', '.join(left)}."] if left else []
    return tuple(found), tuple(notes)


def _column(name: str, columns: Sequence[Column]) -> Column | None:
    context, _, metric = name.partition("_")
    wanted = [
        c
        for c in columns
        if c.task == _TASKS.get(context)
        and c.metric == _METRICS.get(metric)
        and c.language in (None, "zh")
    ]
    return wanted[0] if wanted else None
