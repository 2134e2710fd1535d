"""Build a pool of customer profiles from support conversations, for csc build rolecs.

    csc build profiles CORPUS --llm openai:MODEL --out DIR
    csc build profiles demo --llm scripted --out DIR             offline stand-in

A language model reads each conversation and writes down what it shows of the customer:
demographics, financial status and communication preference. A second request turns that into a
description in the second person. Descriptions are embedded, and of those whose cosine is above 0.85
only the first, in the order of their ids, stays. DIR gets profiles.jsonl, build.json and run.json;
what was dropped is counted by reason. Every request is in the journal beside DIR: the same command
goes on where a build was stopped. The stages for `--llm STAGE=...` are profile and describe.

CORPUS is demo, a dataset folder, a file of conversations or a Hub id, as for the benchmark
(csc_corpus).
"""

import asyncio
import json
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import csc_tasks
from builders.cards.render import count_lines
from builders.profiles.near_duplicates import THRESHOLD, check_model, embed, first_of_each
from builders.rolecs.pool import POOL_FILE
from builders.wording import both, building_languages, templates, words
from csc_tasks.arguments import add_corpus, check_share, corpus_of
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.errors import DataError, SettingError
from csc_tasks.languages import languages as known_languages
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.runs import run_record, stage_models
from csc_tasks.out import is_new, replace_folder, say_earlier

FORMAT = "csc-tasks profile pool, version 1"
FILES = (POOL_FILE, "build.json", "run.json")
STAGES = ("profile", "describe")
PROMPTS = ("profile_extract", "profile_describe")


@dataclass(frozen=True, slots=True)
class Found:
    """One profile: what was extracted, and the description made of it. `profile_id` depends on the
    description alone.
    """

    profile_id: str
    language: str
    profile: str
    demographics: str
    financial_status: str
    communication_preference: str
    source_id: str

    def to_row(self) -> dict:
        return {name: getattr(self, name) for name in self.__slots__}


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add_corpus(parser, "", old="--source")
    add(
        "--config",
        default="csconv",
        choices=["csconv", "rolecs"],
        help="which conversations of the corpus (default: csconv)",
    )
    add(
        "--split",
        default="",
        metavar="NAME",
        help="their split (default: test of csconv, train of rolecs)",
    )
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the folder to write; the journal lies beside it",
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
        help="read the first N conversations, a random sample that a larger N only adds to",
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
    add("--seed", type=int, default=0, metavar="N", help="another seed, other replies (default: 0)")
    add_llm_arguments(parser)


def main(args: Namespace) -> None:
    import builders.scripted.profiles  # noqa: F401 - registers the stand-in
    from csc_tasks.corpora import load
    from csc_tasks.llm.client import llm_from_args

    started = time.time()
    out = check_target(args.out)
    source = corpus_of(args)
    check_model(args.embed)
    check_share("--threshold", args.threshold, zero=False)
    if args.limit is not None and args.limit < 1:
        raise SettingError(f"--limit {args.limit}: at least 1")
    languages = both() if args.language == "both" else (args.language,)
    corpus = load(
        source, args.config, args.split or {"csconv": "test", "rolecs": "train"}[args.config]
    )
    conversations = [item for item in corpus.items if item.language in languages][: args.limit]
    if not conversations:
        raise DataError(f"{source} holds no conversation in {' or '.join(languages)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with llm_from_args(args, out.with_name(f"{out.name}.journal.sqlite"), STAGES) as llm:
        found, dropped = asyncio.run(extract(llm, conversations))
        kept, merged = distinct(found, args.embed, args.threshold, args.base_url)
        counts = {
            "conversations_read": len(conversations),
            "profiles_kept": len(kept),
            "conversations_dropped": dict(sorted((dropped + merged).items())),
            "profiles_by_language": dict(
                sorted(Counter(profile.language for profile in kept).items())
            ),
        }
        if not kept:
            raise DataError(
                f"no profile could be made, so nothing was written; {count_lines(counts)[2]}"
            )
        settings = {
            name: getattr(args, name)
            for name in ("config", "language", "limit", "embed", "threshold", "seed", "attempts")
        }
        build = {
            "format": FORMAT,
            "csc_tasks": csc_tasks.__version__,
            "builder": "profiles",
            "settings": settings | {"sampling": llm.sampling},
            "source": {
                "content_hash": corpus.content_hash,
                "revision": corpus.revision,
                "read": dict(corpus.counts),
            },
            "models": stage_models(llm, STAGES),
            "counts": counts,
            "prompts": {
                name: digest
                for language in languages
                for name, digest in templates(language).hashes(*PROMPTS).items()
            },
        }
        write_pool(out, kept, build, run_record(llm, started))
    print("\n".join(count_lines(counts)))
    print(
        f"Wrote {args.out / POOL_FILE}; csc build rolecs --profiles {args.out} plays them. Every"
        f" request is in {llm.journal.path}"
    )


async def extract(llm, conversations: Sequence[Conversation]) -> tuple[list[Found], Counter]:
    """The profiles of the conversations, and how many gave none, by reason."""
    from builders.profiles.profile_forms import Extracted, described
    from builders.transcript import history
    from csc_tasks.llm.items import run_items
    from csc_tasks.llm.progress import Progress

    async def work(conversation):
        prompts, item = templates(conversation.language), conversation.conversation_id
        messages = prompts.messages(
            "profile_extract",
            dialogue=history(conversation.dialogue, conversation.language, strategies=False),
        )
        seen = (
            await llm.ask(stage="profile", messages=messages, item_id=item, reply=Extracted)
        ).parsed.model_dump()
        if not any(seen.values()):
            raise Dropped("profile: nothing is known about the customer")
        unknown = words(conversation.language).unknown
        messages = prompts.messages(
            "profile_describe", **{name: text or unknown for name, text in seen.items()}
        )
        said = (
            await llm.ask(
                stage="describe",
                messages=messages,
                item_id=item,
                reply=described(conversation.language),
            )
        ).parsed.description
        return Found(
            content_id("profile", conversation.language, said),
            conversation.language,
            said,
            **seen,
            source_id=item,
        )

    outcome = await run_items(conversations, work, llm, Progress(len(conversations), "profiles"))
    return outcome.values, outcome.dropped


def distinct(
    found: Sequence[Found], model: str, threshold: float, base_url: str | None = None
) -> tuple[list[Found], Counter]:
    """The profiles that stay, in the order of their ids, and how many went. Profiles in two
    languages are never duplicates.
    """
    merged: Counter = Counter()
    kept = []
    for language in sorted(
        {profile.language for profile in found}, key=list(known_languages()).index
    ):
        by_id: dict[str, Found] = {}
        for profile in sorted(
            (p for p in found if p.language == language), key=lambda p: (p.profile_id, p.source_id)
        ):
            if by_id.setdefault(profile.profile_id, profile) is not profile:
                merged["identical profile"] += 1
        candidates = list(by_id.values())
        if candidates:
            stay = first_of_each(
                embed([profile.profile for profile in candidates], model, base_url), threshold
            )
            merged["near-duplicate profile"] += len(candidates) - len(stay)
            kept += [candidates[i] for i in stay]
    return sorted(kept, key=lambda profile: profile.profile_id), +merged


def check_target(out: Path) -> Path:
    """The full path of `out`; raises SettingError unless it is absent, empty, or a pool of ours
    with nothing else in it.
    """
    if not is_new(out):
        try:
            ours = json.loads((out / "build.json").read_text(encoding="utf-8"))["format"] == FORMAT
        except (OSError, ValueError, LookupError, TypeError):
            ours = False
        if not ours or {path.name for path in out.iterdir()} - set(FILES):
            raise SettingError(
                f"{out} is not empty and is not a profile pool alone; give an empty folder or a"
                " new one"
            )
        say_earlier(f"{out} holds an earlier pool, which this one replaces at the end")
    return out.resolve()


def write_pool(out: Path, profiles: Sequence[Found], build: dict, run: dict) -> None:
    """Write the three files of a pool."""
    lines = (
        json.dumps(profile.to_row(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        + "\n"
        for profile in profiles
    )
    texts = {POOL_FILE: "".join(lines)}
    texts |= {
        name: json.dumps(found, ensure_ascii=False, indent=2) + "\n"
        for name, found in (("run.json", run), ("build.json", build))
    }
    with replace_folder(out) as fresh:
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
