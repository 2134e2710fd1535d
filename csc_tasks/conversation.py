"""A support conversation as data: Turn, Conversation, JSON both ways, and every rule a conversation
must keep.

One shape for evaluation, training, builders and statistics. `Conversation.from_row(row, where)`
reads a row of a dataset folder (`conversation_id, language, topic, source, dialogue: [{speaker,
strategy, text}]`), `to_row()` writes it. A turn may have `labels` of several raters too.
"""

import hashlib
import json
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from csc_tasks import shapes
from csc_tasks.errors import DataError, UnknownStrategy
from csc_tasks.framework import BY_ID
from csc_tasks.labels import Label as Label
from csc_tasks.labels import label_problems, labels_of, majority
from csc_tasks.languages import languages
from csc_tasks.languages.labels import closest_label
from csc_tasks.shapes import CUSTOMER as CUSTOMER
from csc_tasks.shapes import SUPPORTER as SUPPORTER

SPEAKERS = (SUPPORTER, CUSTOMER)
HELD_OUT = "[held out]"
"""What stands in the place of a text or strategy that the corpus' maintainers keep to themselves.
"""

HOW_TO_LABEL = "csc label run labels a corpus"
"""What to say where there is no strategy to compare with."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance. `strategy` is a strategy id for a labelled supporter turn and "" everywhere
    else; of a labelled turn that is held out, both strategy and text are HELD_OUT. `labels` is what
    each of several raters says, where a corpus has that.
    """

    speaker: str
    text: str
    strategy: str = ""
    labels: tuple[Label, ...] = ()

    @property
    def held_out(self) -> bool:
        """Whether the maintainers keep its text and strategy to themselves."""
        return self.strategy == HELD_OUT

    def to_row(self) -> dict[str, Any]:
        """The record of a dataset row; `labels` only where there are any."""
        row: dict[str, Any] = {
            "speaker": self.speaker,
            "strategy": self.strategy,
            "text": self.text,
        }
        if self.labels:
            row["labels"] = [label.to_json() for label in self.labels]
        return row


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation between one customer and one supporter, in the order it was spoken.

    `profile`, `scenario` and `goal` exist in role-played sets only and are "" elsewhere.
    """

    conversation_id: str
    language: str
    topic: str
    source: str
    dialogue: tuple[Turn, ...]
    profile: str = ""
    scenario: str = ""
    goal: str = ""

    def labelled_turns(self) -> list[int]:
        """Positions in `dialogue` of the supporter turns that have a strategy."""
        return [
            i for i, turn in enumerate(self.dialogue) if turn.speaker == SUPPORTER and turn.strategy
        ]

    def scored_turns(self) -> list[int]:
        """Positions in `dialogue` of the turns a model is asked for and scored on: the labelled
        supporter turns, or all supporter turns where none is labelled.
        """
        return self.labelled_turns() or [
            i for i, turn in enumerate(self.dialogue) if turn.speaker == SUPPORTER
        ]

    def held_out_turns(self) -> list[int]:
        """Positions in `dialogue` of the scored turns that are held out."""
        return [i for i, turn in enumerate(self.dialogue) if turn.held_out]

    @property
    def history_held_out(self) -> bool:
        """Whether a turn that is held out is the gold history of a later scored one."""
        held_out = self.held_out_turns()
        return bool(held_out) and held_out[0] < self.scored_turns()[-1]

    def problems(self) -> list[str]:
        """Every rule this conversation breaks, in reading order; empty when it is sound."""
        broken = []
        if not self.conversation_id:
            broken.append("conversation_id is empty")
        if self.language not in languages():
            broken.append(f"language {self.language!r} is not one of {', '.join(languages())}")
        if not self.dialogue:
            broken.append("the dialogue is empty")
        for i, turn in enumerate(self.dialogue):
            if turn.speaker not in SPEAKERS:
                broken.append(f"turn {i}: {unknown_speaker(turn.speaker)}")
            if not turn.text.strip():
                broken.append(f"turn {i}: the text is empty")
            if turn.held_out != (turn.text == HELD_OUT) and turn.speaker == SUPPORTER:
                broken.append(f"turn {i}: text and strategy are both {HELD_OUT}, or neither is")
            if turn.strategy and turn.strategy not in BY_ID and not turn.held_out:
                closest = closest_label(turn.strategy)
                broken.append(
                    f"turn {i}: strategy {turn.strategy!r} is not one of the 12 (closest:"
                    f" {closest})"
                )
            if turn.strategy and turn.speaker == CUSTOMER:
                broken.append(f"turn {i}: a customer turn carries strategy {turn.strategy!r}")
            if turn.labels and (turn.speaker == CUSTOMER or turn.held_out):
                whose = "customer turn" if turn.speaker == CUSTOMER else "turn that is held out"
                broken.append(f"turn {i}: a {whose} carries labels")
            broken += [f"turn {i}: {problem}" for problem in label_problems(turn.labels)]
        if self.dialogue and not any(turn.speaker == SUPPORTER for turn in self.dialogue):
            broken.append("there is no supporter turn")
        return broken

    def to_row(self, roles: bool = False) -> dict[str, Any]:
        """The row of a dataset folder; `roles` adds profile, scenario and goal (the rolecs
        config).
        """
        row = {
            "conversation_id": self.conversation_id,
            "language": self.language,
            "topic": self.topic,
            "source": self.source,
            "dialogue": [turn.to_row() for turn in self.dialogue],
        }
        if roles:
            row |= {"profile": self.profile, "scenario": self.scenario, "goal": self.goal}
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str) -> "Conversation":
        """Read a dataset-folder row; `where` (file and row) opens every error.

        The names that `csc_tasks.shapes` knows are read too. Raises DataError that lists all the
        problems of the row at once.
        """
        key = shapes.turns_key(row) or "dialogue"
        missing = [name for name in ("conversation_id", "language", key) if row.get(name) is None]
        if missing:
            wanted = "conversation_id, language, topic, source and dialogue"
            raise DataError(
                f"{where}: {', '.join(missing)} missing; a conversation row has {wanted}"
            )
        texts = {name: text_of(row, name, where) for name in TEXTS}
        conversation = cls(dialogue=turns_of(row, key, where), **texts)
        conversation.check(f"{where} ({conversation.conversation_id})")
        return conversation

    def check(self, where: str) -> None:
        """Raise DataError with all problems in one line that opens with `where`; UnknownStrategy
        where a label is one of them.
        """
        problems = self.problems()
        if problems:
            unknown = any(
                name and name not in BY_ID and name != HELD_OUT
                for turn in self.dialogue
                for name in (turn.strategy, *(s for label in turn.labels for s in label.strategies))
            )
            raise (UnknownStrategy if unknown else DataError)(f"{where}: {'; '.join(problems)}")


TEXTS = ("conversation_id", "language", "topic", "source", "profile", "scenario", "goal")
"""The columns of a conversation that hold text."""


def unknown_speaker(name: str) -> str:
    """What is wrong with a speaker who is neither of the two, and which other names are read."""
    others = ", ".join(alias for alias in shapes.SPEAKERS if alias not in SPEAKERS)
    also = f" (rows may also say {others})" if shapes.speaker_of(name) is None else ""
    return f"speaker {name!r} is not one of {', '.join(SPEAKERS)}{also}"


def text_of(row: Mapping[str, Any], key: str, where: str) -> str:
    """`row[key]` as text: "" where it is absent or null, the digits of a whole number (ids are
    often numbers).

    Raises DataError for anything else: the text of a list or of a missing number (NaN) would pass
    for a real value.
    """
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{where}: {key} is {value!r}; it must be text")


def turns_of(row: Mapping[str, Any], key: str, where: str) -> tuple[Turn, ...]:
    """The turns in a list column; a CSV file holds the list as JSON text.

    Speakers and strategies become ours where `csc_tasks.shapes` knows them; others stay as they
    are, for `Conversation.problems` to list. A turn with labels and no strategy gets their
    majority. Raises DataError that names the turn and what was found in its place.
    """
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise DataError(
                f"{where}: {key} is the text {value[:60]!r}; it must be a list of turns (in a CSV"
                " file: a JSON list)"
            ) from None
    if isinstance(value, Mapping | str) or not isinstance(value, Iterable):
        raise DataError(f"{where}: {key} is {value!r:.60}; it must be a list of turns")
    return tuple(_turn(turn, f"{where} {key} turn {i}") for i, turn in enumerate(value))


def _turn(turn: object, where: str) -> Turn:
    given = turn if isinstance(turn, Mapping) else {}
    speaker, text = shapes.part(given, shapes.SPEAKER), shapes.part(given, shapes.TEXT)
    if not isinstance(speaker, str) or not isinstance(text, str):
        raise DataError(f"{where}: found {turn!r:.200}; a turn needs 'speaker' and 'text' as text")
    label = given.get("strategy") or ""
    if not isinstance(label, str):
        raise DataError(
            f"{where}: strategy is {label!r}; it must be text, or empty where there is none"
        )
    known = shapes.strategy_of(label)
    labels = labels_of(given.get("labels"), where)
    if known == "" and labels and not label_problems(labels):
        known = majority(labels)
    strategy = label if known is None else known
    return Turn(shapes.speaker_of(speaker) or speaker, text, strategy, labels)


def content_id(prefix: str, *parts: object) -> str:
    """`prefix-` and 16 hex digits of a hash over `parts` (anything JSON can hold): the same content
    always gets the same id.
    """
    canonical = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def merge_neighbours(turns: Iterable[Turn], joint: str = "\n") -> tuple[tuple[Turn, ...], int]:
    """Join runs of turns by one speaker, as raw sources are read; returns the turns and how many
    were merged away.

    Only for unlabelled sources: a labelled corpus is never merged, because each supporter utterance
    is scored by itself.
    """
    merged: list[Turn] = []
    count = 0
    for turn in turns:
        if merged and merged[-1].speaker == turn.speaker:
            merged[-1] = Turn(
                turn.speaker,
                merged[-1].text + joint + turn.text,
                merged[-1].strategy or turn.strategy,
            )
            count += 1
        else:
            merged.append(turn)
    return tuple(merged), count
