"""Building rolecs in this process, and what a build left behind."""

import pyarrow.parquet

from csc_tasks.cli import main

PARQUET = "rolecs/train-00000-of-00001.parquet"

LANGUAGES = ("zh", "en")


def build(out, *options, llm="scripted"):
    """Run the command in this process; returns its exit status."""
    return main(["build", "rolecs", "--llm", llm, "--out", str(out), *map(str, options)])


def rows_of(out):
    return pyarrow.parquet.read_table(out / PARQUET, partitioning=None).to_pylist()
