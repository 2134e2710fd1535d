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
conversation, goes on by the same command and asks nothing twice. The baselines of Table 7: `--roles
no-assistant` (the supporter chooses its strategies itself) and `--roles none --examples FILE` (one
request per conversation, with examples). `--limit` keeps that many conversations: a larger limit
only adds to them.
"""

import asyncio
import hashlib
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders.cards.render import contents_table, count_lines
from builders.cards.rolecs import card
from builders.dataset import check_target, write_folder
from builders.rolecs.pool import Profile, read_pool
from builders.wording import both, building_languages
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import TOPICS
from csc_tasks.languages.labels import topic_names
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.runs import run_record, stage_models

ROLES = ("full", "no-assistant", "none")
# All but Others, which has no case of its own (Section 4 of the paper: 7 topics x 1,948 profiles =
# 13,636 conversations).
DEFAULT_TOPICS = tuple(topic for topic in TOPICS if topic != "Others")


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the dataset folder to write; the journal lies beside it",
    )
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
    add(
        "--language",
        default="both",
        choices=[*building_languages(), "both"],
        help="of the conversations (default: both, zh and en)",
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="keep N conversations; those of a smaller limit are among those of a larger one",
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
        help="for --roles none: labelled conversations to show as examples: their csconv/test",
    )
    add(
        "--shots",
        type=int,
        default=2,
        metavar="K",
        help="for --roles none: how many of the examples are shown (default: 2)",
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
        help="another seed, other conversations (default: 0)",
    )
    add_llm_arguments(parser)


def main(args: Namespace) -> None:
    import builders.scripted.roles  # noqa: F401 - registers the stand-in
    from builders.rolecs.roles import STAGES
    from csc_tasks.llm.client import llm_from_args

    started = time.time()
    check_target(args.out)
    languages = both() if args.language == "both" else (args.language,)
    pairs = all_pairs(read_pool(args.profiles, languages), chosen_topics(args.topics))
    if args.limit is not None and args.limit < 1:
        raise SettingError(f"--limit {args.limit}: at least 1")
    examples = chosen_examples(args, languages)
    out = args.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with llm_from_args(
        args, out.with_name(f"{out.name}.journal.sqlite"), STAGES[args.roles]
    ) as llm:
        made = asyncio.run(make(llm, pairs, args.roles, examples, args.limit, args.seed))
        counts = made.report(len(pairs))
        if not made.kept:
            reasons = count_lines({"dropped": made.dropped})[0]
            raise DataError(
                f"none of the {made.tried:,} conversations can be used, so nothing was written;"
                f" {reasons}"
            )
        build = build_record(args, llm, pairs, counts, languages, examples)
        run = run_record(llm, started)
    rows = [conversation.to_row(roles=True) for conversation in made.kept]
    record = write_folder(out, {"rolecs": {"train": rows}}, card(build, args.licence), build, run)
    print("\n".join(count_lines(counts)), contents_table(record["splits"]), sep="\n\n", end="\n\n")
    if args.limit and len(made.kept) < args.limit:
        print(
            f"Only {len(made.kept):,} of the {args.limit:,} asked for: all {len(pairs):,} pairs of"
            " topic and profile were tried."
        )
    print(
        f"Wrote {args.out}; its README.md says how to load it. Every request is in"
        f" {llm.journal.path}"
    )


def chosen_topics(text: str) -> list:
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


def all_pairs(profiles: Sequence[Profile], topics: Sequence) -> list:
    """Every topic with every profile, in an order that depends on each pair alone: a prefix is a
    random sample of them.
    """
    from builders.rolecs.roles import Pair

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
        raise SettingError("--roles none needs --examples FILE: labelled conversations to show")
    if args.shots < 1:
        raise SettingError(f"--shots {args.shots}: at least 1")
    from csc_tasks.corpora import load

    labelled = [item for item in load(args.examples, "csconv", "test").items if item.scored_turns()]
    chosen = {
        language: [item for item in labelled if item.language == language][: args.shots]
        for language in languages
    }
    if missing := [language for language, found in chosen.items() if not found]:
        raise SettingError(
            f"{args.examples} holds no labelled conversation in {missing[0]!r} to show as an"
            " example"
        )
    return chosen


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


async def make(
    llm,
    pairs: Sequence,
    roles: str,
    examples: dict[str, list[Conversation]],
    limit: int | None,
    seed: int,
) -> Made:
    """Make conversations from `pairs` in their order until `limit` are kept.

    Each round tries as many pairs as are still wanted, so no pair is tried that the limit does not
    need, and what is kept is a prefix of what a larger limit keeps.
    """
    from builders.rolecs.maker import Maker
    from csc_tasks.llm.items import run_items
    from csc_tasks.llm.progress import Progress

    maker, made, seen = Maker(llm, roles, examples, seed), Made(), set()
    while made.tried < len(pairs) and (limit is None or len(made.kept) < limit):
        wanted = len(pairs) if limit is None else limit - len(made.kept)
        batch = pairs[made.tried : made.tried + wanted]
        outcome = await run_items(batch, maker.make, llm, Progress(len(batch), "conversations"))
        made.tried += len(batch)
        made.dropped.update(outcome.dropped)
        for conversation in outcome.values:
            if conversation.conversation_id in seen:
                made.dropped["duplicate of another"] += 1
                continue
            seen.add(conversation.conversation_id)
            made.kept.append(conversation)
    made.judged_no, made.refused, made.ended_by = maker.judged_no, maker.refused, maker.ended_by
    return made


def build_record(
    args: Namespace, llm, pairs: Sequence, counts: dict, languages: Sequence[str], examples: dict
) -> dict:
    """What build.json says: the same in two identical builds."""
    from builders.rolecs.filters import bounds
    from builders.rolecs.maker import PROMPTS
    from builders.rolecs.roles import STAGES
    from builders.wording import templates

    settings = {
        name: getattr(args, name) for name in ("seed", "roles", "limit", "attempts", "licence")
    }
    settings |= {"languages": list(languages), "topics": list(chosen_topics(args.topics))}
    settings |= {"sampling": llm.sampling, "filters": bounds(languages)}
    if args.roles == "none":
        settings["examples"] = [
            example.conversation_id for found in examples.values() for example in found
        ]
    return {
        "builder": "rolecs",
        "settings": settings,
        "models": stage_models(llm, STAGES[args.roles]),
        "prompts": {
            name: digest
            for language in languages
            for name, digest in templates(language).hashes(*PROMPTS[args.roles]).items()
        },
        "profiles": {
            "count": len({(pair.language, pair.profile) for pair in pairs}),
            "sha256": (
                hashlib.sha256(
                    "\n".join(sorted({pair.profile for pair in pairs})).encode()
                ).hexdigest()[:16]
            ),
        },
        "counts": counts,
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
