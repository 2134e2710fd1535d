"""Turn the sheets on which people labelled into a dataset folder with their labels.

    csc label import DIR SHEETS/label-anna.csv SHEETS/label-ben.csv --out LABELLED

DIR is the folder that was exported, or the same conversations labelled by models since; the files
are the sheets, one a person. LABELLED is DIR with the labels of people behind those there are;
`strategy` is what most raters, people and models, name first, of a tie the earliest of the twelve,
and one that DIR came with stays. Labels find their turns by id, whatever the order of rows; rows
left empty are counted. Whatever cannot be read is named, a line for every problem in every sheet,
and then nothing is written.
"""

import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders.cards.labels import labelled_card
from builders.cards.render import contents_table, count_lines
from builders.dataset import write_folder
from builders.labels.applying import apply, conversations_in
from builders.labels.record import next_lines, with_labelling
from builders.labels.sheet import Sheet, read_sheet
from builders.source_folder import read_source, timed
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError
from csc_tasks.labels import Label
from csc_tasks.telling import tally, tell

NAMED = 100
"""So many problems are named."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc label import`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the dataset folder that was exported")
    add("files", type=Path, nargs="+", metavar="SHEET", help="the sheets, one a person")
    add("--out", required=True, type=Path, metavar="LABELLED", help="the dataset folder to write")


def main(args: Namespace) -> None:
    """Write the dataset of args.folder with the labels in args.files into args.out.

    Raises SettingError for args.folder as --out, DataError with a line for every problem.
    """
    started = time.time()
    source = read_source(args.folder, args.out, "the folder that was exported")
    known = conversations_in(source.rows, args.folder)
    sheets = read_sheets(args.files, known)
    labels: dict[tuple[str, int], list[Label]] = defaultdict(list)
    for sheet in sheets:
        for place, label in sheet.labels.items():
            labels[place].append(label)
    applied = apply(source.rows, known, labels)
    labelled = {sheet.rater: 0 for sheet in sheets}
    empty = dict(labelled)
    for sheet in sheets:
        labelled[sheet.rater] += len(sheet.labels)
        empty[sheet.rater] += sheet.empty
    counts = applied.counts() | {"labels_by_person": labelled, "rows_left_empty": empty}
    labelling = {"by": "people", "raters": dict.fromkeys(labelled, ""), "sheets": len(sheets)}
    build = with_labelling(source.record, labelling, counts)
    card = labelled_card(source.card, labelling)
    written = write_folder(args.out, applied.rows, card, build, timed(started))
    tally(*count_lines(counts), end="\n\n")
    tell(contents_table(written["splits"]), end="\n\n")
    for line in next_lines(args.out):
        tell(line)


def read_sheets(files: Sequence[Path], known: Mapping[str, Conversation]) -> list[Sheet]:
    """The sheets of all people; raises DataError with a line for every problem."""
    sheets: list[Sheet] = []
    problems: list[str] = []
    for file in dict.fromkeys(files):
        sheet, wrong = read_sheet(file, known)
        problems += wrong
        if sheet:
            sheets.append(sheet)
    given: dict[tuple[str, tuple[str, int]], str] = {}
    for sheet in sheets:
        for name, place in sheet.labels:
            where = f"{sheet.file}: {sheet.rater} labels {name} turn {place + 1}"
            first = given.setdefault((sheet.rater, (name, place)), sheet.file)
            if first != sheet.file:
                problems.append(f"{where}, and in {first} too; leave one of them")
            labels = known[name].dialogue[place].labels
            if sheet.rater in {label.rater for label in labels}:
                problems.append(
                    f"{where}, which has a label of {sheet.rater} in the dataset already; import"
                    " into the folder before that, or take another name"
                )
    if problems:
        more = [f"and {len(problems) - NAMED:,} more"] if len(problems) > NAMED else []
        number = f"{len(problems):,} problem{'s' if len(problems) != 1 else ''}"
        lines = [f"{number} in the sheets, so nothing was written:", *problems[:NAMED], *more]
        raise DataError("\n  ".join(lines))
    return sheets


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
