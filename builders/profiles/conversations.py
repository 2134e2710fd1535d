"""The conversations that profiles are read from: a corpus that the benchmark reads, or recorded
conversations in any form that csconv and qa read.
"""

import heapq
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builders.cards.render import count_lines
from builders.sources import RawConversation, Reading, raw_id, read_source
from csc_tasks.arguments import CORPUS
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.corpora import load
from csc_tasks.errors import DataError, SettingError

CONFIG = "csconv"
SPLIT_OF = {"csconv": "test", "rolecs": "train"}
"""Configs of conversations, and the split that is read unless --split says another."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Conversations to read, in an order that depends on each of them alone, so that those of a
    smaller limit are among those of a larger one. `source` is what build.json says of where they
    come from; it names no path, and its `read` and `conversations_not_taken` are counts to print.
    """

    conversations: Sequence[Conversation]
    source: Mapping[str, Any]


def choose(args: Namespace, languages: Sequence[str]) -> Chosen:
    """The conversations that CORPUS or `--source` name, in the languages asked for.

    Raises SettingError where both or neither are given, or an option that belongs to the other
    one; DataError where nothing is left to read.
    """
    if args.source is None:
        for option in ("format", "source_language"):
            if getattr(args, option) not in (None, "auto"):
                raise SettingError(
                    f"--{option.replace('_', '-')} belongs to --source; a corpus says it itself"
                )
        args.config = args.config or CONFIG
        return _of_corpus(args, languages)
    if args.corpus is not None:
        raise SettingError(
            f"a corpus ({args.corpus}) and --source {args.source} are given; give one"
        )
    if args.config is not None or args.split:
        option = "--split" if args.config is None else "--config"
        raise SettingError(f"{option} belongs to a corpus; --source has no configs and splits")
    return _recorded(args, languages)


def _of_corpus(args: Namespace, languages: Sequence[str]) -> Chosen:
    if args.corpus is None:
        raise SettingError(
            f"no conversations are given; the first word is {CORPUS}, or --source names recorded"
            " ones"
        )
    corpus = load(args.corpus, args.config, args.split or SPLIT_OF[args.config])
    chosen = [item for item in corpus.items if item.language in languages]
    if not chosen:
        raise DataError(f"{args.corpus} holds no conversation in {' or '.join(languages)}")
    return Chosen(
        chosen[: args.limit],
        {
            "content_hash": corpus.content_hash,
            "revision": corpus.revision,
            "read": dict(corpus.counts),
        },
    )


def _recorded(args: Namespace, languages: Sequence[str]) -> Chosen:
    reading, not_taken = Reading(), Counter[str]()
    source = read_source(args.source, reading, args.format, args.source_language)
    fitting = _fitting(source, languages, not_taken)
    if args.limit is None:
        chosen = sorted(fitting, key=_id)
    else:
        chosen = heapq.nsmallest(args.limit, fitting, key=_id)
    reading.show_problems()
    counts = {
        "read": {name.replace("_", " "): n for name, n in sorted(reading.counts.items())},
        "conversations_not_taken": dict(sorted(not_taken.items())),
    }
    if not chosen:
        raise DataError(
            f"{args.source} holds no conversation in {' or '.join(languages)};"
            f" {'; '.join(count_lines(counts))}"
        )
    return Chosen(
        chosen,
        {
            "file": args.source.name,
            "content_hash": content_id("profiles", *map(_id, chosen)),
            **counts,
        },
    )


def _fitting(
    source: Iterator[RawConversation], languages: Sequence[str], not_taken: Counter[str]
) -> Iterator[Conversation]:
    seen: set[str] = set()
    for raw in source:
        name = raw_id(raw)
        if raw.language not in languages:
            not_taken[f"in {raw.language}"] += 1
        elif name in seen:
            not_taken["the same as another"] += 1
        else:
            seen.add(name)
            yield Conversation(name, raw.language, raw.topic, raw.source, raw.turns)


def _id(conversation: Conversation) -> str:
    return conversation.conversation_id
