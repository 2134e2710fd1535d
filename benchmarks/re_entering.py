"""What becomes of generated context when a model's own turn stands in the history in another way.

  python -m benchmarks.re_entering --model DIR --corpus DIR [--limit 8] [--reply 16] \\
      [--save FILE] [--ways "as written" "gold name"]

The supporter turns of the first documents of `lm_eval --limit N` are asked in generated context, in
the `chat` style, and the model's earlier turns stand in the history in one of these ways:

  as written       with the strategy that it wrote, or none: as the tasks have it
  text alone       never with a strategy
  gold name        with the recorded supporter's strategy where none could be read
  gold first turn  as written, but the first supporter turn is the recorded one, and is not asked

The last two are told a part of what they are asked, so their accuracy is no score: they show
whether labels in the history are what the model needs to write one itself.

Prints a Markdown row for each, with standard errors by conversation. Greedy. `--save` keeps the
replies, and what is there is not asked again.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.weak_prompts import METRIC_NAMES, asker, first_documents, once, shown
from csc_tasks.conversation import Conversation
from csc_tasks.prompts import Reply, TurnPrompt, read_reply


def as_written(reply: Reply, gold: str) -> Reply:
    return reply


def text_alone(reply: Reply, gold: str) -> Reply:
    return replace(reply, strategy=None)


def gold_name(reply: Reply, gold: str) -> Reply:
    return reply if reply.strategy else replace(reply, strategy=gold)


WAYS: dict[str, tuple[Callable[[Reply, str], Reply], int]] = {
    "as written": (as_written, 0),
    "text alone": (text_alone, 0),
    "gold name": (gold_name, 0),
    "gold first turn": (as_written, 1),
}
"""Way -> what stands in the history of a reply, and how many first turns are the recorded ones."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--limit", type=int, default=8, help="conversations")
    parser.add_argument("--reply", type=int, default=16, help="tokens of a reply, at most")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    conversations = first_documents(args.corpus, args.limit)
    ask = asker(args.model, args.reply)
    print("|own turns re-enter|turns|strategy accuracy|where parsed|format rate|CPU s|")
    print("|---|---:|---|---|---|---:|")
    for name in args.ways:
        stands, recorded = WAYS[name]
        about = (name, args.limit, args.reply, args.corpus, args.model)
        work = partial(played, conversations, ask, stands, recorded)
        replies, seconds = once(args.save, about, work)
        asked = [
            (TurnPrompt(conversation, turn, "chat"), text)
            for conversation, written in zip(conversations, replies, strict=True)
            for turn, text in zip(conversation.scored_turns()[recorded:], written, strict=True)
        ]
        prompts, texts = zip(*asked, strict=True)
        numbers = [shown(metric, prompts, texts) for metric in METRIC_NAMES]
        cells = [name, str(len(prompts)), *numbers, f"{seconds:.0f}"]
        print(f"|{'|'.join(cells)}|", flush=True)


def played(
    conversations: list[Conversation],
    ask: Callable[[list[list[dict[str, str]]], str], list[str]],
    stands: Callable[[Reply, str], Reply],
    recorded: int,
) -> list[list[str]]:
    """The raw replies of each conversation, whose first `recorded` supporter turns are not asked.
    The conversations are asked side by side, turn by turn.
    """
    raw: list[list[str]] = [[] for _ in conversations]
    history: list[dict[int, Reply]] = [{} for _ in conversations]
    for place in range(recorded, max(len(one.scored_turns()) for one in conversations)):
        going = [i for i, one in enumerate(conversations) if place < len(one.scored_turns())]
        turns = [conversations[i].scored_turns()[place] for i in going]
        asked = [
            TurnPrompt(conversations[i], turn, "chat").messages(replies=history[i])
            for i, turn in zip(going, turns, strict=True)
        ]
        for i, turn, text in zip(going, turns, ask(asked, ""), strict=True):
            raw[i].append(text)
            reply = read_reply(text, None, conversations[i].language)
            history[i][turn] = stands(reply, conversations[i].dialogue[turn].strategy)
    return raw


if __name__ == "__main__":
    main()
