"""Journals from others: what can still be read of a damaged file, and several files in one.

The sources are only read. Where the same request was answered in two of them, the earlier answer is
the one that is read from now on; the other keeps its row, tokens and cost under a key that nothing
asks for. Where one of them has no answer, they are one row: what was tried last, or the answer.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from csc_tasks.errors import SettingError
from csc_tasks.llm.journal.file import check, lock, open_to_read, open_to_write
from csc_tasks.llm.journal.journal import DAMAGED
from csc_tasks.llm.journal.mended import mended
from csc_tasks.llm.journal.reading import text_of
from csc_tasks.llm.journal.rows import (
    IDENTITY,
    canonical,
    checksum,
    is_json,
    pack,
    request_key,
    unpack,
)
from csc_tasks.llm.outcomes import JournalLost

COLUMNS = (
    *("key", "state", "tries", "stage", "item_id", "repeat", "attempt", "kind", "backend"),
    *("base_url", "model", "request", "reply", "outcome", "problem", "input_tokens"),
    *("output_tokens", "thinking_tokens", "first_sent", "last_sent", "ended"),
)
"""The columns of both versions; those of version 2 alone follow from them."""

SMALLEST = 100
"""No row takes fewer bytes of a file, which bounds the row numbers to look for."""


def salvage(path: Path, out: Path) -> Counter[str]:
    """Write to `out` every row of a damaged journal that can be read, one by one, and return how
    many were read, damaged (they are asked again) or lost. Rows at a cut end are not counted.

    Raises SettingError where `out` exists or nothing can be read.
    """
    if out.exists():
        raise SettingError(f"{out} exists; give a new file for --out")
    nothing = SettingError(f"no request can be read of {path}: it is no journal, or all is lost")
    try:
        open_to_read(path).close()
    except SettingError:
        if not path.is_file() or not path.stat().st_size:
            raise
        with mended(path, out.absolute().parent) as copy:
            try:
                return _salvage(copy, out, nothing)
            except SettingError:
                raise nothing from None
    return _salvage(path, out, nothing)


def _salvage(path: Path, out: Path, nothing: SettingError) -> Counter[str]:
    counts: Counter[str] = Counter()
    with _Written(out) as written:
        for row in _readable(path, counts):
            written.add(row)
            counts["read"] += 1
        if not counts["read"]:
            raise nothing
    return counts


def merge(paths: Sequence[Path], out: Path) -> Counter[str]:
    """Write the rows of all journals to `out`; returns how many were read, and how many requests
    were answered in more than one of them.

    Raises SettingError where `out` exists or a path is no journal, JournalLost for a damaged one,
    which `salvage` reads first.
    """
    if out.exists():
        raise SettingError(f"{out} exists; give a new file for --out")
    return join(paths, out)


def join(paths: Sequence[Path], out: Path) -> Counter[str]:
    """`merge` into a journal that may exist, all or nothing; raises SettingError too where another
    process writes it.
    """
    counts: Counter[str] = Counter()
    with _Written(out) as written:
        for path in paths:
            for row in _rows(path):
                counts["answered twice"] += written.add(row)
                counts["read"] += 1
    return counts


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row of a whole journal; raises as `merge` does."""
    mend = f"`csc journal salvage {path} --out FILE` keeps what can be read"
    database = open_to_read(path)
    try:
        total = database.execute("SELECT max(rowid) FROM requests").fetchone()[0] or 0
        version = check(path, database)
        for rowid in range(1, total + 1):
            row = _row(database, rowid, version)
            if row is None or (row["problem"] == DAMAGED and row["state"] == "done"):
                raise JournalLost(f"{path}: row {rowid} is damaged; {mend}")
            yield row
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise JournalLost(f"{path}: {error}; {mend}") from None
    finally:
        database.close()


class _Written:
    """A journal that gets rows, in one transaction; where that fails it is as it was, or gone where
    it is new.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, lock(path)
        try:
            self._is_new = not path.exists()
            self._database = open_to_write(path)
            self._run("BEGIN IMMEDIATE")
            query = (
                "SELECT stage, min(rowid), CAST(request AS BLOB) FROM requests WHERE dictionary IS"
                " NULL GROUP BY stage"
            )
            self._first = {stage: (rowid, text) for stage, rowid, text in self._run(query)}
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        written = False
        try:
            if kind is None:
                self._run("COMMIT")
                written = True
        finally:
            # What was not committed is undone by closing.
            self._database.close()
            if self._is_new and not written:
                self._path.unlink()
                self._path.with_name(f"{self._path.name}.lock").unlink()
            os.close(self._lock)

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalLost(f"{self._path} cannot be written: {error}") from None

    def add(self, row: dict[str, Any]) -> bool:
        """Keep a row; True where another one of the same request is answered too."""
        key = row["key"]
        there = self._run(
            "SELECT state, ended, tries, first_sent, last_sent, CAST(reply AS BLOB), checksum FROM"
            " requests WHERE key = ?",
            (key,),
        ).fetchone()
        if there is None:
            self._insert(row)
            return False
        state, ended, tries, first_sent, last_sent, reply, check = there
        damaged = reply is not None and checksum(key, reply) != check
        if "done" == state == row["state"] and not damaged:
            if self._has(row):
                return False
            if row["ended"] < ended:
                self._rename(key)
                self._insert(row)
            else:
                self._insert(row | {"key": self._free(key)})
            return True
        # The same row as it was at two times, or the tries of two.
        again = first_sent == row["first_sent"]
        both = {
            "tries": max(tries, row["tries"]) if again else tries + row["tries"],
            "first_sent": min(first_sent, row["first_sent"]),
        }
        if row["state"] == "done" or (state != "done" and row["last_sent"] > last_sent):
            self._update(row | both)
        else:
            self._update(both | {"key": key})
        return False

    def _update(self, row: dict[str, Any]) -> None:
        """Change the row of this key, all but its request."""
        if "reply" in row:
            row = row | {"checksum": _checksum(row)}
        values = {name: row[name] for name in row if name not in ("key", "request")}
        names = ", ".join(f"{name} = ?" for name in values)
        self._run(f"UPDATE requests SET {names} WHERE key = ?", (*values.values(), row["key"]))

    def _has(self, row: dict[str, Any]) -> bool:
        """Whether this very row is here already, under its own key or one that nothing asks for."""
        return bool(
            self._run(
                "SELECT 1 FROM requests WHERE (key = ? OR (key > ? AND key < ?)) AND ended = ? AND"
                " reply = ?",
                (row["key"], f"{row['key']} ", f"{row['key']}!", row["ended"], row["reply"]),
            ).fetchone()
        )

    def _rename(self, key: str) -> None:
        """Give the row that has this key one that nothing asks for."""
        free = self._free(key)
        reply = self._run(
            "SELECT CAST(reply AS BLOB) FROM requests WHERE key = ?", (key,)
        ).fetchone()[0]
        self._run(
            "UPDATE requests SET key = ?, checksum = ? WHERE key = ?",
            (free, None if reply is None else checksum(free, reply), key),
        )

    def _free(self, key: str) -> str:
        number = 2
        while self._run("SELECT 1 FROM requests WHERE key = ?", (f"{key} {number}",)).fetchone():
            number += 1
        return f"{key} {number}"

    def _insert(self, row: dict[str, Any]) -> None:
        first, dictionary = self._first.get(row["stage"], (None, b""))
        text = row["request"]
        stored = text if first is None else pack(text, dictionary)
        values = [row[name] for name in COLUMNS]
        values[COLUMNS.index("request")] = stored
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        cursor = self._run(
            f"INSERT INTO requests ({', '.join(COLUMNS)}, checksum, dictionary) VALUES ({marks})",
            (*values, _checksum(row), first),
        )
        if first is None and cursor.lastrowid is not None:
            self._first[row["stage"]] = (cursor.lastrowid, text.encode())


def _checksum(row: dict[str, Any]) -> int | None:
    return None if row["reply"] is None else checksum(row["key"], row["reply"].encode())


def _readable(path: Path, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    database = open_to_read(path)
    try:
        version, last = check(path, database), 0
        # Rows of a process that was killed may lie in the file beside it alone.
        ahead = path.with_name(f"{path.name}-wal")
        size = path.stat().st_size + (ahead.stat().st_size if ahead.exists() else 0)
        for rowid in range(1, size // SMALLEST + 2):
            try:
                row = _row(database, rowid, version)
            except (sqlite3.Error, UnicodeDecodeError):
                continue
            if row is None:
                continue
            counts["lost"] += rowid - last - 1
            last = rowid
            if row["problem"] == DAMAGED:
                counts["damaged"] += 1
                row |= {"state": "failed", "outcome": None}
            yield row
    finally:
        database.close()


def _row(database: sqlite3.Connection, rowid: int, version: int) -> dict[str, Any] | None:
    """One row as version 2 has it, `request` as text; None where there is none. A done row whose
    reply does not fit its checksum has the problem DAMAGED and no reply.
    """
    own = ", checksum, dictionary" if version > 1 else ", NULL, NULL"
    texts = {"request", "reply"}
    columns = ", ".join(f"CAST({name} AS BLOB)" if name in texts else name for name in COLUMNS)
    found = database.execute(
        f"SELECT {columns}{own} FROM requests NOT INDEXED WHERE rowid = ?", (rowid,)
    ).fetchone()
    if found is None:
        return None
    row: dict[str, Any] = dict(zip(COLUMNS, found[:-2], strict=True))
    check, number = found[-2:]
    request = unpack(row["request"], None if number is None else text_of(database, number))
    if version == 1 and request is not None:
        identity = {name: row[name] for name in IDENTITY}
        row["key"] = request_key(**identity, **request)
        is_whole = row["reply"] is None or is_json(row["reply"])
    else:
        is_whole = row["reply"] is None or checksum(row["key"], row["reply"]) == check
    if not is_whole:
        row |= {"reply": None, "problem": DAMAGED}
    if row["reply"] is not None:
        row["reply"] = row["reply"].decode()
    # A request that cannot be read is kept as null: what asks for its reply has it already.
    row["request"] = canonical(request)
    return row
