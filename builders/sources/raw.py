"""A recorded conversation and what happened while a source was read."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from csc_tasks.conversation import Turn, content_id, merge_neighbours

LISTED = 1_000
"""So many problems are kept as text; all are counted."""

SHOWN = 20
"""So many of them are printed."""


@dataclass(frozen=True, slots=True)
class RawConversation:
    """A conversation as it was recorded, before anything is filtered or rewritten.

    `source_id` is the id in the source, `topic` one of the eight English names or "", `source` the
    name of the corpus. The texts have single spaces and no line breaks, and neighbouring turns of
    one speaker are one turn: supporter and customer alternate.
    """

    source_id: str
    language: str
    topic: str
    source: str
    turns: tuple[Turn, ...]

    def to_json(self) -> list:
        """The conversation as `from_json` reads it."""
        turns = [[turn.speaker, turn.text] for turn in self.turns]
        return [self.source_id, self.language, self.topic, self.source, turns]

    @classmethod
    def from_json(cls, value: list) -> "RawConversation":
        """What `to_json` gave."""
        source_id, language, topic, source, turns = value
        spoken = tuple(Turn(speaker, text) for speaker, text in turns)
        return cls(source_id, language, topic, source, spoken)


@dataclass(slots=True)
class Reading:
    """What was read, merged, left out and why; filled while the conversations of a source are
    taken.

    `counts` has `conversations_read`, `conversations_left_out`, `turns_merged_into_the_one_before`,
    `problems: REASON`, ... as far as they occur; `problems` says where: "calls.jsonl, line 7
    (conversation c-12): turn 3: text is null".
    """

    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def problem(self, reason: str, place: str, detail: str = "") -> None:
        """Note that something at `place` cannot be used; reasons are few and counted, `detail` says
        what was found.
        """
        self.counts[f"problems: {reason}"] += 1
        if len(self.problems) < LISTED:
            self.problems.append(f"{place}: {reason}" + (f" ({detail})" if detail else ""))

    def leave_out(self, reason: str, place: str, detail: str = "") -> None:
        """The same for a problem that costs a conversation."""
        self.counts["conversations_left_out"] += 1
        self.problem(reason, place, detail)

    def show_problems(self) -> None:
        """Print the first problems on stderr, each with its place, and how many more there are."""
        for problem in self.problems[:SHOWN]:
            print(f"problem: {problem}", file=sys.stderr)
        total = sum(n for name, n in self.counts.items() if name.startswith("problems: "))
        if total > SHOWN:
            print(f"... and {total - SHOWN:,} more; all are counted below", file=sys.stderr)

    def take(
        self,
        source_id: str,
        language: str,
        topic: str,
        source: str,
        turns: Sequence[Turn],
        place: str,
    ) -> RawConversation | None:
        """The finished conversation, counted; None (counted too) where nothing was said or a text
        holds a lone surrogate.
        """
        for i, turn in enumerate(turns):
            if not is_unicode(turn.text):
                self.leave_out(
                    "text is not valid Unicode", f"{place}: turn {i}", repr(turn.text[:60])
                )
                return None
        joined = (Turn(turn.speaker, " ".join(turn.text.split())) for turn in turns)
        spoken = [turn for turn in joined if turn.text]
        if not spoken:
            self.leave_out("no text", place)
            return None
        merged, count = merge_neighbours(spoken, " ")
        for name, n in (
            ("turns_left_out_because_empty", len(turns) - len(spoken)),
            ("turns_merged_into_the_one_before", count),
        ):
            if n:
                self.counts[name] += n
        self.counts["conversations_read"] += 1
        return RawConversation(source_id, language, topic, source, merged)


def raw_id(raw: RawConversation) -> str:
    """The id of a recorded conversation, made from its language and its turns."""
    return content_id("raw", raw.language, [[turn.speaker, turn.text] for turn in raw.turns])


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: no lone surrogate, which also stands for a byte
    that was not UTF-8 where it was read.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
