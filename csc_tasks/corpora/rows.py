"""The rows of one file: parquet, CSV, a JSON array or JSON lines."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.reading import read_text

_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


Numbered = tuple[int, Mapping[str, Any] | DataError]


def rows_of(file: Path, shown: str) -> Iterator[Numbered]:
    """Rows of a parquet file, a CSV file, a JSON array or JSON lines, numbered from 1 (JSON lines
    by line); an error in place of one that is no row. `shown` opens every error.

    Raises DataError for a file that is broken as a whole, which a broken line of JSON is too: what
    it cuts off is not known.
    """
    if file.suffix == ".parquet":
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(file, partitioning=None)
        except (OSError, ValueError) as error:
            raise DataError(f"{shown}: not a readable parquet file ({error})") from None
        yield from enumerate(table.to_pylist(), 1)
        return
    text = read_text(file, "give a file of conversations or questions", shown)
    if file.suffix == ".csv":
        yield from _csv_rows(text, shown)
        return
    escaped = _LONE_SURROGATE.search(text)
    read = _json_array if text.lstrip().startswith("[") else _json_lines
    for number, row in read(text, shown):
        if not isinstance(row, Mapping):
            problem = f"{shown} row {number}: found {row!r:.80}; a row is a JSON object"
            yield number, DataError(problem)
            continue
        broken = _lone_surrogate(row, f"{shown} row {number}") if escaped else None
        yield number, broken or row


def _csv_rows(text: str, shown: str) -> Iterator[Numbered]:
    # The default limit of 128 KiB a field is shorter than some histories.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), restkey=""), 1):
        if "" in row:
            header = ", ".join(filter(None, row))
            error = (
                f"{shown} row {number}: more fields than the header names ({header}); quote fields"
                " that hold commas"
            )
            yield number, DataError(error)
        else:
            yield number, row


def _json_array(text: str, shown: str) -> Iterable[tuple[int, object]]:
    try:
        return enumerate(json.loads(text), 1)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{shown}: broken JSON array ({error}); a .json file holds one array of rows, or one"
            " row a line"
        ) from None


def _json_lines(text: str, shown: str) -> Iterator[tuple[int, object]]:
    # Not splitlines: JSON text may hold U+2028 and its like as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{shown} row {number}: broken JSON ({error}); found {line[:80]!r};"
                    " every line must be one whole JSON object"
                ) from None


def _lone_surrogate(row: Mapping[str, Any], where: str) -> DataError | None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(error.object[error.start]):04x}"
        return DataError(
            f"{where}: holds a lone surrogate ({surrogate} without its other half); mend the text"
        )
    return None
