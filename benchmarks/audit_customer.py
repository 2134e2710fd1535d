"""Can the audit of played customers fail, and does it let people pass? On recorded conversations.

  python -m benchmarks.audit_customer SOURCE [--draws 1000] [--size 60] [--runs 100]
      [--conversations 30] [--first 0] [--kinds shuffled polite ...] [--seed 0]

SOURCE is what csc build csconv reads (STAR's dialogues, CrossWOZ's val.json.zip, ...). Briefs are
made by rule, as for a corpus that has none.

People: `--draws` times two groups of `--size` different conversations, all of them recorded, are
audited as if one were played. A fair audit fails not significantly more than 5 % of them anywhere
(exact binomial test, one-sided). Planted: of every kind of benchmarks/planted_customers.py `--runs`
runs of `--conversations` conversations, drawn anew each time, are audited; each has to fail on the
dimension that its fault belongs to. Prints Markdown tables. --first N starts with draw and run N,
so that a long benchmark can be made in parts.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.planted_customers import OWN_DIMENSION, planted
from builders.sources import read_source
from builders.sources.raw import Reading, raw_id
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.live import LiveDialogue
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit.answers import Answers
from leaderboard.audit.comparing import compare
from leaderboard.audit.cues import cues_of
from leaderboard.audit.dimensions import DIMENSIONS, Context
from leaderboard.audit.measuring import feature_table, measure
from leaderboard.audit.turns import recorded_dialogue, talks_of
from leaderboard.customer_audit import LEVEL

FEWEST_TURNS = 3


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--size", type=int, default=60)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--conversations", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(OWN_DIMENSION), choices=OWN_DIMENSION)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    people = read_people(args.source)
    language = people[0].language
    context = Context(cues_of(language), Answers(talks_of(people, language)))
    print(f"{len(people)} recorded conversations ({language}) of {args.source.name}\n")
    if args.draws:
        print(people_table(people, context, args))
    if args.runs and args.kinds:
        print(HEAD)
        known = feature_table(talks_of(people, language), context)
        for kind in args.kinds:
            print(planted_row(kind, people, context, known, args), flush=True)


def read_people(source: Path, most: int | None = None) -> list[LiveDialogue]:
    """The recorded conversations of a source (of the first `most` that it has) in which the
    customer speaks three times or more, with briefs by rule.
    """
    conversations = [
        Conversation(raw_id(raw), raw.language, raw.topic, raw.source, raw.turns)
        for raw in islice(read_source(source, Reading()), most)
    ]
    return [
        recorded_dialogue(conversation, brief_by_rule(conversation))
        for conversation in conversations
        if sum(turn.speaker == CUSTOMER for turn in conversation.dialogue) >= FEWEST_TURNS
    ]


def people_table(people: Sequence[LiveDialogue], context: Context, args: argparse.Namespace) -> str:
    """How often two groups of people are told apart: anywhere, and per dimension alone."""
    from scipy.stats import binomtest

    start = time.perf_counter()
    measured = measure(talks_of(people, people[0].language), context)
    ready = time.perf_counter()
    draws, size = args.draws, args.size
    played = np.arange(2 * size) < size
    failed = 0
    alone: Counter[str] = Counter()
    adjusted: Counter[str] = Counter()
    for number in range(args.first, args.first + draws):
        generator = np.random.default_rng([args.seed, 1, number])
        chosen = generator.choice(len(people), 2 * size, replace=False)
        results = compare(measured.rows(chosen), played, seed=number, quick=True)
        failed += any(result.failed for result in results)
        alone.update(result.dimension.id for result in results if result.p < LEVEL)
        adjusted.update(result.dimension.id for result in results if result.failed)
    end = time.perf_counter()
    test = binomtest(failed, draws, LEVEL, alternative="greater")
    interval = binomtest(failed, draws, LEVEL).proportion_ci()
    lines = [
        f"People against people, {draws} draws of {size} and {size} conversations: {failed}"
        f" ({failed / draws:.1%}, 95 % interval {interval.low:.1%} to {interval.high:.1%}) fail"
        f" anywhere; p of more than 5 %: {test.pvalue:.3f}. {ready - start:.0f} s to measure,"
        f" {(end - ready) / draws * 1000:.0f} ms a draw.",
        "",
        "| dimension | p below 0.05 alone | fails after Holm |",
        "|---|---:|---:|",
    ]
    for dimension in DIMENSIONS:
        if dimension.id in measured.missing:
            lines.append(f"| {dimension.title} | N/A | {measured.missing[dimension.id]} |")
        else:
            shares = alone[dimension.id] / draws, adjusted[dimension.id] / draws
            lines.append(f"| {dimension.title} | {shares[0]:.1%} | {shares[1]:.1%} |")
    return "\n".join(lines) + "\n"


HEAD = (
    "| planted | own dimension | caught on it | largest adjusted p | fails there too (of runs) |"
    " seconds a run |\n|---|---|---:|---:|---|---:|"
)


def planted_row(
    kind: str,
    people: Sequence[LiveDialogue],
    context: Context,
    known: np.ndarray,
    args: argparse.Namespace,
) -> str:
    """How many planted runs of a kind are caught. known: the features of the people."""
    own, runs, conversations = OWN_DIMENSION[kind], args.runs, args.conversations
    caught, largest = 0, 0.0
    others: Counter[str] = Counter()
    start = time.perf_counter()
    played = np.arange(2 * conversations) < conversations
    for number in range(args.first, args.first + runs):
        generator = random.Random(f"{args.seed}\n{kind}\n{number}")
        places = generator.sample(range(len(people)), conversations)
        chosen = [people[place] for place in places]
        language = chosen[0].language
        fake = talks_of([planted(kind, one, generator) for one in chosen], language)
        table = np.concatenate([feature_table(fake, context), known[places]])
        measured = measure([*fake, *talks_of(chosen, language)], context, table)
        results = {
            result.dimension.id: result
            for result in compare(measured, played, seed=number, quick=True)
        }
        caught += results[own].failed
        largest = max(largest, results[own].adjusted)
        others.update(id_ for id_, result in results.items() if result.failed and id_ != own)
    also = ", ".join(f"{id_} {count}" for id_, count in others.most_common())
    seconds = (time.perf_counter() - start) / runs
    return (
        f"| {kind} | {own} | {caught} of {runs} | {largest:.4f} | {also or 'nowhere'} |"
        f" {seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
