"""Sheets that people fill in: CSV files with a row a turn, as spreadsheets hand them back, each row
checked against the turn that it speaks of.

Comma, semicolon and tab separate; rows and columns may be reordered, rows left out.
"""

import csv
import io
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from csc_tasks.conversation import Conversation
from csc_tasks.csv_cells import unguarded
from csc_tasks.errors import DataError
from csc_tasks.reading import read_bytes

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
"""What `--delimiter` names."""

Check = Callable[[Conversation, int], str]
"""(Conversation, number of the turn from 1) -> what the cell `check` holds."""


def add_sample(parser: ArgumentParser) -> None:
    """`--sample` and `--seed`: which conversations come before people."""
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help=(
            "N conversations drawn at random; those of a smaller N are among those of a larger one"
        ),
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="another seed, another sample and order (default: 0)",
    )


def add_delimiter(parser: ArgumentParser) -> None:
    """Add `--delimiter`."""
    parser.add_argument(
        "--delimiter",
        default="comma",
        choices=tuple(DELIMITERS),
        help=(
            "between cells: semicolon where the decimal sign is a comma, so that a double click"
            " opens the table (default: comma)"
        ),
    )


def read_rows(
    path: Path, columns: Sequence[str], optional: Collection[str]
) -> list[tuple[int, dict[str, str]]]:
    """(line, column -> cell) of each row that is not empty; raises DataError for a file that is no
    such table.
    """
    data = read_bytes(path, "give the table that was filled in (CSV)")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8; save the table as CSV UTF-8"
        ) from None
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS.values(), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if missing := [
            column for column in columns if column not in header and column not in optional
        ]:
            raise DataError(
                f"{path}: no column {', '.join(missing)} in the first row; found"
                f" {', '.join(header)[:200] or 'nothing'}"
            )
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row = dict.fromkeys(columns, "") | dict(zip(header, cells, strict=False))
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}; a cell with quotes or line breaks must stand"
            " in quotes"
        ) from None
    return rows


def turn_of_row(
    row: Mapping[str, str],
    known: Mapping[str, Conversation],
    place: str,
    check: Check,
    changed: str,
) -> tuple[str, int]:
    """The conversation and the turn (from 1) a row speaks of, once its text is known to be the
    dataset's. changed: what is said of another text, which stands for {}.

    Raises DataError opened by `place`.
    """
    name = next(
        (
            id
            for id in (unguarded(row["conversation_id"]).strip(), row["conversation_id"].strip())
            if id in known
        ),
        None,
    )
    if name is None:
        raise DataError(
            f"{place}: there is no conversation {row['conversation_id'].strip()!r} in the dataset"
        )
    conversation, turn = known[name], row["turn"].strip().removesuffix(".0")
    if not turn.isdecimal() or not 1 <= int(turn) <= len(conversation.dialogue):
        raise DataError(
            f"{place}: {name} has turns 1 to {len(conversation.dialogue)}, not {turn!r}"
        )
    number, spoken = int(turn), conversation.dialogue[int(turn) - 1]
    if row["check"].strip() != check(conversation, number):
        raise DataError(
            f"{place}: {name} turn {number} is not what was exported: dataset or check column have"
            " changed; export again"
        )
    if _plain(spoken.text) not in (_plain(unguarded(row["text"])), _plain(row["text"])):
        found = repr(row["text"])[:60]
        raise DataError(f"{place}: {name} turn {number}: {changed.format(found)}")
    return name, number


def _plain(text: str) -> str:
    return " ".join(text.split())
