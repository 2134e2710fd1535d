"""Put a dataset's conversations before people who label them: a sheet a person, offline.

    csc label export DIR --people anna,ben --out SHEETS
    csc label export DIR --people anna,ben --out SHEETS --sample 50 --seed 1

DIR is a dataset folder with conversations. SHEETS gets label-anna.csv and label-ben.csv, each with
a row a turn and nothing of what other people or models say of it, and GUIDE.md, which says what the
twelve strategies mean. A person writes one strategy into `strategies`, or up to three in order with
+ between them; rows may be left empty. All get the same conversations in the same order, so that
they can be compared. csc label import reads the sheets back. Names stand in the dataset afterwards:
take ones that say nothing about who it is.

Nothing leaves the machine. Conversations may hold personal data: pass the sheets on to nobody who
may not see them.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

from builders.dataset import read_folder
from builders.labels.applying import conversations_in, supporter_turns
from builders.labels.raters import check_person
from builders.labels.sheet import GUIDE, guide, write_sheet
from builders.review.export import drawn
from builders.review.sheet import DELIMITERS, add_delimiter, add_sample
from builders.runner import check_least
from builders.schema import SPLITS
from builders.wording import building_languages
from csc_tasks.arguments import listed
from csc_tasks.errors import SettingError
from csc_tasks.out import check_writable, replace_file
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc label export`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the dataset folder to label")
    add("--people", required=True, metavar="NAME,...", help="who labels: a sheet each")
    add("--out", required=True, type=Path, metavar="SHEETS", help="the folder for the sheets")
    add(
        "--split",
        action="append",
        default=[],
        choices=SPLITS,
        help="conversations of this split; repeatable (default: all there are)",
    )
    add_sample(parser)
    add_delimiter(parser)


def main(args: Namespace) -> None:
    """Write the sheets on which people label the turns of args.folder.

    Raises SettingError for names that will not do and where args.out holds sheets already,
    DataError for a folder that cannot be read or holds no conversations.
    """
    check_writable(args.out)
    check_least(args, sample=1)
    people = [check_person(name) for name in listed(args.people)]
    if not people:
        raise SettingError("--people is empty; name who labels, as in --people anna,ben")
    if twice := [name for name, count in Counter(map(_file, people)).items() if count > 1]:
        raise SettingError(f"--people: two sheets would be called {twice[0]}; give other names")
    targets = {name: args.out / _file(name) for name in people}
    if present := [target for target in targets.values() if target.exists()]:
        raise SettingError(
            f"{present[0]} is there already and may hold labels; give another folder or move it"
            " away"
        )
    _, rows = read_folder(args.folder)
    every = conversations_in(rows, args.folder, args.split)
    conversations = drawn(every.values(), args.sample, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, target in targets.items():
        write_sheet(target, name, conversations, DELIMITERS[args.delimiter])
    spoken = {one.language for one in conversations}
    guided = [code for code in building_languages() if code in spoken] or ["en"]
    replace_file(args.out / GUIDE, guide(guided))
    turns = sum(len(supporter_turns(one)) for one in conversations)
    tally(
        f"conversations: {len(conversations):,} of {len(every):,}, {turns:,} supporter turns to"
        " label"
    )
    tell(f"Wrote {', '.join(map(str, targets.values()))} and {args.out / GUIDE}.")
    tally("The sheets hold what was said: pass them on to nobody who may not see it.")
    tell(f"Afterwards: csc label import {args.folder} {args.out}/label-*.csv --out LABELLED")


def _file(name: str) -> str:
    return f"label-{'-'.join(name.casefold().split())}.csv"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
