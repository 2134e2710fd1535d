"""Building qa in this process, and what a build left behind."""

import json
import sqlite3

import pyarrow.parquet

from csc_tasks.cli import main


def build(source, out, *options, llm="scripted"):
    """Run the command in this process; returns its exit status."""
    return main(
        [
            "build",
            "qa",
            "--source",
            str(source),
            "--llm",
            llm,
            "--out",
            str(out),
            *map(str, options),
        ]
    )


def rows_of(out, config="qa"):
    """Split -> rows."""
    files = sorted((out / config).glob("*.parquet"))
    return {
        path.name.split("-")[0]: pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
        for path in files
    }


def all_rows(out, config="qa"):
    return [row for rows in rows_of(out, config).values() for row in rows]


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
