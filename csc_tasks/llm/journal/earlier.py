"""A journal that a run answers from and never writes: what the parts of a build have asked together
so far. Several runs may read it at once.
"""

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csc_tasks.llm.journal.file import check, open_to_read
from csc_tasks.llm.journal.rows import VERSION, checksum
from csc_tasks.llm.journal.totals import Rows
from csc_tasks.llm.journal.upgrade import upgrade
from csc_tasks.llm.outcomes import JournalLost


class Earlier:
    """Raises SettingError where `path` is no journal, JournalLost where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._database = open_to_read(path)
        if check(path, self._database) < VERSION:
            # A copy is upgraded, in a temporary file of SQLite's: others may read the journal.
            old, self._database = (
                self._database,
                sqlite3.connect("", check_same_thread=False, isolation_level=None),
            )
            try:
                old.backup(self._database)
                upgrade(self._database)
            except sqlite3.Error as error:
                raise JournalLost(f"{path}: {error}") from None
            finally:
                old.close()

    def reply(self, key: str) -> dict[str, Any] | None:
        """The recorded reply of a done row whose bytes are those that were written, else None."""
        rows = self._rows(
            "SELECT CAST(reply AS BLOB), checksum FROM requests WHERE key = ? AND state = 'done'",
            (key,),
        )
        if not rows or rows[0][0] is None or checksum(key, rows[0][0]) != rows[0][1]:
            return None
        reply: dict[str, Any] = json.loads(rows[0][0])
        return reply

    def given_up(self, key: str) -> tuple[str, str] | None:
        """(outcome, problem) of a request that was given up, None where it was not."""
        rows = self._rows(
            "SELECT outcome, problem FROM requests WHERE key = ? AND state = 'failed' AND outcome"
            " IS NOT NULL",
            (key,),
        )
        return rows[0] if rows else None

    def close(self) -> None:
        """Close the file."""
        with self._mutex:
            self._database.close()

    def _rows(self, query: str, values: Sequence[object]) -> Rows:
        with self._mutex:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise JournalLost(
                    f"{self._path}: {error}; `csc journal salvage {self._path} --out FILE` keeps"
                    " what can be read"
                ) from None
