"""The journal of LLM requests: an SQLite file in which every request is a row before it is sent.

A row is `sent` while its reply is out, `failed` when the transport failed (it is asked again),
`done` once there is a reply, be that an answer, a refusal or a malformed one. A failed row with an
`outcome` was given up: the server answers others and not this one, and it is not asked again unless
the user says so. A build that was killed starts again with the same command: done rows are read,
the others asked. Rows are never
deleted. The file is an ordinary database (`sqlite3 FILE`); `csc journal stats|export|costs FILE`
reads it, also while a build runs. Only one process writes: a lock file beside it holds others off,
and dies with its process.
"""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.journal_file import identity, lock, open_to_read, open_to_write
from csc_tasks.llm.outcomes import JournalLost

SENT, FAILED, DONE = "sent", "failed", "done"


class Identity(TypedDict):
    """What makes a request this one, besides what is sent."""

    kind: str
    backend: str
    base_url: str
    model: str
    item_id: str
    repeat: int
    attempt: int


class Row(Identity):
    """What `Journal.send` records; `request` is canonical JSON."""

    stage: str
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


Rows = list[tuple[Any, ...]]  # what SQLite gives has no types of Python's


@dataclass(frozen=True, slots=True)
class Totals:
    """What a journal says of one stage and model. Tokens are those the server counted; `uncounted`
    replies came without a count. The `given_up` are among the `failed`.
    """

    stage: str
    backend: str
    model: str
    items: int
    rows: int
    tries: int
    done: int
    failed: int
    sent: int
    malformed: int
    refused: int
    given_up: int
    uncounted: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    seconds: float


def canonical(value: object) -> str:
    """JSON text that is the same for the same value: sorted keys, no spaces, characters as they
    are. Raises ValueError for NaN and Infinity, TypeError for what JSON cannot hold.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def request_key(**parts: object) -> str:
    """The tagged hash that names a request: `parts` are everything that makes it this one (see
    `csc_tasks.llm.sending`). Raises as `canonical` does, and UnicodeEncodeError for a lone
    surrogate.
    """
    return hashlib.sha256(b"csc-journal request 1\n" + canonical(parts).encode()).hexdigest()


class Journal:
    """One open journal file; a context manager. Every method may be called from any thread of this
    process.

    Raises SettingError when the file cannot be a journal or another process writes it, JournalLost
    when it can no longer be used.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._mutex = threading.Lock()
        self._lock: int | None = lock(self.path)
        try:
            self._database = open_to_write(self.path)
            self._file = identity(self.path)
        except BaseException:
            self._unlock()
            raise

    def reply(self, key: str) -> dict[str, Any] | None:
        """The recorded reply of a done row, or None when this request is still to be asked."""
        rows = self._run("SELECT reply FROM requests WHERE key = ? AND state = 'done'", (key,))
        return json.loads(rows[0][0]) if rows else None

    def given_up(self, key: str) -> tuple[str, str] | None:
        """(outcome, problem) of a request that was given up, None where it was not."""
        rows = self._run(
            "SELECT outcome, problem FROM requests"
            " WHERE key = ? AND state = 'failed' AND outcome IS NOT NULL",
            (key,),
        )
        return rows[0] if rows else None

    def all_given_up(self) -> list[GivenUpRow]:
        """Every request that was given up, in the order of first sending."""
        query = (
            "SELECT stage, item_id, outcome, problem FROM requests"
            " WHERE state = 'failed' AND outcome IS NOT NULL ORDER BY rowid"
        )
        return [GivenUpRow(*row) for row in self._run(query)]

    def send(self, key: str, row: Row) -> None:
        """Record that this request is being sent, for the first time or again."""
        now = time.time()
        self._run(
            "INSERT INTO requests (key, state, tries, stage, item_id, repeat, attempt, kind,"
            " backend, base_url, model, request, first_sent, last_sent) VALUES (?, 'sent', 1, ?, ?,"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET state = 'sent', tries ="
            " tries + 1, last_sent = excluded.last_sent WHERE state != 'done'",
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
                row["request"],
                now,
                now,
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
        return _totals(self._run)

    def close(self) -> None:
        """Close the file and let others write it."""
        with self._mutex:
            if self._lock is not None:
                self._database.close()
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
            "UPDATE requests SET state = ?, reply = ?, outcome = ?, problem = ?, input_tokens = ?,"
            " output_tokens = ?, thinking_tokens = ?, ended = ? WHERE key = ? AND state = 'sent'",
            (
                state,
                reply,
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
                if one and identity(self.path) != self._file:
                    raise JournalLost(
                        f"{self.path} was replaced during the run; put it back and start again"
                    )
                cursor = self._database.execute(statement, values)
                rows = cursor.fetchall()
            except (sqlite3.Error, OSError) as error:
                text = (
                    f"{self.path}: {error}; nothing is asked without a journal. Mend it and run the"
                    " command again: what is done is kept"
                )
                raise JournalLost(text) from None
        if one:
            assert cursor.rowcount == 1, one
        return rows


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row in the order of first sending, `request` and `reply` as objects; raises
    SettingError when `path` is no journal.
    """
    database = open_to_read(path)
    try:
        database.row_factory = sqlite3.Row
        for row in _reading(path, database, "SELECT * FROM requests ORDER BY rowid"):
            yield dict(row) | {
                name: row[name] and json.loads(row[name]) for name in ("request", "reply")
            }
    finally:
        database.close()


def read_totals(path: Path) -> list[Totals]:
    """`Journal.totals` of a file that another process may be writing; raises SettingError when
    `path` is no journal.
    """
    database = open_to_read(path)
    try:
        return _totals(lambda query: list(_reading(path, database, query)))
    finally:
        database.close()


def _totals(fetch: Callable[[str], Rows]) -> list[Totals]:
    query = """
        SELECT stage, backend, model, count(DISTINCT item_id), count(*), sum(tries),
            sum(state = 'done'), sum(state = 'failed'), sum(state = 'sent'),
            sum(outcome IS 'malformed'), sum(outcome IS 'refused'),
            sum(state = 'failed' AND outcome IS NOT NULL),
            sum(state = 'done' AND (input_tokens IS NULL OR output_tokens IS NULL)),
            coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
            coalesce(sum(thinking_tokens), 0),
            coalesce(sum(CASE state WHEN 'done' THEN ended - last_sent END), 0.0)
        FROM requests GROUP BY stage, backend, model ORDER BY min(rowid)"""
    return [Totals(*row) for row in fetch(query)]


def _reading(path: Path, database: sqlite3.Connection, query: str) -> Iterator[Any]:
    try:
        yield from database.execute(query)
    except sqlite3.Error as error:
        raise JournalLost(f"{path}: {error}") from None


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
