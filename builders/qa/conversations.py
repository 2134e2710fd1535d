"""Which recorded conversations become questions: 5 to 100 turns, each once, in an order that
depends on each of them alone.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builders.qa.pairs import pair_positions, published_pair
from builders.sources import RawConversation
from csc_tasks.conversation import Turn, content_id

# Turns after same-speaker neighbours were merged (the bounds of the data of arXiv 2602.00665).
FEWEST, MOST = 5, 100


@dataclass(frozen=True, slots=True)
class Chosen:
    """A conversation to work on. `asked` are the positions of the customer's turn of every pair,
    `wanted` the pairs that become rows.
    """

    conversation_id: str
    raw: RawConversation
    asked: tuple[int, ...]
    wanted: tuple[int, ...]

    def history(self, pair: int) -> tuple[Turn, ...]:
        """The turns before the question of a pair."""
        return self.raw.turns[: self.asked[pair]]

    @property
    def used(self) -> tuple[Turn, ...]:
        """The turns that any row of this conversation holds: up to the answer of the last wanted
        pair.
        """
        return self.raw.turns[: self.asked[self.wanted[-1]] + 2]


def drop_reason(raw: RawConversation) -> str | None:
    """Why a conversation is left out before anything is asked, or None."""
    if len(raw.turns) < FEWEST:
        return f"fewer than {FEWEST} turns"
    if len(raw.turns) > MOST:
        return f"more than {MOST} turns"
    return None


def choose(
    conversations: Iterable[RawConversation], pairs: str, seed: int, limit: int | None
) -> tuple[list[Chosen], Counter]:
    """The conversations to work on, ordered by id, and how many were left out, by reason.

    The id is a hash of language and turns, so the order is as good as random; with `limit` the
    first so many are taken, which are among those of a larger limit. Only these are held in memory.
    `pairs` is all or published (see `builders.qa.pairs`).
    """
    dropped: Counter = Counter()
    fitting = _fitting(conversations, pairs, seed, dropped)
    if limit is None:
        return sorted(fitting, key=lambda chosen: chosen.conversation_id), dropped
    return heapq.nsmallest(limit, fitting, key=lambda chosen: chosen.conversation_id), dropped


def _fitting(
    conversations: Iterable[RawConversation], pairs: str, seed: int, dropped: Counter
) -> Iterator[Chosen]:
    seen: set[str] = set()
    for raw in conversations:
        if reason := drop_reason(raw):
            dropped[reason] += 1
            continue
        name = content_id("qa", raw.language, [[turn.speaker, turn.text] for turn in raw.turns])
        if name in seen:
            dropped["the same as another"] += 1
            continue
        seen.add(name)
        asked = pair_positions(raw.turns)
        wanted = tuple(range(len(asked)))
        if pairs == "published":
            drawn = published_pair(raw.turns, raw.language, f"{seed} {name}")
            wanted = () if drawn is None else (drawn,)
        if not wanted:
            dropped["no pair to ask about"] += 1
            continue
        yield Chosen(name, raw, asked, wanted)
