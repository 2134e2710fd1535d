"""Turn recorded support conversations into the strategy-annotated evaluation set CSConv (arXiv
2508.04423, Section 3), with any LLM.

    csc build csconv --source calls.jsonl --llm openai:MODEL --licence cc-by-4.0 --out DIR
    csc build csconv --source CrossWOZ/val.json.zip --llm scripted --out DIR
        offline stand-in, nothing to set up

Same-speaker neighbours are merged, then rules that cost nothing decide
(builders/csconv/prefilter.py): 3 to 30 exchanges, no utterance over 500 characters, a tenth of the
characters on either side, 70 % of the customer turns longer than 3 characters. The stages for
`--llm STAGE=...`: check (abusive or unprofessional talk), topic (where the source has none),
rewrite (up to --per-topic of each topic), judge (three yes/no questions) and label (with --fidelity
only). A rewrite must have 10 to 50 utterances that strictly alternate, one strategy on every
supporter turn, and Greeting, Identity Verification and Closure among them. Whatever is dropped is
counted by reason, on the screen, in the card and in build.json, and so are the facts that the
rewrites kept, masked, lost and added.

Every request is in the journal: a build that was stopped or killed goes on by the same command and
asks nothing twice. `--limit` keeps that many conversations: a larger one only adds to them. The
originals are written to OUT.originals.jsonl, beside the folder, where `csc review export` finds
them and `csc push` does not: they, and the journal, hold the personal data that the rewrite has
placeholders for.
"""

import asyncio
import hashlib
import json
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from builders.cards.csconv import card
from builders.cards.render import contents_table, count_lines
from builders.csconv import prefilter
from builders.dataset import check_target, write_folder
from builders.sources import RawConversation, Reading, add_source_arguments, read_source
from csc_tasks.arguments import check_share
from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.runs import run_record, stage_models
from csc_tasks.out import replace_file

PER_TOPIC = 500
PROBLEMS_SHOWN = 20


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add_source_arguments(parser)
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the dataset folder to write; journal and originals lie beside it",
    )
    add(
        "--per-topic",
        type=int,
        default=PER_TOPIC,
        metavar="N",
        help=f"rewrite at most N of each topic (default: {PER_TOPIC})",
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="keep N conversations; those of a smaller limit are among those of a larger one",
    )
    add(
        "--fidelity",
        type=int,
        default=0,
        metavar="N",
        help=(
            "label the supporter turns of N originals too, to report strategies before and after"
            " (default: 0)"
        ),
    )
    add(
        "--train-share",
        type=float,
        default=0.0,
        metavar="X",
        help="share of the conversations that become a train split (default: 0)",
    )
    add(
        "--licence",
        default="other",
        metavar="ID",
        help="the dataset's licence, as the Hub names it (default: other)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="another seed, another sample of each topic (default: 0)",
    )
    add_llm_arguments(parser)


def main(args: Namespace) -> None:
    from builders.csconv.asking import STAGES
    from builders.csconv.candidates import Candidates
    from builders.csconv.fidelity import facts_report, strategies_report
    from builders.csconv.maker import Maker
    from builders.scripted.rewriter import register
    from csc_tasks.llm.client import llm_from_args

    started = time.time()
    check_target(args.out)
    check_settings(args)
    register()
    stages = STAGES if args.fidelity else tuple(stage for stage in STAGES if stage != "label")
    out = args.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    reading, dropped = Reading(), Counter()
    source = read_source(args.source, reading, args.format, args.source_language)
    journal = out.with_name(f"{out.name}.journal.sqlite")
    # The options of the model are looked at before a source is read, which can take long.
    with (
        llm_from_args(args, journal, stages) as llm,
        Candidates(out.parent, args.seed) as candidates,
    ):
        languages = read(source, reading, dropped, candidates)
        made = Maker(llm, candidates, args.per_topic, args.limit).make()
        counts = report(reading, dropped, len(candidates.places()), made)
        if not made.kept:
            raise DataError(nothing_left(args.source, counts))
        counts |= facts_report(made.kept)
        if args.fidelity:
            counts |= asyncio.run(strategies_report(llm, made.kept[: args.fidelity]))
        build = build_record(args, llm, stages, candidates.digest(), counts, languages)
        run = run_record(llm, started)
    write_originals(out.with_name(f"{out.name}.originals.jsonl"), made.kept)
    record = write_folder(
        out,
        {"csconv": split(made.kept, args.train_share, args.seed)},
        card(build, args.licence),
        build,
        run,
    )
    print("\n".join(count_lines(counts)), contents_table(record["splits"]), sep="\n\n", end="\n\n")
    if args.limit and len(made.kept) < args.limit:
        print(f"Only {len(made.kept):,} of the {args.limit:,} asked for: nothing is left to try.")
    print(
        f"Wrote {args.out}; its README.md says how to load it. Every request is in"
        f" {llm.journal.path}, the originals are in {args.out}.originals.jsonl."
    )


def check_settings(args: Namespace) -> None:
    """Raise SettingError for numbers that make no sense."""
    for option, least in (("per_topic", 1), ("limit", 1), ("fidelity", 0)):
        value = getattr(args, option)
        if value is not None and value < least:
            raise SettingError(f"--{option.replace('_', '-')} {value}: at least {least}")
    check_share("--train-share", args.train_share, one=False)


def read(
    source: Iterable[RawConversation], reading: Reading, dropped: Counter, candidates
) -> list[str]:
    """Keep in `candidates` what passes the rules of a source's conversations; counts the rest in
    `dropped` and returns the languages found.

    Prints where the source has problems.
    """
    languages = set()
    for raw in source:
        if reason := prefilter.first_reason(raw):
            dropped[reason] += 1
        elif not candidates.add(raw):
            dropped["duplicate of another"] += 1
        else:
            languages.add(raw.language)
    for problem in reading.problems[:PROBLEMS_SHOWN]:
        print(f"problem: {problem}")
    problems = sum(n for name, n in reading.counts.items() if name.startswith("problems: "))
    if problems > PROBLEMS_SHOWN:
        print(f"... and {problems - PROBLEMS_SHOWN:,} more; all are counted below")
    return sorted(languages)


def report(reading: Reading, dropped: Counter, candidates: int, made) -> dict:
    """The counts for the screen, the card and build.json."""
    found = [pair.conversation for pair in made.kept]
    return {
        "source": {name.replace("_", " "): n for name, n in sorted(reading.counts.items())},
        "conversations_dropped_by_the_rules": dict(sorted(dropped.items())),
        "conversations_that_passed_the_rules": candidates,
        "conversations_checked": made.looked_at,
        "conversations_dropped_by_the_check": dict(sorted(made.dropped_before.items())),
        "conversations_over_the_limit_of_their_topic": made.over_the_topic,
        "conversations_not_needed": made.not_needed,
        "conversations_rewritten_by_topic": dict(sorted(made.topics.items())),
        "closing_notes_removed": made.notes_removed,
        "conversations_dropped_after_rewriting": dict(sorted(made.dropped_after.items())),
        "judge_said_no_to": dict(sorted(made.judged_no.items())),
        "conversations_kept": len(found),
        "conversations_by_topic": dict(
            sorted(Counter(conversation.topic for conversation in found).items())
        ),
        "conversations_by_language": dict(
            sorted(Counter(conversation.language for conversation in found).items())
        ),
        "conversations_by_source": dict(
            sorted(Counter(conversation.source for conversation in found).items())
        ),
    }


def nothing_left(source: Path, counts: Mapping) -> str:
    """The error for a build in which nothing is kept."""
    where = (
        "source",
        "conversations_dropped_by_the_rules",
        "conversations_dropped_by_the_check",
        "conversations_dropped_after_rewriting",
    )
    reasons = "; ".join(count_lines({name: counts[name] for name in where if counts[name]}))
    return (
        f"{source}: none of the conversations can be used, so nothing was written;"
        f" {reasons or 'there were none'}"
    )


def split(pairs: Sequence, train_share: float, seed: int) -> dict[str, list[dict]]:
    """The rows by split: a conversation's place depends on its id and the seed alone. A split
    without rows is left out.
    """
    splits: dict[str, list[dict]] = {"train": [], "test": []}
    for pair in pairs:
        name = pair.conversation.conversation_id
        draw = int.from_bytes(
            hashlib.sha256(f"csconv split {seed} {name}".encode()).digest()[:8], "big"
        )
        splits["train" if draw < train_share * 2**64 else "test"].append(pair.conversation.to_row())
    return {name: rows for name, rows in splits.items() if rows}


def write_originals(path: Path, pairs: Sequence) -> None:
    """One line per kept conversation with the recording it was made from, sorted by id, put into
    place in one step.
    """
    lines = {}
    for pair in pairs:
        turns = [{"speaker": turn.speaker, "text": turn.text} for turn in pair.original.turns]
        row = {
            "conversation_id": pair.conversation.conversation_id,
            "source_id": pair.original.source_id,
            "turns": turns,
        }
        lines[row["conversation_id"]] = json.dumps(row, ensure_ascii=False) + "\n"
    replace_file(path, (lines[name] for name in sorted(lines)))


def build_record(
    args: Namespace, llm, stages: Sequence[str], digest: str, counts: dict, languages: Sequence[str]
) -> dict:
    """What build.json says: the same in two identical builds."""
    from builders.csconv import postfilter
    from builders.csconv.asking import prompt_name
    from builders.wording import templates

    settings = {
        name: getattr(args, name)
        for name in ("seed", "per_topic", "limit", "fidelity", "train_share", "attempts", "licence")
    }
    settings |= {
        "sampling": llm.sampling,
        "rules_before": prefilter.bounds(),
        "rules_after": postfilter.bounds(),
    }
    return {
        "builder": "csconv",
        "settings": settings,
        "models": stage_models(llm, stages),
        "prompts": {
            name: found
            for language in languages
            for name, found in templates(language).hashes(*map(prompt_name, stages)).items()
        },
        "candidates_sha256": digest,
        "counts": counts,
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
