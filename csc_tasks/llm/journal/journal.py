"""The journal of LLM requests: an SQLite file in which every request is a row before it is sent.

A row is `sent` while its reply is out, `failed` when the transport failed (it is asked again),
`done` once there is a reply, be that an answer, a refusal or a malformed one. A failed row with an
`outcome` was given up: the server answers others and not this one, and it is not asked again unless
the user says so. A build that was killed starts again with the same command: done rows are read,
the others asked. Rows are never deleted. What names a request is the model, the item and what is
sent, not the server's address, so a build goes on behind another port; `base_url` says who was
asked last. The file is an ordinary database (`sqlite3 FILE`) in which all but the first request of
a stage are packed; `csc journal`
reads it, also while a build runs. Only one process writes: a lock file beside it holds others off,
and dies with its process.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.journal.earlier import Earlier
from csc_tasks.llm.journal.file import file_identity, lock, open_to_write
from csc_tasks.llm.journal.rows import canonical, checksum, pack
from csc_tasks.llm.journal.totals import Rows, Totals, totals_of
from csc_tasks.llm.outcomes import JournalLost

FAILED, DONE = "failed", "done"

BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

DAMAGED = "the recorded reply is damaged"
"""The problem of a row that is asked again because its bytes changed."""


class Identity(TypedDict):
    """What makes a request this one, besides what is sent."""

    kind: str
    backend: str
    model: str
    item_id: str
    repeat: int
    attempt: int


class Row(Identity):
    """What `Journal.send` records; `request` is canonical JSON."""

    stage: str
    base_url: str
    request: str


@dataclass(frozen=True, slots=True)
class GivenUpRow:
    """A request without a reply that is not asked again: `outcome` says in a few words why,
    `problem` in the server's.
    """

    stage: str
    item_id: str
    outcome: str
    problem: str


class Journal:
    """One open journal file; a context manager. Every method may be called from any thread of this
    process.

    Raises SettingError when the file cannot be a journal or another process writes it, JournalLost
    when it can no longer be used.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.earlier: Earlier | None = None
        self.damaged = 0
        self._mutex = threading.Lock()
        self._first: dict[str, tuple[int, bytes]] = {}
        self._lock: int | None = lock(self.path)
        try:
            self._database = open_to_write(self.path)
            self._file = file_identity(self.path)
        except BaseException:
            self._unlock()
            raise

    def reply(self, key: str) -> dict[str, Any] | None:
        """The recorded reply of a done row, or None when this request is still to be asked.

        A row whose bytes are no longer those that were written is marked as failed and counted in
        `damaged`: its request is asked again.
        """
        rows = self._run(
            "SELECT CAST(reply AS BLOB), checksum FROM requests WHERE key = ? AND state = 'done'",
            (key,),
        )
        if not rows:
            return self.earlier.reply(key) if self.earlier else None
        recorded, check = rows[0]
        if recorded is not None and checksum(key, recorded) == check:
            reply: dict[str, Any] = json.loads(recorded)
            return reply
        self.damaged += 1
        self._run(
            "UPDATE requests SET state = 'failed', outcome = NULL, problem = ? WHERE key = ?",
            (DAMAGED, key),
        )
        return None

    def has(self, key: str) -> bool:
        """Whether the request has a reply, here or in the journal that is also read."""
        query = "SELECT 1 FROM requests WHERE key = ? AND state = 'done'"
        if self._run(query, (key,)):
            return True
        return self.earlier is not None and self.earlier.reply(key) is not None

    def read_also(self, path: Path) -> None:
        """Answer from another journal too, which is only read. Raises SettingError where it is
        none.
        """
        self.earlier = Earlier(path)

    def given_up(self, key: str) -> tuple[str, str] | None:
        """(outcome, problem) of a request that was given up, None where it was not."""
        query = (
            "SELECT outcome, problem FROM requests"
            " WHERE key = ? AND state = 'failed' AND outcome IS NOT NULL"
        )
        rows = self._run(query, (key,))
        if not rows and self.earlier is not None:
            return self.earlier.given_up(key)
        return rows[0] if rows else None

    def all_given_up(self) -> list[GivenUpRow]:
        """Every request that was given up, in the order of first sending."""
        query = (
            "SELECT stage, item_id, outcome, problem FROM requests"
            " WHERE state = 'failed' AND outcome IS NOT NULL ORDER BY rowid"
        )
        return [GivenUpRow(*row) for row in self._run(query)]

    def send(self, key: str, row: Row, anew: bool = True) -> None:
        """Record that this request is being sent, for the first time or again; not `anew`: that it
        is still out from an earlier run, and no further try.
        """
        now = time.time()
        packed, dictionary = self._packed(row["stage"], row["request"])
        self._run(
            "INSERT INTO requests (key, state, tries, stage, item_id, repeat, attempt, kind,"
            " backend, base_url, model, request, dictionary, first_sent, last_sent) VALUES (?,"
            " 'sent', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " state = 'sent', tries = tries + ?, base_url = excluded.base_url, last_sent ="
            " excluded.last_sent WHERE state != 'done'",
            (
                key,
                row["stage"],
                row["item_id"],
                row["repeat"],
                row["attempt"],
                row["kind"],
                row["backend"],
                row["base_url"],
                row["model"],
                packed,
                dictionary,
                now,
                now,
                int(anew),
            ),
            one=f"{key} is done and was about to be asked again",
        )

    def fail(self, key: str, problem: str) -> None:
        """Record that the request got no reply; it is asked again."""
        self._end(key, FAILED, None, None, problem, Usage())

    def give_up(self, key: str, outcome: str, problem: str) -> None:
        """Record that a failed request is not asked again; `outcome` says in a few words why,
        `problem` in more.
        """
        self._run(
            "UPDATE requests SET outcome = ?, problem = ? WHERE key = ? AND state = 'failed'",
            (outcome, problem, key),
            one=f"{key} was given up but had not failed",
        )

    def take_up(self, key: str) -> None:
        """Undo `give_up`: the request is asked again by the next run."""
        self._run(
            "UPDATE requests SET outcome = NULL WHERE key = ? AND state = 'failed'"
            " AND outcome IS NOT NULL",
            (key,),
        )

    def finish(
        self, key: str, reply: Mapping[str, object], outcome: str, problem: str, usage: Usage
    ) -> None:
        """Record the reply. `outcome` (ok, malformed, refused) and `problem` are for reports: a
        replay reads `reply` afresh.
        """
        text = canonical(dict(reply))
        # A reply may hold a lone surrogate, which UTF-8 cannot; JSON's own escapes can.
        if not _writable(text):
            text = json.dumps(dict(reply), sort_keys=True)
        self._end(key, DONE, text, outcome, problem, usage)

    def totals(self) -> list[Totals]:
        """Counts of every stage and model, in the order of their first requests."""
        return totals_of(self._run)

    def close(self) -> None:
        """Close the file and let others write it."""
        with self._mutex:
            if self._lock is not None:
                self._database.close()
                if self.earlier is not None:
                    self.earlier.close()
                self._unlock()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _end(
        self,
        key: str,
        state: str,
        reply: str | None,
        outcome: str | None,
        problem: str,
        usage: Usage,
    ) -> None:
        self._run(
            "UPDATE requests SET state = ?, reply = ?, checksum = ?, outcome = ?, problem = ?,"
            " input_tokens = ?, output_tokens = ?, thinking_tokens = ?, ended = ? WHERE key = ? AND"
            " state = 'sent'",
            (
                state,
                reply,
                None if reply is None else checksum(key, reply.encode()),
                outcome,
                problem,
                usage.input,
                usage.output,
                usage.thinking,
                time.time(),
                key,
            ),
            one=f"{key} ended but was not out",
        )

    def _packed(self, stage: str, request: str) -> tuple[str | bytes, int | None]:
        """A request as it is stored, and the row whose request it was packed with: the first one
        of its stage, which is stored as it is.
        """
        if stage not in self._first:
            rows = self._run(
                "SELECT rowid, CAST(request AS BLOB) FROM requests WHERE stage = ? AND dictionary"
                " IS NULL ORDER BY rowid LIMIT 1",
                (stage,),
            )
            if not rows:
                return request, None
            self._first[stage] = rows[0]
        number, text = self._first[stage]
        return pack(request, text), number

    def _run(self, statement: str, values: Sequence[object] = (), one: str = "") -> Rows:
        """The rows a statement gives, in a transaction of its own. `one`: exactly one row must
        change, or this is a bug of ours.
        """
        with self._mutex:
            if self._lock is None:
                raise JournalLost(f"{self.path} is closed")
            try:
                # SQLite would go on writing into a file that was moved or deleted, and all of it
                # would be lost at the end.
                if one and file_identity(self.path) != self._file:
                    raise JournalLost(
                        f"{self.path} was replaced during the run; put it back and start again"
                    )
                cursor = self._database.execute(statement, values)
                rows = cursor.fetchall()
            except (sqlite3.Error, OSError) as error:
                mend = (
                    f"`csc journal salvage {self.path} --out FILE` keeps what can be read; then"
                    if getattr(error, "sqlite_errorcode", 0) in BROKEN
                    else "Mend it and"
                )
                text = (
                    f"{self.path}: {error}; nothing is asked without a journal. {mend} run the"
                    " command again: what is done is kept"
                )
                raise JournalLost(text) from None
        if one:
            assert cursor.rowcount == 1, one
        return rows


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
