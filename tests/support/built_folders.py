"""What a build left behind: its folder, and the journal beside it."""

import json
import sqlite3


def record_of(out):
    return json.loads((out / "build.json").read_text(encoding="utf-8"))


def files_of(out):
    """Everything but run.json, which may differ."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def journal_rows(path, where="1"):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as database:
        return database.execute(
            f"SELECT key, state, tries, last_sent, stage FROM requests WHERE {where}"
        ).fetchall()
