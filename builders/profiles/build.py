"""Build a pool of customer profiles from support conversations, for csc build rolecs.

    csc build profiles CORPUS --llm openai:MODEL --out DIR
    csc build profiles --source calls.jsonl --llm openai:MODEL --out DIR
    csc build profiles demo --llm scripted --out DIR             offline stand-in

A language model reads each conversation and writes down what it shows of the customer:
demographics, financial status and communication preference. A second request turns that into a
description in the third person; one that speaks to its reader ("You are ...") goes back to the
model, and is dropped and counted where that does not help. Descriptions are embedded, and of those
whose cosine is above 0.85 only the first, in the order of their ids, stays. DIR gets
profiles.jsonl, build.json and run.json; what was dropped is counted by reason. Every request is in
the journal beside DIR: the same command goes on where a build was stopped. The stages for `--llm
STAGE=...` are profile and describe.

CORPUS is demo, a dataset folder, a file of conversations or a Hub id, as for the benchmark
(csc_corpus). --source takes recorded conversations instead, in any form that csc build csconv and
csc build qa take.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import csc_tasks
from builders import outlook, runner
from builders.asking import ask_form
from builders.cards.render import count_lines
from builders.executors import add_executor
from builders.plan import add_plan
from builders.profiles.conversations import SPLIT_OF, choose
from builders.profiles.near_duplicates import THRESHOLD, check_model, embed, first_of_each
from builders.profiles.pool_folder import FORMAT, PoolProfile, check_target, write_pool
from builders.profiles.profile_forms import ADDRESSED, described, extracted
from builders.rolecs.pool import POOL_FILE
from builders.sources import add_source_arguments
from builders.transcript import history
from builders.wording import prompt_hashes, templates, words
from csc_tasks.arguments import CORPUS, check_share
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.languages import languages as known_languages
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.outcomes import Dropped, Malformed
from csc_tasks.llm.progress import Progress
from csc_tasks.telling import tally, tell

STAGES = ("profile", "describe")
READING = ("read", "conversations_not_taken")
"""The counts of a source, printed before those of the profiles."""
PROMPTS = ("profile_extract", "profile_describe")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build profiles`."""
    add = parser.add_argument
    add("corpus", nargs="?", metavar="CORPUS", help=CORPUS)
    add_source_arguments(parser, required=False)
    add(
        "--config",
        choices=list(SPLIT_OF),
        help="which conversations of the corpus (default: csconv)",
    )
    add(
        "--split",
        default="",
        metavar="NAME",
        help="their split (default: test of csconv, train of rolecs)",
    )
    runner.add_out(parser, "the folder to write; the journal lies beside it")
    runner.add_language(parser)
    runner.add_limit(
        parser, "read the first N conversations, a random sample that a larger N only adds to"
    )
    add(
        "--embed",
        default="tfidf",
        metavar="MODEL",
        help="tfidf (default, offline), st:MODEL (sentence-transformers) or openai:MODEL",
    )
    add(
        "--threshold",
        type=float,
        default=THRESHOLD,
        metavar="X",
        help=f"cosine above which two are one (default: {THRESHOLD})",
    )
    add_plan(parser)
    runner.add_seed(parser, "another seed, other replies (default: 0)")
    add_llm_arguments(parser)
    add_executor(parser)


class Profiles(runner.Builder):
    """A build of a pool of profiles."""

    OPTIONS = ("config", "language", "limit", "embed", "threshold", "seed", "attempts")
    stages = STAGES
    later = "which of near-duplicate profiles stays is decided over all of them"

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        check_model(args.embed)
        check_share("--threshold", args.threshold, zero=False)
        self.languages = runner.chosen_languages(args)
        self.chosen = choose(args, self.languages)

    def check_target(self) -> None:
        check_target(self.args.out)

    def stand_in(self) -> None:
        import builders.scripted.profiles  # noqa: F401 - registers itself

    def make(self, llm: LLM) -> runner.Built:
        args = self.args
        read = self.chosen.conversations[: self.pilot]
        profiles, dropped = asyncio.run(extract(llm, read))
        if llm.is_part:
            # Embeddings may cost: they are for the one that has all profiles.
            return runner.Built({}, {})
        pool, merged = distinct(profiles, args.embed, args.threshold, args.base_url)
        self.outlook = outlook.tried_in_order(
            "conversations",
            len(pool),
            dropped + merged,
            len(read),
            len(self.chosen.conversations),
        )
        by_language = Counter(profile.language for profile in pool)
        counts = {
            "conversations_read": len(read),
            "profiles_kept": len(pool),
            "conversations_dropped": dict(sorted((dropped + merged).items())),
            "profiles_by_language": dict(sorted(by_language.items())),
        }
        if not pool:
            raise runner.NothingKept(
                f"no profile could be made, so nothing was written; {count_lines(counts)[2]}"
            )
        rows = [profile.to_row() for profile in pool]
        return runner.Built({"profiles": {"pool": rows}}, self.record(llm, counts))

    def record(self, llm: LLM, counts: dict) -> dict:
        """What build.json says."""
        return {
            "format": FORMAT,
            "csc_tasks": csc_tasks.__version__,
            "builder": "profiles",
            "settings": self.settings(llm),
            "source": dict(self.chosen.source),
            "models": self.models(llm),
            "counts": counts,
            "prompts": prompt_hashes(self.languages, PROMPTS),
        }

    def write(self, built: runner.Built, run: Mapping, journal: Path) -> None:
        out = self.args.out
        write_pool(self.out, built.rows["profiles"]["pool"], built.record, run)
        source, counts = built.record["source"], built.record["counts"]
        reading = {name: source[name] for name in READING if source.get(name)}
        tally("\n".join(count_lines(reading | counts)))
        tell(
            f"Wrote {out / POOL_FILE}; csc build rolecs --profiles {out} plays them. Every"
            f" request is in {journal}"
        )


def main(args: Namespace) -> None:
    """Build a pool of customer profiles from recorded conversations; see runner.run."""
    runner.run(Profiles, args)


async def extract(
    llm: LLM, conversations: Sequence[Conversation]
) -> tuple[list[PoolProfile], Counter]:
    """The profiles of the conversations, and how many gave none, by reason."""

    async def worker(conversation: Conversation) -> PoolProfile:
        try:
            return await profile_of(conversation)
        except Malformed as error:
            if ADDRESSED not in error.problems[-1]:
                raise
            stage = error.reason.partition(":")[0]
            reason = f"{stage}: in the second person"
            raise Malformed(reason, error.problems, error.answer) from None

    async def profile_of(conversation: Conversation) -> PoolProfile:
        language, item = conversation.language, conversation.conversation_id
        prompts = templates(language)
        dialogue = history(conversation.dialogue, language, strategies=False)
        messages = prompts.messages("profile_extract", dialogue=dialogue)
        form = extracted(language)
        known = await ask_form(
            llm, form, stage="profile", language=language, messages=messages, item_id=item
        )
        facts = known.model_dump()
        if not any(facts.values()):
            raise Dropped("profile: nothing is known about the customer")
        unknown = words(language).unknown
        messages = prompts.messages(
            "profile_describe", **{name: text or unknown for name, text in facts.items()}
        )
        answer = await ask_form(
            llm,
            described(language),
            stage="describe",
            language=language,
            messages=messages,
            item_id=item,
        )
        text = answer.description
        profile_id = content_id("profile", language, text)
        return PoolProfile(profile_id, language, text, **facts, source_id=item)

    progress = Progress(len(conversations), "profiles")
    outcome = await run_items(conversations, worker, llm, progress)
    return outcome.values, outcome.dropped


def distinct(
    profiles: Sequence[PoolProfile], model: str, threshold: float, base_url: str | None = None
) -> tuple[list[PoolProfile], Counter]:
    """The profiles that stay, in the order of their ids, and how many went, by reason. Profiles in
    two languages are never duplicates.

    `model` embeds the descriptions; of those whose cosine is above `threshold` the first stays.
    Raises what `embed` raises.
    """
    merged: Counter[str] = Counter()
    stay = []
    present = {profile.language for profile in profiles}
    for language in sorted(present, key=list(known_languages()).index):
        in_order = sorted(
            (profile for profile in profiles if profile.language == language),
            key=lambda profile: (profile.profile_id, profile.source_id),
        )
        by_id: dict[str, PoolProfile] = {}
        for profile in in_order:
            by_id.setdefault(profile.profile_id, profile)
        merged["identical profile"] += len(in_order) - len(by_id)
        candidates = list(by_id.values())
        vectors = embed([profile.profile for profile in candidates], model, base_url)
        first = first_of_each(vectors, threshold)
        merged["near-duplicate profile"] += len(candidates) - len(first)
        stay += [candidates[i] for i in first]
    return sorted(stay, key=lambda profile: profile.profile_id), +merged


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
