"""Put a dataset's conversations before expert reviewers: a table for a spreadsheet and a page for a
browser, both offline.

    csc review export DIR --out review/
    csc review export DIR --out review/ --sample 100 --seed 1

DIR is a dataset folder with conversations (csconv, rolecs). Where DIR.originals.jsonl lies beside
it, the recording that a conversation was made from stands beside it; where DIR.judged.jsonl lies
there, so does what the build's judge said of it, and review.html shows what the judges dropped, for
reading. Where DIR has briefs (csc build briefs), a conversation's stands in the same column.
review.csv has a row per turn: the reviewer writes keep, fix or drop into `decision` (any row of a
conversation), and corrections into `new_strategy` and `new_text`, never into the other columns. An
apostrophe before =, +, -, @ or a number keeps the spreadsheet from computing it and is taken away
again. review.html shows original and rewrite side by side, keeps what was decided in the browser,
and saves it as a file. `csc review import` reads both kinds. One reviewer, one file: several may
decide on the same conversations.

Nothing leaves the machine. The originals hold personal data: pass these files on to nobody who may
not see them.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from builders.dataset import read_folder
from builders.review.judged import Judgement, read_judged
from builders.review.originals import originals_path, read_originals
from builders.review.page import write_page
from builders.review.sheet import DELIMITERS, add_delimiter, add_sample
from builders.review.table import write_table
from csc_tasks.conversation import Conversation
from csc_tasks.draws import digest
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live.stored import CONFIG as BRIEFS
from csc_tasks.out import check_writable
from csc_tasks.telling import tally, tell

TABLE, PAGE = "review.csv", "review.html"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc review export`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the dataset folder to review")
    add(
        "--out",
        required=True,
        type=Path,
        metavar="REVIEW",
        help=f"the folder for {TABLE} and {PAGE}",
    )
    add_sample(parser)
    add_delimiter(parser)


def main(args: Namespace) -> None:
    """Write the table and the page on which people decide about a dataset's conversations.

    Raises SettingError where args.out holds them already or args.folder is no dataset, DataError
    for one that cannot be read.
    """
    check_writable(args.out)
    targets = [args.out / TABLE, args.out / PAGE]
    if present := [target for target in targets if target.exists()]:
        raise SettingError(
            f"{present[0]} is there already and may hold decisions; give another folder or move it"
            " away"
        )
    if args.sample is not None and args.sample < 1:
        raise SettingError(f"--sample {args.sample}: at least 1")
    _, rows = read_folder(args.folder)
    conversations = drawn(conversations_of(rows, args.folder).values(), args.sample, args.seed)
    originals = {name: turns for name, (_, turns) in read_originals(args.folder).items()}
    judged = read_judged(args.folder)
    reasons = {one.conversation_id: one.words() for one in judged if not one.failed}
    for name, brief in _briefs(rows).items():
        reasons[name] = f"{reasons[name]}; {brief}" if name in reasons else brief
    dropped = sorted((one for one in judged if one.failed), key=_place(args.seed))[: args.sample]
    args.out.mkdir(parents=True, exist_ok=True)
    write_table(
        targets[0],
        conversations,
        originals,
        reasons,
        DELIMITERS[args.delimiter],
    )
    write_page(targets[1], args.folder.resolve().name, conversations, originals, reasons, dropped)
    beside = sum(one.conversation_id in originals for one in conversations)
    turns = sum(len(one.dialogue) for one in conversations)
    tally(
        f"conversations: {len(conversations):,} of {sum(map(len, _conversation_rows(rows)), 0):,},"
        f" {turns:,} turns"
    )
    tally(
        f"with their original beside them: {beside:,}"
        + ("" if originals else f" (there is no {originals_path(args.folder).name})")
    )
    if judged:
        told = sum(one.conversation_id in reasons for one in conversations)
        tally(
            f"with the judge's reason: {told:,}; dropped by a judge, on the page for reading:"
            f" {len(dropped):,}"
        )
    if beside:
        tally(
            "The originals hold personal data: pass these files on to nobody who may not see them."
        )
    tell(
        f"Wrote {targets[0]} and {targets[1]}. Afterwards: csc review import {args.folder} FILE..."
        " --out DIR2"
    )


def conversations_of(
    rows: Mapping[str, Mapping[str, list[dict]]], folder: Path
) -> dict[str, Conversation]:
    """Id -> conversation for all configs of a folder that hold conversations. Raises DataError
    where none does, and where turns are held out.
    """
    conversations = {}
    for split_rows in _conversation_rows(rows):
        for i, row in enumerate(split_rows):
            one = Conversation.from_row(row, f"{folder} row {i}")
            conversations[one.conversation_id] = one
    if not conversations:
        raise DataError(
            f"{folder} holds no conversations (its configs: {', '.join(rows)}); a review needs"
            " csconv or rolecs"
        )
    if any(one.held_out_turns() for one in conversations.values()):
        raise DataError(
            f"{folder} holds turns out, which nobody can review; give the dataset that they were"
            " held out of"
        )
    return conversations


def drawn(
    conversations: Iterable[Conversation], sample: int | None, seed: int
) -> list[Conversation]:
    """All conversations, or `sample` of them, in an order that depends on each id and the seed
    alone.
    """
    return sorted(conversations, key=_place(seed))[:sample]


def _briefs(rows: Mapping[str, Mapping[str, list[dict]]]) -> dict[str, str]:
    """Conversation id -> the brief of its customer, in words; none where a folder has no briefs."""
    briefs = {}
    for part in rows.get(BRIEFS, {}).values():
        for row in part:
            facts = "; ".join(f"{fact['name']}: {fact['value']}" for fact in row["facts"])
            parts = {"aim": row["aim"], "facts": facts, "unknown": "; ".join(row["unknown"])}
            parts |= {"manner": row["manner"], "mood": row["mood"]}
            told = " | ".join(f"{name}: {text}" for name, text in parts.items() if text)
            briefs[row["conversation_id"]] = f"brief: {told}"
    return briefs


def _place(seed: int) -> Callable[[Conversation | Judgement], bytes]:
    return lambda one: digest(f"review {seed} {one.conversation_id}")


def _conversation_rows(rows: Mapping[str, Mapping[str, list[dict]]]) -> list[list[dict]]:
    return [
        part
        for splits in rows.values()
        for part in splits.values()
        if part and "dialogue" in part[0]
    ]


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
