"""Turn reviewers' decisions into a new dataset folder.

    csc review import DIR review.csv [more.csv review-anna.json ...] --out DIR2

DIR is the folder that was exported; the files are tables that reviewers filled in and files that
the page saved, one a reviewer. Decisions find their conversations by id, whatever the order of
rows. An unknown id, a text that is not the dataset's, or a correction that does not fit is an error
that names it, and nothing is written. Where reviewers disagree, --on-conflict decides: drop the
conversation, or keep it as it was; without it that is an error too. Conversations that nobody
decided on are kept, unless --unreviewed drop.

A corrected conversation gets the id of its new content and is checked again: it must keep the rules
of any conversation; the further rules of CSConv that it breaks (length, alternation, strategies
that must occur) are printed. DIR2.originals.jsonl and DIR2.judged.jsonl are written along.
"""

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from builders.cards.render import contents_table, count_lines
from builders.csconv.postfilter import RULES
from builders.dataset import write_folder
from builders.review.export import conversations_of
from builders.review.judged import Judgement, read_judged, write_judged
from builders.review.originals import originals_path, read_originals, write_originals
from builders.review.page import read_decisions
from builders.review.table import read_table
from builders.review.verdicts import Verdict, corrected, settle
from builders.source_folder import contents, kept_record, read_source, timed
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError, SettingError
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc review import`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the dataset folder that was exported")
    add(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="tables (.csv) and files that the page saved (.json), one a reviewer",
    )
    add("--out", required=True, type=Path, metavar="DIR2", help="the dataset folder to write")
    add(
        "--on-conflict",
        choices=("drop", "keep"),
        help="what becomes of conversations on which reviewers disagree (default: an error)",
    )
    add(
        "--unreviewed",
        default="keep",
        choices=("keep", "drop"),
        help="what becomes of conversations without a decision (default: keep)",
    )


def main(args: Namespace) -> None:
    """Write the dataset that a review leaves of args.folder into args.out.

    Raises SettingError for the folder that was reviewed as --out, DataError for tables that do not
    fit it and where no conversation is left.
    """
    started = time.time()
    source = read_source(args.folder, args.out, "the folder that was reviewed")
    known = conversations_of(source.rows, args.folder)
    verdicts, conflicts = settle([_verdicts(path, known) for path in args.files], args.on_conflict)
    for line in conflicts:
        tally(f"disagreement, so {args.on_conflict}: {line}")
    reviewed = apply(source.rows, known, verdicts, args.unreviewed)
    if not any(
        "dialogue" in part[0] for splits in reviewed.rows.values() for part in splits.values()
    ):
        raise DataError(
            f"{args.folder}: no conversation is left after the review, so nothing was written"
        )
    for name, reason in reviewed.rule_breakers.items():
        tally(f"{name}: as corrected it breaks a rule of CSConv: {reason}")
    number = len(source.record.get("reviews", ())) + 1
    counts = reviewed.counts("review" if number == 1 else f"review_{number}") | (
        {f"review{f'_{number}' if number > 1 else ''}_disagreements": len(conflicts)}
    )
    build = _reviewed_record(source.record, counts, args)
    note = (
        f"Reviewed by people ({_files(args.files)} of decisions), who corrected turns and dropped"
        " conversations: see the counts."
    )
    card = replace(source.card, made=f"{source.card.made}\n\n{note}")
    written = write_folder(args.out, reviewed.rows, card, build, timed(started))
    originals = read_originals(args.folder)
    if carried := {new: originals[old] for old, new in reviewed.names.items() if old in originals}:
        write_originals(args.out, carried)
    if judged := read_judged(args.folder):
        write_judged(args.out, _judged_after(judged, reviewed.names))
    tally(*count_lines(counts), end="\n\n")
    tell(contents_table(written["splits"]), end="\n\n")
    tell(f"Wrote {args.out}" + (f" and {originals_path(args.out)}" if carried else ""))


def _judged_after(judged: Sequence[Judgement], names: Mapping[str, str]) -> list[Judgement]:
    """The judgements that a reviewed dataset still has, under the new ids."""
    return [
        one if one.failed else replace(one, conversation_id=names[one.conversation_id])
        for one in judged
        if one.failed or one.conversation_id in names
    ]


def _reviewed_record(record: Mapping, counts: Mapping, args: Namespace) -> dict:
    """What build.json says after the review: as before, with its settings and counts."""
    settings = {
        "files": len(args.files),
        "on_conflict": args.on_conflict,
        "unreviewed": args.unreviewed,
        "reviewed_rows": contents(record),
    }
    return kept_record(record) | {
        "reviews": [*record.get("reviews", ()), settings],
        "counts": record.get("counts", {}) | counts,
    }


@dataclass(slots=True)
class Reviewed:
    """What the verdicts made of the rows."""

    rows: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    conversations: Counter = field(default_factory=Counter)
    turns: Counter = field(default_factory=Counter)
    rule_breakers: dict[str, str] = field(default_factory=dict)

    def counts(self, name: str) -> dict:
        """For the screen, the card and build.json."""
        return {
            f"{name}_conversations": dict(self.conversations),
            f"{name}_turns_corrected": dict(self.turns),
            f"{name}_corrected_conversations_that_break_a_rule": dict(
                sorted(Counter(self.rule_breakers.values()).items())
            ),
        }


def apply(
    rows: Mapping[str, Mapping[str, list[dict]]],
    known: Mapping[str, Conversation],
    verdicts: Mapping[str, Verdict],
    unreviewed: str,
) -> Reviewed:
    """The rows after the review; a split without rows is left out, configs without conversations
    stay as they are.

    `names` maps the old ids of what is left to the new ones. Raises DataError for a correction
    after which a conversation breaks a rule.
    """
    reviewed = Reviewed()
    for config, splits in rows.items():
        for split, part in splits.items():
            left = (
                part
                if "dialogue" not in part[0]
                else list(_left(part, known, verdicts, unreviewed, reviewed))
            )
            if left:
                reviewed.rows.setdefault(config, {})[split] = left
    return reviewed


def _left(
    part: Sequence[dict],
    known: Mapping,
    verdicts: Mapping[str, Verdict],
    unreviewed: str,
    reviewed: Reviewed,
) -> Iterator[dict]:
    for row in part:
        name = row["conversation_id"]
        one, conversation = verdicts.get(name), known[name]
        outcome = (
            {"keep": "kept", "fix": "fixed", "drop": "dropped by the reviewers"}[one.decision]
            if one
            else "not reviewed"
        )
        if one is None and unreviewed == "drop":
            outcome = "not reviewed and so dropped"
        reviewed.conversations[outcome] += 1
        if "dropped" in outcome:
            continue
        if one and one.decision == "fix":
            conversation = corrected(conversation, one)
            reviewed.turns["strategy"] += sum(bool(fix.strategy) for fix in one.fixes)
            reviewed.turns["text"] += sum(bool(fix.text) for fix in one.fixes)
            if reason := _broken_rule(conversation, known[name]):
                reviewed.rule_breakers[conversation.conversation_id] = reason
        reviewed.names[name] = conversation.conversation_id
        yield conversation.to_row(roles="profile" in row)


def _broken_rule(conversation: Conversation, before: Conversation) -> str | None:
    """A rule of CSConv that the conversation breaks and did not break before it was corrected."""
    for rule in RULES:
        reason = rule(conversation)
        if reason and not rule(before):
            return reason
    return None


def _verdicts(path: Path, known: Mapping[str, Conversation]) -> list[Verdict]:
    if not path.is_file():
        raise SettingError(
            f"{path} is no file; give the tables and saved decisions of the reviewers"
        )
    return (
        read_decisions(path, known) if path.suffix.lower() == ".json" else read_table(path, known)
    )


def _files(paths: Sequence[Path]) -> str:
    return f"{len(paths)} file{'s' if len(paths) != 1 else ''}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
