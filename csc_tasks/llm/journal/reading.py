"""Reading a journal that a build may be writing: its rows, and what they add up to."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csc_tasks.llm.journal.file import open_to_read
from csc_tasks.llm.journal.rows import unpack
from csc_tasks.llm.journal.totals import Totals, totals_of
from csc_tasks.llm.outcomes import JournalLost


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row in the order of first sending, `request` and `reply` as objects; raises
    SettingError when `path` is no journal, JournalLost where its bytes are damaged.
    """
    database = open_to_read(path)
    texts: dict[int, bytes] = {}
    try:
        database.row_factory = sqlite3.Row
        query = "SELECT *, CAST(request AS BLOB) AS packed FROM requests ORDER BY rowid"
        for row in _reading(path, database, query):
            read = dict(row)
            packed, number = read.pop("packed"), read.pop("dictionary", None)
            read.pop("checksum", None)
            if number is not None and number not in texts:
                texts[number] = text_of(database, number)
            read["request"] = unpack(packed, texts.get(number) if number is not None else None)
            try:
                read["reply"] = read["reply"] and json.loads(read["reply"])
            except ValueError as error:
                raise _damaged(path, f"the reply of {read['key']} is damaged ({error})") from None
            yield read
    finally:
        database.close()


def text_of(database: sqlite3.Connection, rowid: int) -> bytes:
    """The request that others were packed with; empty where it is gone."""
    found = database.execute(
        "SELECT CAST(request AS BLOB) FROM requests WHERE rowid = ?", (rowid,)
    ).fetchone()
    return found[0] if found else b""


def read_totals(path: Path) -> list[Totals]:
    """`Journal.totals` of a file that another process may be writing; raises SettingError when
    `path` is no journal.
    """
    database = open_to_read(path)
    try:
        return totals_of(lambda query: list(_reading(path, database, query)))
    finally:
        database.close()


def _reading(path: Path, database: sqlite3.Connection, query: str) -> Iterator[Any]:
    try:
        yield from database.execute(query)
    except sqlite3.Error as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, why: object) -> JournalLost:
    return JournalLost(
        f"{path}: {why}; `csc journal salvage {path} --out FILE` keeps what can be read"
    )
