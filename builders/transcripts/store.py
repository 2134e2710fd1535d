"""The utterances of a source, grouped by conversation, and the conversations made of them: on disk,
so that memory does not grow with the source.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from builders.transcripts.said import Said

BATCH = 5_000
MOST = 5_000
"""Utterances of a conversation; more are no conversation but a wrong id."""


class Uttered(NamedTuple):
    """An utterance with the role of its speaker."""

    conversation: str
    time: float | None
    role: str
    text: str
    left_out: str


class Store:
    """A temporary database beside the output, which goes with the process.

    with Store(folder) as store:
        store.add(said)
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=".csc-transcripts-", dir=folder)
        self._db = sqlite3.connect(Path(self._folder.name, "said.sqlite"))
        self._db.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -32000;
            CREATE TABLE said (conversation TEXT, time REAL, name TEXT, left_out TEXT, text TEXT);
            CREATE TABLE label (name TEXT PRIMARY KEY, conversations INT, role TEXT, why TEXT)
              WITHOUT ROWID;
            CREATE TABLE kept (id TEXT PRIMARY KEY, split TEXT, language TEXT, row TEXT)
              WITHOUT ROWID;
            """
        )

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(self, said: Iterable[Said]) -> None:
        """Take utterances in, in the order of the source."""
        rows = ((s.conversation, s.time, s.speaker, s.left_out, s.text) for s in said)
        while batch := list(islice(rows, BATCH)):
            self._db.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?)", batch)

    def grouped(self) -> None:
        """Say that all utterances are in."""
        self._db.execute("CREATE INDEX by_conversation ON said (conversation)")
        self._db.execute(
            "INSERT INTO label SELECT name, COUNT(DISTINCT conversation), '', '' FROM said"
            " WHERE left_out = '' GROUP BY name"
        )

    def labels(self) -> Iterator[tuple[str, int]]:
        """(name, in how many conversations) of every speaker."""
        return iter(self._db.execute("SELECT name, conversations FROM label").fetchall())

    def give_roles(self, roles: Iterable[tuple[str, str, str]]) -> None:
        """Note (name, role, why)."""
        rows = ((role, why, name) for name, role, why in roles)
        self._db.executemany("UPDATE label SET role = ?, why = ? WHERE name = ?", rows)

    def shown_labels(self, most: int) -> tuple[list[tuple[str, str, int, str]], int]:
        """(name, role, conversations, why) of the speakers in most conversations, and how many
        there are.
        """
        rows = self._db.execute(
            "SELECT name, role, conversations, why FROM label ORDER BY conversations DESC, name"
            " LIMIT ?",
            (most,),
        ).fetchall()
        return rows, self._db.execute("SELECT COUNT(*) FROM label").fetchone()[0]

    def casts(self) -> Iterator[list[tuple[str, int, str]]]:
        """The speakers (name, in how many conversations, role) of every conversation in which the
        role of one is not known.
        """
        rows = self._db.execute(
            "SELECT DISTINCT said.conversation, said.name, label.conversations, label.role"
            " FROM said JOIN label USING (name) WHERE said.left_out = ''"
            " ORDER BY said.conversation"
        )
        for _, group in groupby(rows, itemgetter(0)):
            cast = [(name, conversations, role) for _, name, conversations, role in group]
            if any(not role for _, _, role in cast):
                yield cast

    def conversations(self) -> Iterator[list[Uttered]]:
        """The utterances of every conversation in the order of the source, at most one more than
        MOST.
        """
        rows = self._db.execute(
            "SELECT said.conversation, said.time, COALESCE(label.role, ''), said.text,"
            " said.left_out FROM said LEFT JOIN label USING (name)"
            " ORDER BY said.conversation, said.rowid"
        )
        for _, group in groupby(map(Uttered._make, rows), itemgetter(0)):
            yield list(islice(group, MOST + 1))

    def keep(self, name: str, split: str, language: str, row: str) -> bool:
        """Keep a finished conversation; False where it is there already."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)", (name, split, language, row)
        )
        return done.rowcount == 1

    def kept(self, split: str) -> Iterator[tuple[str, str]]:
        """(language, row) of the conversations of a split in the order of their ids."""
        return iter(
            self._db.execute("SELECT language, row FROM kept WHERE split = ? ORDER BY id", (split,))
        )

    def count_kept(self, column: str) -> dict[str, int]:
        """How many conversations are kept, by split or language."""
        assert column in ("split", "language")
        rows = self._db.execute(f"SELECT {column}, COUNT(*) FROM kept GROUP BY 1 ORDER BY 1")
        return dict(rows.fetchall())
