"""A journal of version 1 -> one of version 2, in place and in one transaction."""

import json
import sqlite3

from csc_tasks.llm.journal.rows import IDENTITY, VERSION, checksum, is_json, pack, request_key


def upgrade(database: sqlite3.Connection) -> None:
    """Give every row the key of version 2, which says nothing of the server, and done rows their
    checksum; pack the requests.

    Where two servers answered the same request, the first answer is the one that is read from now
    on; the other row keeps its old key, which nothing asks for, so that no cost is forgotten.
    A process that dies here leaves version 1.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        for column in ("checksum", "dictionary"):
            database.execute(f"ALTER TABLE requests ADD COLUMN {column} INTEGER")
        _upgrade_rows(database)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _upgrade_rows(database: sqlite3.Connection) -> None:
    dictionaries: dict[str, tuple[int, bytes]] = {}
    done = "state = 'done' DESC, rowid"
    # Done rows first: they take the new keys. All rowids are held, 8 bytes each; no row is.
    for (rowid,) in database.execute(f"SELECT rowid FROM requests ORDER BY {done}").fetchall():
        row = database.execute(
            f"SELECT stage, request, CAST(reply AS BLOB), key, {', '.join(IDENTITY)} FROM requests"
            " WHERE rowid = ?",
            (rowid,),
        ).fetchone()
        stage, request, reply, old, *identity = row
        try:
            key = request_key(**dict(zip(IDENTITY, identity, strict=True)), **json.loads(request))
        except (ValueError, TypeError):  # damaged: it keeps its key, and is asked again
            continue
        taken = database.execute("SELECT 1 FROM requests WHERE key = ?", (key,)).fetchone()
        key = old if taken else key
        first, dictionary = dictionaries.get(stage, (None, b""))
        if first is None:
            dictionaries[stage] = (rowid, request.encode())
        packed = request if first is None else pack(request, dictionary)
        # A reply without a checksum is damaged.
        check = checksum(key, reply) if reply is not None and is_json(reply) else None
        database.execute(
            "UPDATE requests SET key = ?, request = ?, dictionary = ?, checksum = ? WHERE"
            " rowid = ?",
            (key, packed, first, check, rowid),
        )
