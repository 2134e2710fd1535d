"""The partial dataset of a build that was stopped: OUT.partial, a dataset folder of what is
complete so far.

The build is made once more from the journal alone, one item after the other, up to the first that
the journal does not answer in full. So its rows are some of those that the whole will have, to the
byte: what an item becomes may depend on those before it, never on those behind. The folder is
replaced when the build stops again, goes when the whole is written, and is not published.
"""

import io
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from builders.dataset import read_record, write_folder
from builders.hold_out import hold_out, without_counts
from builders.outlook import NothingKept
from csc_tasks.errors import CscError, DataError
from csc_tasks.llm.client import llm_from_args
from csc_tasks.llm.outcomes import Fatal, Stopped
from csc_tasks.llm.runs import run_record
from csc_tasks.telling import mention

if TYPE_CHECKING:
    from builders.runner import Builder, Built


def partial_folder(out: Path) -> Path:
    """The partial dataset of a build."""
    return out.with_name(f"{out.name}.partial")


def quietly(builder: "type[Builder]", args: Namespace) -> "Builder":
    """The builder once more, without what it says when it is made; `args` stay as they are."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return builder(copy(args))


@contextmanager
def leaving_partial(builder: "type[Builder]", args: Namespace, journal: Path) -> Iterator[None]:
    """Write the partial dataset where the build that runs inside is stopped; says so on stderr."""
    try:
        yield
    except (Stopped, Fatal, KeyboardInterrupt):
        try:
            print(_leave(builder, args, journal), file=sys.stderr)
        except (CscError, OSError) as error:
            print(f"no partial dataset was written: {error}", file=sys.stderr)
        raise


def remove_partial(out: Path) -> None:
    """Remove the partial dataset of a build that is whole."""
    folder = partial_folder(out)
    record = read_record(folder)
    if record is not None and "partial" in record:
        shutil.rmtree(folder)


def check_whole(folder: Path, record: dict) -> None:
    """Raise DataError for a partial dataset."""
    if partial := record.get("partial"):
        raise DataError(
            f"{folder} is a partial dataset ({progress_of(partial)}) and is not published; run the"
            " build again until it is whole"
        )


def progress_of(partial: dict) -> str:
    """How far the build was, in words."""
    return f"{partial['done']:,} of {partial['of']:,} in the round {partial['round']!r}"


def _leave(builder: "type[Builder]", args: Namespace, journal: Path) -> str:
    """Write it, and say what there is."""
    started, build = time.time(), quietly(builder, args)
    folder = partial_folder(build.out)
    if build.later:
        return f"There is no partial result: {build.later}. The journal holds what was answered."
    mention(f"Writing what is complete to {folder} ...")
    once = copy(args)
    # One item after the other: the first that is not complete is the end.
    once.llm, once.concurrency, once.stop_after_failures = build.args.llm, 1, 0
    with llm_from_args(once, journal, build.stages, build.in_turn) as llm:
        llm.only_reads, llm.tell = True, lambda line: None
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                built = build.make(llm)
        except NothingKept:
            built = None
        run = run_record(llm, started)
    if not llm.open_rounds:
        return "Everything is answered already: the same command writes the dataset."
    rounds = llm.open_rounds[0]
    partial = {"round": rounds.name, "done": rounds.done, "of": rounds.of}
    if built is None:
        remove_partial(build.out)
        why = f"; {build.rounds}" if build.rounds else ""
        return (
            f"No row is complete yet ({progress_of(partial)}{why}), so there is no partial dataset."
        )
    rows = _write(build, built, partial, run, folder)
    return f"{rows:,} rows are complete: {folder} ({progress_of(partial)})."


def _write(build: "Builder", built: "Built", partial: dict, run: dict, folder: Path) -> int:
    """Write the folder; returns its number of rows."""
    rows, card, said = built.rows, build.card(built.record), built.record
    if build.held_out is not None:
        held = hold_out(rows, build.hold_out_turns)
        rows, said = held.public, without_counts(said, held)
        card = replace(card, limits=(*card.limits, *held.limits))
    text = (
        f"This dataset is partial: the build was stopped at {progress_of(partial)}. The"
        f" {partial['of'] - partial['done']:,} that are missing there, and what comes of them, are"
        " not in it."
    )
    card = replace(
        card,
        title=f"{card.title} (partial)",
        summary=f"**{text}** {card.summary}",
        limits=(text, *card.limits),
    )
    record = write_folder(folder, rows, card, said | {"partial": partial}, run)
    config = next(iter(record["splits"].values()))
    return sum(split["rows"] for split in config.values())
