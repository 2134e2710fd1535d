"""Building qa in this process, and what a build left behind."""

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
