"""Build a context-summarised QA set from recorded conversations: the method of arXiv 2602.00665,
for any source and any LLM.

    csc build qa --source FILE --out DIR
        the paper's models: gpt-4o-mini, gpt-4.1
    csc build qa --source FILE --llm openai:MODEL --base-url URL --out DIR
        one model for all stages
    csc build qa --source FILE --llm scripted --out DIR
        offline stand-in, nothing to set up

Conversations of 5 to 100 turns (same-speaker neighbours merged) are moderated; every customer-agent
pair becomes a row: the turns before it, their running summary (at most 250 tokens), the customer's
question, the agent's answer and that answer refined, the reference. What fails, be it moderation,
summary or refinement, is dropped and counted by reason: on the screen, in the card and in
build.json.

The stages for `--llm STAGE=...` are moderate, summary and refine. Without any --llm they are those
of the paper: openai:gpt-4o-mini, and openai:gpt-4.1 for refine. A variant of the summaries has the
stage summary_NAME and the config qa_NAME; all configs have the same rows.

Every request is in the journal: a build that was stopped or killed goes on by the same command and
asks nothing twice. `--limit` takes the first N conversations by a hash of their content: those of a
smaller limit are among those of a larger one, and stay in their splits.
"""

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from builders.cards.render import contents_table, count_lines
from builders.dataset import check_target, write_folder
from builders.qa.pairs import PAIRS, SPLITS, parse_shares, split_of
from builders.sources import RawConversation, Reading, add_source_arguments, read_source
from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.runs import run_record, stage_models
from csc_tasks.question import Question

DEFAULT_LLM = ("openai:gpt-4o-mini", "refine=openai:gpt-4.1")
SHOWN_PROBLEMS = 10


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the dataset folder to write; the journal lies beside it",
    )
    add_source_arguments(parser)
    add(
        "--pairs",
        default="all",
        choices=PAIRS,
        help=(
            "all (default): every customer-agent pair; published: one per conversation, drawn as in"
            " the paper's notebooks"
        ),
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="take N conversations; those of a smaller limit are among those of a larger one",
    )
    add(
        "--splits",
        default="70,10,20",
        metavar="A,B,C",
        help="percent of conversations in train, validation, test (default: 70,10,20)",
    )
    add(
        "--moderation",
        default="llm",
        metavar="HOW",
        help=(
            "llm (default: the model of the stage moderate), openai:MODEL (a moderation endpoint:"
            " openai:omni-moderation-latest), or none"
        ),
    )
    add(
        "--tokens",
        type=int,
        default=250,
        metavar="N",
        help="most tokens of a summary (default: 250)",
    )
    add(
        "--tokenizer",
        default="",
        metavar="NAME",
        help=(
            "who counts tokens where the server does not: a model's name or folder (default: a"
            " rule)"
        ),
    )
    add(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=tokens:64[,llm:openai:MODEL][,prompt:FILE]",
        help="another kind of summary of the same rows, as config qa_NAME; repeatable",
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
        help="other draws of --pairs published and of the models (default: 0)",
    )
    add_llm_arguments(parser, required=False)


def main(args: Namespace) -> None:
    from builders.qa.make import make
    from builders.qa.tokens import TokenCounter
    from csc_tasks.llm.client import llm_from_args

    started = time.time()
    check_target(args.out)
    shares, variants = parse_shares(args.splits), chosen_variants(args)
    if args.limit is not None and args.limit < 1:
        raise SettingError(f"--limit {args.limit}: at least 1")
    stages = [
        *(["moderate"] if args.moderation != "none" else []),
        *(variant.stage for variant in variants),
        "refine",
    ]
    args.llm = chosen_models(args.llm, args.moderation, variants)
    counter = TokenCounter(args.tokenizer)
    _play_scripted(variants)
    reading = Reading()
    source = read_source(args.source, reading, args.format, args.source_language)
    out = args.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with llm_from_args(args, out.with_name(f"{out.name}.journal.sqlite"), stages) as llm:
        conversations, read = chosen_conversations(args, source, reading)
        made = asyncio.run(make(llm, conversations, variants, args.moderation, counter))
        counts = read | made.report()
        if not made.rows:
            reasons = "; ".join(
                count_lines(
                    {
                        name: counts[name]
                        for name in ("conversations_dropped", "pairs_dropped")
                        if counts[name]
                    }
                )
            )
            raise DataError(
                f"none of the {len(conversations):,} conversations gave a row, so nothing was"
                f" written; {reasons}"
            )
        build = build_record(args, llm, variants, stages, shares, counts, counter.name)
        run = run_record(llm, started)
    record = write_folder(
        out, in_splits(made.questions, shares), _card(build, args.licence), build, run
    )
    print("\n".join(count_lines(counts)), contents_table(record["splits"]), sep="\n\n", end="\n\n")
    if empty := [
        split for split, share in shares.items() if share and split not in record["splits"]["qa"]
    ]:
        print(
            f"No conversation fell into {' and '.join(empty)}. With --splits 0,0,100 all go into"
            " test, and nothing is asked again."
        )
    print(
        f"Wrote {args.out}; its README.md says how to load it. Every request is in"
        f" {llm.journal.path}"
    )


def chosen_variants(args: Namespace) -> list:
    """The kinds of summaries, that of the config `qa` first; raises SettingError for a name given
    twice.
    """
    from builders.qa.summarise import Variant

    if args.tokens < 1:
        raise SettingError(f"--tokens {args.tokens}: at least 1")
    variants = [
        Variant(tokens=args.tokens),
        *(Variant.parse(text, args.tokens) for text in args.variant),
    ]
    if twice := [
        name for name, count in Counter(variant.name for variant in variants).items() if count > 1
    ]:
        raise SettingError(f"--variant: the name {twice[0]!r} is given twice")
    return variants


def chosen_models(given: Sequence[str], moderation: str, variants: Sequence) -> list[str]:
    """The specs for `--llm`: those given or the paper's, the moderation endpoint's, and one for
    each variant. Raises SettingError.
    """
    specs = list(given or DEFAULT_LLM)
    if moderation not in ("llm", "none"):
        if not moderation.startswith("openai:") or moderation == "openai:":
            raise SettingError(
                f"--moderation {moderation}: it is llm, none or openai:MODEL, as in"
                " openai:omni-moderation-latest"
            )
        if any(spec.startswith("moderate=") for spec in specs):
            raise SettingError(
                f"--llm moderate=... belongs to --moderation llm; here --moderation {moderation}"
                " judges"
            )
        specs.append(f"moderate={moderation}")
    default = next(
        (spec.removeprefix("summary=") for spec in specs if spec.startswith("summary=")), ""
    )
    for variant in variants:
        if (
            variant.name
            and (spec := variant.llm or default)
            and not any(found.startswith(f"{variant.stage}=") for found in specs)
        ):
            specs.append(f"{variant.stage}={spec}")
    return specs


def chosen_conversations(
    args: Namespace, source: Iterable[RawConversation], reading: Reading
) -> tuple[list, dict]:
    """The conversations to ask about and the counts of reading; what could not be read is shown
    with its place.
    """
    from builders.qa.conversations import FEWEST, MOST, choose

    conversations, dropped = choose(source, args.pairs, args.seed, args.limit)
    for problem in reading.problems[:SHOWN_PROBLEMS]:
        print(f"left out: {problem}", file=sys.stderr)
    if (more := len(reading.problems) - SHOWN_PROBLEMS) > 0:
        print(f"left out: {more:,} more like these; all are counted by reason", file=sys.stderr)
    counts = dict(sorted(reading.counts.items())) | {
        "conversations_not_taken": dict(sorted(dropped.items()))
    }
    if not conversations:
        raise DataError(
            f"{args.source} holds no conversation of {FEWEST} to {MOST} turns to ask about;"
            f" {'; '.join(count_lines(counts))}"
        )
    return conversations, counts


def in_splits(
    questions: Mapping[str, Sequence[Question]], shares: dict[str, int]
) -> dict[str, dict[str, list[dict]]]:
    """config -> split -> rows; a split that no conversation fell into is left out."""
    found: dict[str, dict[str, list[dict]]] = {}
    for config, rows in questions.items():
        parts: dict[str, list[dict]] = {split: [] for split in SPLITS}
        for question in rows:
            parts[split_of(question.conversation_id, shares)].append(question.to_row())
        found[config] = {split: part for split, part in parts.items() if part}
    return found


def build_record(
    args: Namespace,
    llm,
    variants: Sequence,
    stages: Sequence[str],
    shares: dict,
    counts: dict,
    counter: str,
) -> dict:
    """What build.json says: the same in two identical builds."""
    import hashlib

    from builders.qa.make import PROMPTS
    from builders.wording import templates

    prompts = {
        name: digest
        for language in counts["rows_by_language"]
        for name, digest in templates(language).hashes(*PROMPTS).items()
    }
    own = {
        v.config: hashlib.sha256(v.template.encode()).hexdigest()[:16]
        for v in variants
        if v.template
    }
    settings = {
        name: getattr(args, name)
        for name in ("pairs", "limit", "moderation", "seed", "attempts", "licence")
    }
    settings |= {
        "source": args.source.name,
        "format": args.format,
        "splits": shares,
        "token_counter": counter,
        "sampling": llm.sampling,
    }
    settings["variants"] = {
        v.config: {"tokens": v.tokens, "prompt": own.get(v.config, "qa_summary")} for v in variants
    }
    return {
        "builder": "qa",
        "settings": settings,
        "models": stage_models(llm, stages),
        "prompts": prompts,
        "counts": counts,
    }


def _card(build, licence):
    from builders.cards.qa import card

    return card(build, licence)


def _play_scripted(variants):
    """Register the stand-in, for the stages of the variants too."""
    from builders.scripted import answerer
    from csc_tasks.llm.backends import register_scripted

    for variant in variants:
        register_scripted(variant.stage, answerer.summary)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
