"""Build synthetic support conversations by role-playing: the RoleCS set of arXiv 2508.04423, from
any LLM.

    csc build rolecs --llm openai:MODEL --profiles profiles/ --out DIR
    csc build rolecs --llm scripted --out DIR  offline stand-in, nothing to set up

For every topic and profile a planner thinks of a case; then supporter and customer, each with an
assistant, talk it through. The supporter opens with Greeting and Identity Verification, uses no
strategy more than twice in a row, and ends with Appreciation and Closure; there are at most 50
utterances. Rules (builders/rolecs/filters.py) and a judge with five yes/no questions decide what is
kept. Everything dropped is counted by reason, on the screen, in the card and in build.json. The
stages for `--llm STAGE=...` are planner, supporter_assistant, supporter, customer_assistant,
customer and judge (writer and judge with `--roles none`).

Every request is in the journal: a build that was stopped or killed, be it in the middle of a
conversation, goes on by the same command and asks nothing twice. What the judge said of the
conversations kept and dropped is in OUT.judged.jsonl, where `csc review export` finds it. The
baselines of Table 7: `--roles
no-assistant` (the supporter chooses its strategies itself) and `--roles none --examples CORPUS`
(one request per conversation, with examples from the training splits of a corpus). `--limit` keeps
that many conversations: a larger limit only adds to them.
"""

import asyncio
import hashlib
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders import outlook, runner
from builders.cards.render import Card, count_lines
from builders.cards.rolecs import card
from builders.executors import add_executor
from builders.plan import add_plan
from builders.profiles.near_duplicates import THRESHOLD, FirstOnes
from builders.review.judged import Judgement, of_dataset, write_judged
from builders.rolecs.examples import examples_from
from builders.rolecs.filters import bounds
from builders.rolecs.maker import PROMPTS, Maker
from builders.rolecs.pool import Profile, read_pool
from builders.rolecs.roles import ONCE, STAGES, Pair
from builders.wording import prompt_hashes
from csc_tasks.arguments import check_share
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.errors import SettingError
from csc_tasks.framework import TOPICS
from csc_tasks.languages.labels import topic_names
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.progress import Progress

ROLES = ("full", "no-assistant", "none")
# Scenarios are short and of a kind: two that differ in a few words only are one.
SCENARIO_THRESHOLD = 0.95
# All but Others, which has no case of its own (Section 4 of the paper: 7 topics x 1,948 profiles =
# 13,636 conversations).
DEFAULT_TOPICS = tuple(topic for topic in TOPICS if topic != "Others")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build rolecs`."""
    add = parser.add_argument
    runner.add_out(parser)
    add(
        "--profiles",
        default="demo",
        metavar="FILE",
        help="pool of profiles from csc build profiles, or demo (default)",
    )
    add(
        "--topics",
        default="",
        metavar="A,B",
        help="topics, English or Chinese, separated by commas (default: the seven without Others)",
    )
    runner.add_language(parser)
    runner.add_limit(
        parser, "keep N conversations; those of a smaller limit are among those of a larger one"
    )
    add(
        "--roles",
        default="full",
        choices=ROLES,
        help="full (default), no-assistant or none: the last two are the baselines of Table 7",
    )
    add(
        "--examples",
        metavar="CORPUS",
        help=(
            "for --roles none: labelled conversations to show as examples: the training splits of a"
            " dataset folder, a Hub id or demo"
        ),
    )
    add(
        "--shots",
        type=int,
        default=2,
        metavar="K",
        help="for --roles none: how many of the examples are shown (default: 2)",
    )
    add(
        "--threshold",
        type=float,
        default=THRESHOLD,
        metavar="X",
        help=(
            "cosine of word counts above which two dialogues are one, and the later is dropped; 1"
            f" drops none (default: {THRESHOLD})"
        ),
    )
    add(
        "--scenario-threshold",
        type=float,
        default=SCENARIO_THRESHOLD,
        metavar="X",
        help=f"likewise for two scenarios (default: {SCENARIO_THRESHOLD})",
    )
    runner.add_licence(parser)
    add_plan(parser)
    runner.add_seed(parser, "another seed, other conversations (default: 0)")
    add_llm_arguments(parser)
    add_executor(parser)


class RoleCS(runner.Builder):
    """A build of role-played conversations."""

    OPTIONS = (
        "seed",
        "roles",
        "limit",
        "threshold",
        "scenario_threshold",
        "attempts",
        "licence",
    )

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        check_share("--threshold", args.threshold, zero=False)
        check_share("--scenario-threshold", args.scenario_threshold, zero=False)
        self.stages = STAGES[args.roles]
        self.in_turn = [stage for stage in self.stages if stage not in ONCE]
        self.languages = runner.chosen_languages(args)
        self.topics = chosen_topics(args.topics)
        self.left_out = Counter[str]()
        pool = read_pool(args.profiles, self.languages, self.left_out)
        self.pairs = all_pairs(pool, self.topics)
        self.examples = chosen_examples(args, self.languages)
        self.judged: list[Judgement] = []

    def stand_in(self) -> None:
        import builders.scripted.roles  # noqa: F401 - registers itself

    def card(self, record: Mapping) -> Card:
        return card(record, self.args.licence)

    def make(self, llm: LLM) -> runner.Built:
        args, pairs = self.args, self.pairs
        maker = Maker(llm, args.roles, self.examples, args.seed)
        distinct = Distinct(args.scenario_threshold, args.threshold)
        made = asyncio.run(make(llm, pairs[: self.pilot], maker, distinct, args.limit))
        self.outlook = outlook.tried_in_order(
            "conversations", len(made.kept), made.dropped, made.tried, len(pairs), args.limit
        )
        if not made.kept:
            reasons = count_lines({"dropped": made.dropped})[0]
            raise runner.NothingKept(
                f"none of the {made.tried:,} conversations can be used, so nothing was written;"
                f" {reasons}"
            )
        notes = []
        if args.limit and len(made.kept) < args.limit:
            notes.append(
                f"Only {len(made.kept):,} of the {args.limit:,} asked for: all {len(pairs):,}"
                " pairs of topic and profile were tried."
            )
        rows = [conversation.to_row(roles=True) for conversation in made.kept]
        self.judged = of_dataset(maker.judged, [one.conversation_id for one in made.kept])
        left_out = {"profiles_left_out": dict(self.left_out)} if self.left_out else {}
        record = self.record(llm, left_out | made.report(len(pairs)))
        also = f", what the judge said in {args.out}.judged.jsonl."
        return runner.Built({"rolecs": {"train": rows}}, record, tuple(notes), also)

    def write(self, built: runner.Built, run: Mapping, journal: Path) -> None:
        write_judged(self.out, self.judged)
        super().write(built, run, journal)

    def record(self, llm: LLM, counts: dict) -> dict:
        """What build.json says."""
        settings = self.settings(llm, languages=list(self.languages), topics=self.topics)
        settings["filters"] = bounds(self.languages)
        if self.args.roles == "none":
            settings["examples"] = [
                example.conversation_id
                for examples in self.examples.values()
                for example in examples
            ]
        profiles = "\n".join(sorted({pair.profile for pair in self.pairs}))
        return {
            "builder": "rolecs",
            "settings": settings,
            "models": self.models(llm),
            "prompts": prompt_hashes(self.languages, PROMPTS[self.args.roles]),
            "profiles": {
                "count": len({(pair.language, pair.profile) for pair in self.pairs}),
                "sha256": hashlib.sha256(profiles.encode()).hexdigest()[:16],
            },
            "counts": counts,
        }


def main(args: Namespace) -> None:
    """Build the dataset folder of played conversations; see runner.run."""
    runner.run(RoleCS, args)


def chosen_topics(text: str) -> list[str]:
    """The topics named in `text`, separated by commas, in the framework's order; raises
    SettingError for an unknown one.
    """
    names = [name.strip() for name in text.split(",") if name.strip()] or list(DEFAULT_TOPICS)
    known = topic_names()
    if unknown := [name for name in names if name not in known]:
        raise SettingError(
            f"--topics: there is no topic {unknown[0]!r}; there are {', '.join(TOPICS)}"
        )
    wanted = {known[name] for name in names}
    return [topic for topic in TOPICS if topic in wanted]


def all_pairs(profiles: Sequence[Profile], topics: Sequence[str]) -> list[Pair]:
    """Every topic with every profile, in an order that depends on each pair alone: a prefix is a
    random sample of them.
    """
    pairs = [
        Pair(
            content_id("pair", profile.language, topic, profile.text),
            profile.language,
            topic,
            profile.text,
        )
        for profile in profiles
        for topic in topics
    ]
    return sorted(pairs, key=lambda pair: pair.id)


def chosen_examples(args: Namespace, languages: Sequence[str]) -> dict[str, list[Conversation]]:
    """Language -> the examples for `--roles none`; {} for the other roles. Raises SettingError
    where they are missing or not wanted.
    """
    if args.roles != "none":
        if args.examples:
            raise SettingError("--examples belongs to --roles none; the other roles need none")
        return {}
    if not args.examples:
        raise SettingError("--roles none needs --examples CORPUS: labelled conversations to show")
    if args.shots < 1:
        raise SettingError(f"--shots {args.shots}: at least 1")
    return examples_from(args.examples, languages, args.shots)


@dataclass(slots=True)
class Made:
    """What became of the pairs that were tried."""

    kept: list[Conversation] = field(default_factory=list)
    tried: int = 0
    dropped: Counter = field(default_factory=Counter)
    judged_no: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    ended_by: Counter = field(default_factory=Counter)

    def report(self, pairs: int) -> dict:
        """The counts for the screen, the card and build.json."""
        return {
            "pairs_of_topic_and_profile": pairs,
            "conversations_tried": self.tried,
            "conversations_kept": len(self.kept),
            "conversations_dropped": dict(sorted(self.dropped.items())),
            "judge_said_no_to": dict(sorted(self.judged_no.items())),
            "strategies_refused_by_the_rules_and_asked_again": dict(sorted(self.refused.items())),
            "conversations_ended_by": dict(sorted(self.ended_by.items())),
            "conversations_by_topic": dict(
                sorted(Counter(conversation.topic for conversation in self.kept).items())
            ),
            "conversations_by_language": dict(
                sorted(Counter(conversation.language for conversation in self.kept).items())
            ),
        }


class Distinct:
    """Lets through the first of conversations that are one: word for word, nearly the same
    scenario, or nearly the same dialogue, by cosines of their words above these thresholds.
    """

    def __init__(self, scenario: float, dialogue: float) -> None:
        self._ids: set[str] = set()
        self._scenarios, self._dialogues = FirstOnes(scenario), FirstOnes(dialogue)

    def of(self, conversations: Sequence[Conversation], dropped: Counter) -> list[Conversation]:
        """Those of a round that are like none before; counts the others in `dropped`.

        A conversation that only its dialogue drops still stands for its scenario, so the rounds
        make no difference.
        """
        new: list[Conversation] = []
        for conversation in conversations:
            if conversation.conversation_id not in self._ids:
                self._ids.add(conversation.conversation_id)
                new.append(conversation)
        told = [new[i] for i in self._scenarios.of([one.scenario for one in new])]
        texts = ["\n".join(turn.text for turn in one.dialogue) for one in told]
        stay = [told[i] for i in self._dialogues.of(texts)]
        dropped.update(
            {
                name: count
                for name, count in (
                    ("duplicate of another", len(conversations) - len(new)),
                    ("near-duplicate scenario", len(new) - len(told)),
                    ("near-duplicate dialogue", len(told) - len(stay)),
                )
                if count
            }
        )
        return stay


async def make(
    llm: LLM, pairs: Sequence[Pair], maker: Maker, distinct: Distinct, limit: int | None
) -> Made:
    """Make conversations from `pairs` in their order until `limit` are kept.

    Each round tries as many pairs as are still wanted, so no pair is tried that the limit does not
    need, and what is kept is a prefix of what a larger limit keeps.
    """
    made = Made()
    while made.tried < len(pairs) and (limit is None or len(made.kept) < limit):
        wanted = len(pairs) if limit is None else limit - len(made.kept)
        batch = pairs[made.tried : made.tried + wanted]
        outcome = await run_items(batch, maker.make, llm, Progress(len(batch), "conversations"))
        made.tried += outcome.ended
        made.dropped.update(outcome.dropped)
        if llm.elsewhere:
            break  # how many more are wanted is known when all parts have answered
        made.kept += distinct.of(outcome.values, made.dropped)
        if llm.open_rounds:
            break
    made.judged_no, made.refused, made.ended_by = maker.judged_no, maker.refused, maker.ended_by
    return made


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
