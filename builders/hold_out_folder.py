"""Hold the references of a finished dataset out: a second dataset folder, to publish, and a file to
keep.

    csc build hold-out DIR --out PUBLIC --hold-out references.parquet
    csc build hold-out DIR --out PUBLIC --hold-out references.parquet --hold-out-turns all

Of conversations in a test split the last supporter turn that is scored is held out, or every one:
text and strategy say `[held out]`. With `last` every task but the oracle can be run, and earlier
turns, which everybody has, are scored as ever; with `all` only csc_conv_gen can, and nothing can be
copied. Choose one for a set of conversations: what the one folder shows, the other would hide. Of
questions the answers are held out, and the histories that quote them. Training and validation
splits stay whole. Conversations get new ids, against which nobody can try a guess; `original_id` in
the file has the old ones.

Runs on PUBLIC have no numbers against what is held out. Whoever has the file computes them:

    csc verify results/ --corpus PUBLIC --references references.parquet
    csc collect results/ --corpus PUBLIC --references references.parquet --out board
"""

import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from builders.cards.render import contents_table
from builders.dataset import write_folder
from builders.hold_out import (
    add_hold_out,
    check_hold_out,
    hold_out,
    kept_note,
    without_counts,
    write_references,
)
from builders.source_folder import kept_record, read_source, timed
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build hold-out`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a dataset folder of a builder")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="PUBLIC", help="the dataset folder to write"
    )
    add_hold_out(parser, turns=True, required=True)


def main(args: Namespace) -> None:
    """Write the dataset in args.folder without its references into args.out, and these into
    args.hold_out.

    Raises SettingError for the same folder twice and a place that will not do, DataError for a
    folder with nothing to hold out.
    """
    started = time.time()
    source = read_source(args.folder, args.out, "the dataset itself")
    check_hold_out(args.hold_out, args.out.resolve())
    held = hold_out(source.rows, args.hold_out_turns)
    build = kept_record(without_counts(source.record, held))
    card = replace(source.card, limits=(*source.card.limits, *held.limits))
    # First: a folder without its references could never be measured.
    write_references(args.hold_out, held.references)
    written = write_folder(args.out, held.public, card, build, timed(started))
    tell(contents_table(written["splits"]), end="\n\n")
    tally(kept_note(held, args.hold_out, f" and {args.folder}, which holds them too,"))
    tell(f"Wrote {args.out}")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
