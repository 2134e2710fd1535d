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

Texts and rows wait in files without names beside DIR, which go with the process: memory holds
counts, and of each conversation where it lies.

Every request is in the journal: a build that was stopped or killed goes on by the same command and
asks nothing twice. `--limit` takes the first N conversations by a hash of their content: those of a
smaller limit are among those of a larger one, and stay in their splits.
"""

import asyncio
import hashlib
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from builders import runner
from builders.cards.qa import card
from builders.cards.render import Card, count_lines
from builders.executors import add_executor
from builders.hold_out import add_hold_out
from builders.outlook import Outlook, Part, Range, exactly, ratio_of
from builders.plan import add_plan
from builders.qa.conversations import FEWEST, MOST, Conversations, choose
from builders.qa.make import PROMPTS, Made, make
from builders.qa.pairs import PAIRS, parse_shares
from builders.qa.summarise import Variant
from builders.qa.tokens import TokenCounter
from builders.sources import RawConversation, Reading, add_source_arguments, read_source
from builders.wording import prompt_hashes
from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.client import LLM
from csc_tasks.llm.options import add_llm_arguments

DEFAULT_LLM = ("openai:gpt-4o-mini", "refine=openai:gpt-4.1")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build qa`."""
    add = parser.add_argument
    runner.add_out(parser)
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
    runner.add_limit(
        parser, "take N conversations; those of a smaller limit are among those of a larger one"
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
            "llm (default: the model of the stage moderate), openai:MODEL or batch:MODEL (a"
            " moderation endpoint: openai:omni-moderation-latest), or none"
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
    runner.add_licence(parser)
    add_hold_out(parser)
    add_plan(parser)
    runner.add_seed(parser, "other draws of --pairs published and of the models (default: 0)")
    add_llm_arguments(parser, required=False)
    add_executor(parser)


class QA(runner.Builder):
    """A build of questions with summaries."""

    OPTIONS = ("pairs", "limit", "moderation", "seed", "attempts", "licence")

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        self.shares, self.variants = parse_shares(args.splits), chosen_variants(args)
        self.stages = [
            *(["moderate"] if args.moderation != "none" else []),
            *(variant.stage for variant in self.variants),
            "refine",
        ]
        self.in_turn = [variant.stage for variant in self.variants]
        args.llm = chosen_models(args.llm, args.moderation, self.variants)
        self.counter = TokenCounter(args.tokenizer)
        self.reading = Reading()
        self.source = read_source(args.source, self.reading, args.format, args.source_language)

    def stand_in(self) -> None:
        from builders.scripted import answerer

        for variant in self.variants:
            register_scripted(variant.stage, answerer.summary)

    def card(self, record: Mapping) -> Card:
        return card(record, self.args.licence)

    def make(self, llm: LLM) -> runner.Built:
        chosen, read = chosen_conversations(self.args, self.source, self.reading)
        conversations = chosen[: self.pilot]
        made = asyncio.run(
            make(llm, conversations, self.variants, self.args.moderation, self.counter)
        )
        if self.pilot:
            self.outlook = seen(made, chosen, self.pilot)
        counts = read | made.report()
        if not made.rows:
            where = ("conversations_dropped", "pairs_dropped")
            reasons = count_lines({name: counts[name] for name in where if counts[name]})
            raise runner.NothingKept(
                f"none of the {len(conversations):,} conversations gave a row, so nothing was"
                f" written; {'; '.join(reasons)}"
            )
        parts = made.splits(self.shares)
        notes = []
        wanted = [split for split, share in self.shares.items() if share]
        if empty := [split for split in wanted if split not in parts["qa"]]:
            notes.append(
                f"No conversation fell into {' and '.join(empty)}. With --splits 0,0,100 all go"
                " into test, and nothing is asked again."
            )
        return runner.Built(parts, self.record(llm, counts), tuple(notes))

    def record(self, llm: LLM, counts: dict) -> dict:
        """What build.json says."""
        settings = self.settings(
            llm,
            source=self.args.source.name,
            format=self.args.format,
            splits=self.shares,
            token_counter=self.counter.name,
        )
        settings["variants"] = {
            variant.config: {"tokens": variant.tokens, "prompt": prompt_of(variant)}
            for variant in self.variants
        }
        return {
            "builder": "qa",
            "settings": settings,
            "models": self.models(llm),
            "prompts": prompt_hashes(counts["rows_by_language"], PROMPTS),
            "counts": counts,
        }


def main(args: Namespace) -> None:
    """Build the dataset folder of questions with their summarised context; see runner.run."""
    runner.run(QA, args)


def prompt_of(variant: Variant) -> str:
    """What names a variant's prompt in build.json: 16 hex digits of its own one."""
    if not variant.template:
        return "qa_summary"
    return hashlib.sha256(variant.template.encode()).hexdigest()[:16]


def chosen_variants(args: Namespace) -> list[Variant]:
    """The kinds of summaries, that of the config `qa` first; raises SettingError for a name given
    twice.
    """
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


def chosen_models(given: Sequence[str], moderation: str, variants: Sequence[Variant]) -> list[str]:
    """The specs for `--llm`: those given or the paper's, the moderation endpoint's, and one for
    each variant. Raises SettingError.
    """
    specs = list(given or DEFAULT_LLM)
    if moderation not in ("llm", "none"):
        backend, _, model = moderation.partition(":")
        if backend not in ("openai", "batch") or not model:
            raise SettingError(
                f"--moderation {moderation}: it is llm, none, openai:MODEL or batch:MODEL, as in"
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
    given_stages = {spec.partition("=")[0] for spec in specs if "=" in spec}
    for variant in variants:
        model = variant.llm or default
        if variant.name and model and variant.stage not in given_stages:
            specs.append(f"{variant.stage}={model}")
    return specs


def chosen_conversations(
    args: Namespace, source: Iterable[RawConversation], reading: Reading
) -> tuple[Conversations, dict]:
    """The conversations to ask about and the counts of reading; what could not be read is shown
    with its place.
    """
    folder = args.out.resolve().parent
    conversations, dropped = choose(source, args.pairs, args.seed, args.limit, folder)
    reading.show_problems()
    counts = dict(sorted(reading.counts.items())) | {
        "conversations_not_taken": dict(sorted(dropped.items()))
    }
    if not conversations:
        raise DataError(
            f"{args.source} holds no conversation of {FEWEST} to {MOST} turns to ask about;"
            f" {'; '.join(count_lines(counts))}"
        )
    return conversations, counts


def seen(made: Made, chosen: Conversations, pilot: int) -> Outlook:
    """What the rows that the first conversations have say of all: the pairs of each are known."""
    sizes = {one.conversation_id: len(one.wanted) for one in chosen[:pilot]}
    most, whole = sum(len(one.wanted) for one in chosen), exactly(len(chosen))
    ahead = most - sum(sizes.values())
    values = [made.kept.get(position, 0) for position in range(len(sizes))]
    expected = ratio_of(values, list(sizes.values()), len(chosen), ahead)
    return Outlook(
        "conversations",
        len(sizes),
        len(made.kept),
        Range(*(min(most, bound) for bound in expected)),
        (
            Part(len(sizes), whole, ("moderate",)),
            Part(len(sizes), whole, sizes=sizes, ahead=ahead),
        ),
        f"{most:,} pairs",
        made.conversations_dropped + made.pairs_dropped,
    )


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
