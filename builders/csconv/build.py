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
supporter turn, Greeting, Identity Verification and Closure among them, and half of the original's
facts (--min-fidelity). Whatever is dropped is
counted by reason, on the screen, in the card and in build.json, and so are the facts that the
rewrites kept, masked, lost and added.

Every request is in the journal: a build that was stopped or killed goes on by the same command and
asks nothing twice. `--limit` keeps that many conversations: a larger one only adds to them. The
originals are written to OUT.originals.jsonl, and what the judges said of the conversations kept and
dropped to OUT.judged.jsonl, beside the folder, where `csc review export` finds them and `csc push`
does not: they, and the journal, hold the personal data that the rewrite has placeholders for.
"""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from builders import runner
from builders.cards.csconv import card
from builders.cards.render import Card, count_lines
from builders.csconv import postfilter, prefilter
from builders.csconv.asking import STAGES, prompt_name
from builders.csconv.candidates import Candidates
from builders.csconv.fidelity import facts_report, strategies_report
from builders.csconv.maker import MIN_FIDELITY, Made, Maker, Pair
from builders.csconv.outlook import seen
from builders.executors import add_executor
from builders.hold_out import add_hold_out
from builders.plan import add_plan
from builders.review.judged import Judgement, of_dataset, write_judged
from builders.sources import RawConversation, Reading, add_source_arguments, read_source
from builders.wording import prompt_hashes
from csc_tasks.arguments import check_share
from csc_tasks.draws import RANGE, draw
from csc_tasks.llm.client import LLM
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.out import replace_file

PER_TOPIC = 500


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build csconv`."""
    add = parser.add_argument
    add_source_arguments(parser)
    runner.add_out(parser, "the dataset folder to write; journal and originals lie beside it")
    add(
        "--per-topic",
        type=int,
        default=PER_TOPIC,
        metavar="N",
        help=f"rewrite at most N of each topic (default: {PER_TOPIC})",
    )
    runner.add_limit(
        parser, "keep N conversations; those of a smaller limit are among those of a larger one"
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
        "--min-fidelity",
        type=float,
        default=MIN_FIDELITY,
        metavar="X",
        help=(
            "drop a rewrite in which less than this share of the original's facts is kept or"
            f" masked; 0 drops none (default: {MIN_FIDELITY})"
        ),
    )
    add(
        "--train-share",
        type=float,
        default=0.0,
        metavar="X",
        help="share of the conversations that become a train split (default: 0)",
    )
    runner.add_licence(parser)
    add_plan(parser)
    add_hold_out(parser, turns=True)
    runner.add_seed(parser, "another seed, another sample of each topic (default: 0)")
    add_llm_arguments(parser)
    add_executor(parser)


class CSConv(runner.Builder):
    """A build of rewritten conversations."""

    rounds = "all that a round may want are checked before the first is rewritten"
    OPTIONS = (
        "seed",
        "per_topic",
        "limit",
        "fidelity",
        "min_fidelity",
        "train_share",
        "attempts",
        "licence",
    )
    ALSO_HOLD = "the journal, the originals and what the judges said, which hold them"

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        runner.check_least(args, per_topic=1, fidelity=0)
        check_share("--train-share", args.train_share, one=False)
        check_share("--min-fidelity", args.min_fidelity)
        self.stages = STAGES if args.fidelity else tuple(s for s in STAGES if s != "label")
        self.reading, self.kept = Reading(), list[Pair]()
        self.judged: list[Judgement] = []
        if self.held_out is not None:
            self.later = "the names of conversations are made of all that is held out"
        self.source = read_source(args.source, self.reading, args.format, args.source_language)

    def stand_in(self) -> None:
        from builders.scripted.rewriter import register

        register()

    def card(self, record: Mapping) -> Card:
        return card(record, self.args.licence)

    def make(self, llm: LLM) -> runner.Built:
        args = self.args
        dropped: Counter[str] = Counter()
        # The options of the model are looked at before a source is read, which can take long.
        with Candidates(self.out.parent, args.seed) as candidates:
            languages = read(self.source, self.reading, dropped, candidates)
            maker = Maker(
                llm, candidates, args.per_topic, args.limit, args.min_fidelity, self.pilot
            )
            made = maker.make()
            self.outlook = seen(made, candidates, args, self.pilot)
            counts = report(self.reading, dropped, len(candidates.places()), made)
            if not made.kept:
                raise runner.NothingKept(nothing_left(args.source, counts))
            counts |= facts_report(made.kept)
            if args.fidelity:
                counts |= asyncio.run(strategies_report(llm, made.kept[: args.fidelity]))
            record = self.record(llm, candidates.digest(), counts, languages)
        self.kept = made.kept
        self.judged = of_dataset(
            made.judged, (pair.conversation.conversation_id for pair in made.kept)
        )
        notes = []
        if args.limit and len(made.kept) < args.limit:
            notes.append(
                f"Only {len(made.kept):,} of the {args.limit:,} asked for: nothing is left to try."
            )
        return runner.Built(
            {"csconv": split(made.kept, args.train_share, args.seed)},
            record,
            tuple(notes),
            f", the originals are in {args.out}.originals.jsonl, what the judges said in"
            f" {args.out}.judged.jsonl.",
        )

    def write(self, built: runner.Built, run: Mapping, journal: Path) -> None:
        write_originals(self.out.with_name(f"{self.out.name}.originals.jsonl"), self.kept)
        write_judged(self.out, self.judged)
        super().write(built, run, journal)

    def record(self, llm: LLM, digest: str, counts: dict, languages: Sequence[str]) -> dict:
        """What build.json says."""
        rules = {"rules_before": prefilter.bounds(), "rules_after": postfilter.bounds()}
        return {
            "builder": "csconv",
            "settings": self.settings(llm) | rules,
            "models": self.models(llm),
            "prompts": prompt_hashes(languages, map(prompt_name, self.stages)),
            "candidates_sha256": digest,
            "counts": counts,
        }


def main(args: Namespace) -> None:
    """Build the dataset folder of rewritten conversations from args.source; see runner.run."""
    runner.run(CSConv, args)


def read(
    source: Iterable[RawConversation], reading: Reading, dropped: Counter, candidates: Candidates
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
    reading.show_problems()
    return sorted(languages)


def report(reading: Reading, dropped: Counter, candidates: int, made: Made) -> dict:
    """The counts for the screen, the card and build.json."""
    conversations = [pair.conversation for pair in made.kept]
    by_topic = Counter(conversation.topic for conversation in conversations)
    by_language = Counter(conversation.language for conversation in conversations)
    by_source = Counter(conversation.source for conversation in conversations)
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
        "conversations_kept": len(conversations),
        "conversations_by_topic": dict(sorted(by_topic.items())),
        "conversations_by_language": dict(sorted(by_language.items())),
        "conversations_by_source": dict(sorted(by_source.items())),
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


def split(pairs: Sequence[Pair], train_share: float, seed: int) -> dict[str, list[dict]]:
    """The rows by split: a conversation's place depends on its id and the seed alone. A split
    without rows is left out.
    """
    splits: dict[str, list[dict]] = {"train": [], "test": []}
    for pair in pairs:
        conversation = pair.conversation
        place = draw(f"csconv split {seed} {conversation.conversation_id}")
        splits["train" if place < train_share * RANGE else "test"].append(conversation.to_row())
    return {name: rows for name, rows in splits.items() if rows}


def write_originals(path: Path, pairs: Sequence[Pair]) -> None:
    """One line per kept conversation with the recording it was made from, sorted by id, put into
    place in one step.
    """
    lines = []
    for pair in sorted(pairs, key=lambda pair: pair.conversation.conversation_id):
        row = {
            "conversation_id": pair.conversation.conversation_id,
            "source_id": pair.original.source_id,
            "turns": [{"speaker": turn.speaker, "text": turn.text} for turn in pair.original.turns],
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    replace_file(path, lines)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
