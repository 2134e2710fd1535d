"""The values that a paper prints (--reported FILE): shown beside numbers of the paper's own corpus,
marked, and never ranked.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.papers import Printed
from csc_tasks.reading import read_json
from leaderboard.reproduce.exhibits import (
    REPORTED,
    Cell,
    Heading,
    Number,
    ReportTable,
    Row,
)


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper prints: tables by the keys of the file, and what the file says of itself."""

    file: Path
    paper: str
    note: str
    tables: Mapping[str, Any]

    def values(self, key: str) -> Any:
        """What the file holds under a key; None for nothing."""
        return self.tables.get(key)

    def rows(self, printed: Printed) -> list[dict[str, Any]]:
        """The rows of a printed table, by the names of its columns; a plain mapping of names to
        numbers is rows of `name` and `value`. Raises DataError for anything else.
        """
        table = self.tables.get(printed.key)
        if table is None:
            return []
        try:
            if "columns" not in table:
                return [{"name": name, "value": value} for name, value in table.items()]
            return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise DataError(
                f"{self.file}: {printed.key}: not a table with columns and rows ({error!s:.80})"
            ) from None


def read_published(file: Path) -> Published:
    """Read a file of printed values: `{"paper": ..., "note": ..., "table6_csconv": {"columns":
    [...], "rows": [[...]]}, ...}`. Raises DataError for anything else.
    """
    data = read_json(file, "give a file of values printed in a paper")
    if not isinstance(data, dict) or not isinstance(data.get("paper"), str):
        raise DataError(f"{file}: not a file of printed values: it names no paper")
    return Published(file, data["paper"], str(data.get("note", "")), data)


def with_printed(
    table: ReportTable, printed: Printed | None, published: Published | None
) -> ReportTable:
    """The table with the printed rows below ours, in the columns that are theirs; what we have no
    column for gets one.
    """
    if printed is None or published is None or not (rows := published.rows(printed)):
        return table
    columns = list(table.columns)
    places = {name: _place(columns, printed, target) for name, target in printed.columns.items()}
    labels = printed.label or ("name",)
    added = []
    for row in rows:
        cells: list[Cell] = [None] * len(columns)
        cells[0] = " ".join(str(row[name]) for name in labels if row.get(name) is not None)
        if len(columns) > 1 and columns[1].label == TRUST:
            cells[1] = REPORTED
        for name, place in places.items():
            cells[place] = printed_number(published, printed, name, row.get(name))
        added.append(Row(tuple(cells), REPORTED))
    width = len(columns)
    ours = [
        replace(row, cells=row.cells + (None,) * (width - len(row.cells))) for row in table.rows
    ]
    notes = [f"Reported rows: as printed in {published.paper}; not measured here, not ranked."]
    notes += [published.note] if published.note else []
    return replace(
        table,
        columns=tuple(columns),
        rows=(*ours, *added),
        notes=(*table.notes, *notes),
    )


TRUST = "Trust"
"""The heading of the column that says how far a row's numbers can be trusted."""


def _place(columns: list[Heading], printed: Printed, target: str) -> int:
    """Which column a printed one belongs to; a new one where there is none."""
    wanted = {target, f"{target}_{printed.language}"}
    for place, column in enumerate(columns):
        if column.key in wanted or (not column.key and column.label == target):
            return place
    columns.append(Heading(target.rpartition("/")[2], REPORTED, target))
    return len(columns) - 1


def printed_number(
    published: Published, printed: Printed, name: str, value: object
) -> Number | None:
    """A value as it is printed; None where there is none. Raises DataError for no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(
            f"{published.file}: {printed.key}: {name} is {value!r:.40}; it must be a number or null"
        )
    return Number(float(value), digits=_digits(value))


def _digits(value: float) -> int:
    """As many as are printed."""
    return len(repr(value).partition(".")[2]) if isinstance(value, float) else 0
