"""Which recorded conversations become questions: 5 to 100 turns, each once, in an order that
depends on each of them alone. Their texts wait in a file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from builders.qa.pairs import pair_positions, published_pair
from builders.sources import RawConversation
from builders.spool import Place, Spool
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


class Conversations(Sequence[Chosen]):
    """Conversations whose texts lie in `spool`: memory holds an id and a place of each."""

    def __init__(self, spool: Spool, places: Sequence[tuple[str, Place]]) -> None:
        self._spool, self._places = spool, places

    def __len__(self) -> int:
        return len(self._places)

    def name(self, index: int) -> str:
        """The id of one of them."""
        return self._places[index][0]

    def beside(self) -> Spool:
        """A file where this one lies, for what comes of them."""
        return Spool(self._spool.folder)

    @overload
    def __getitem__(self, index: int) -> Chosen: ...

    @overload
    def __getitem__(self, index: slice) -> "Conversations": ...

    def __getitem__(self, index: int | slice) -> "Chosen | Conversations":
        if isinstance(index, slice):
            return Conversations(self._spool, self._places[index])
        name, place = self._places[index]
        raw, asked, wanted = self._spool.read(place)
        return Chosen(name, RawConversation.from_json(raw), tuple(asked), tuple(wanted))


def choose(
    conversations: Iterable[RawConversation],
    pairs: str,
    seed: int,
    limit: int | None,
    folder: Path | None = None,
) -> tuple[Conversations, Counter]:
    """The conversations to work on, ordered by id, and how many were left out, by reason.

    The id is a hash of language and turns, so the order is as good as random; with `limit` the
    first so many are taken, which are among those of a larger limit. `pairs` is all or published
    (see `builders.qa.pairs`); `folder` is where the texts wait (see `Spool`).
    """
    dropped: Counter = Counter()
    spool, places = Spool(folder), []
    for chosen in _fitting(conversations, pairs, seed, dropped):
        value = [chosen.raw.to_json(), chosen.asked, chosen.wanted]
        places.append((chosen.conversation_id, spool.add(value)))
    places.sort()
    return Conversations(spool, places[:limit]), dropped


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
