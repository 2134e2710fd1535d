"""Rows printed in a paper, for a look beside our own: never measured here, never ranked.

The file holds `{"paper": ..., "note": ..., "table6_csconv": {"columns": [...], "rows": [[...],
...]}}` with percent values and columns model, size, fine_tuned_on, and ref_ or gen_ + bleu2, bleu4,
rougeL, bertscore, bleurt, strategy_acc: Table 6 of arXiv 2508.04423. Which printed tables are
known, and which column of ours each of theirs belongs to, stands in csc_tasks/papers/papers.yaml.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.papers import PaperExhibit, Printed, papers
from csc_tasks.reading import read_json
from leaderboard.board import Column, Reported

ABOUT = ("model", "size", "fine_tuned_on")


@cache
def printed_tables() -> dict[str, PaperExhibit]:
    """The printed tables that are rows of models with columns of a board, by their key in a file of
    reported rows.
    """
    return {
        exhibit.reported.key: exhibit
        for exhibit in papers().exhibits
        if exhibit.reported and exhibit.reported.label == ABOUT
    }


def column_of(printed: Printed, name: str, columns: Sequence[Column]) -> Column | None:
    """The column of ours that a printed one belongs to."""
    task, _, metric = printed.columns.get(name, "").partition("/")
    own = [column for column in columns if (column.task, column.metric) == (task, metric)]
    return next((column for column in own if column.language in (None, printed.language)), None)


def read_reported(
    file: Path, columns: Sequence[Column]
) -> tuple[tuple[Reported, ...], tuple[str, ...]]:
    """The rows of the file for these columns (of a text metric, that of the printed table's
    language), and the notes that belong below the table.

    Columns that the table does not have are left out and named in the notes. Raises DataError for a
    file of another form.
    """
    known = " or ".join(printed_tables())
    data = read_json(file, f"give a file of reported rows with {known}")
    key = next((key for key in printed_tables() if isinstance(data, dict) and key in data), known)
    try:
        table, paper = data[key], data["paper"]
        names, rows, note = list(table["columns"]), list(table["rows"]), data.get("note", "")
        places = [names.index(name) for name in ABOUT]
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
            f"{file}: not a file of reported rows with {key} ({type(error).__name__}:"
            f" {error!s:.80})"
        ) from None
    exhibit = printed_tables()[key]
    printed = exhibit.reported
    assert printed
    ours = {name: column_of(printed, name, columns) for name in names}
    left = [name for name, column in ours.items() if column is None and name not in ABOUT]
    reported = []
    for row in rows:
        about = [row[place] for place in places]
        if not isinstance(about[0], str) or any(
            not isinstance(value, str | None) for value in about[1:]
        ):
            raise DataError(
                f"{file}: a row of {key} opens with {row[:3]!r:.80}; model, size and"
                " fine_tuned_on are texts"
            )
        values = _values(file, dict(zip(names, row, strict=True)), about[0], ours)
        reported.append(
            Reported(
                name=about[0],
                size=about[1],
                tuned_on=about[2],
                source=f"{paper}, {exhibit.number}",
                values=values,
            )
        )
    notes = [f"Reported rows: as printed in {paper}; not measured here, not ranked."]
    notes += [note] if note else []
    notes += [f"Reported but without a column here: {', '.join(left)}."] if left else []
    return tuple(reported), tuple(notes)


def _values(
    file: Path, row: Mapping[str, object], model: str, ours: Mapping[str, Column | None]
) -> dict[str, float]:
    """Our column's key -> the printed value on our scale, of one row."""
    values = {}
    for name, value in row.items():
        column = ours[name]
        if column is None or value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise DataError(
                f"{file}: {name} of {model} is {value!r:.40}; it must be a number or null"
            )
        values[column.key] = value / column.scale
    return values
