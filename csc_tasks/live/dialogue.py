"""A live conversation as data: the brief of the customer who is played, what was said, and how it
ended. JSON both ways.

A sample of `cscx_conv_live` carries under `live` a list with what `LiveDialogue.to_json()` says,
one for each repeat of the run (`dialogues_of` reads it). The config `briefs` of a corpus has
`Brief.to_json()` as its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csc_tasks.conversation import CUSTOMER, SPEAKERS
from csc_tasks.errors import DataError

SATISFIED = "satisfied"
GAVE_UP = "gave_up"
TRANSFERRED = "transferred"
CAP = "cap"
FAILED = "failed"
ENDINGS = (SATISFIED, GAVE_UP, TRANSFERRED, CAP, FAILED)
"""How a live conversation ends: by the customer in one of three ways, by the cap on its turns, or
because who plays the customer gave no usable answer; the last is nobody's decision.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a customer knows, as in `Fact("order number", "48213")`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What the customer of one recorded conversation knows and wants: all that who plays it is
    told. Never the words of the recorded supporter.

    aim: what the customer wants. manner: how it writes. mood: how it feels at the start. unknown:
    what it does not know yet.
    """

    conversation_id: str
    facts: tuple[Fact, ...]
    aim: str
    manner: str
    mood: str
    unknown: tuple[str, ...]
    language: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row of the config `briefs`."""
        return {
            "conversation_id": self.conversation_id,
            "language": self.language,
            "facts": [{"name": fact.name, "value": fact.value} for fact in self.facts],
            "aim": self.aim,
            "manner": self.manner,
            "mood": self.mood,
            "unknown": list(self.unknown),
        }

    @classmethod
    def from_json(cls, row: object, where: str) -> "Brief":
        """Read what `to_json` wrote; `where` opens the error. Raises DataError."""
        given = _mapping(row, where)
        facts = tuple(
            Fact(
                _text(fact, "name", f"{where} fact {i}"), _text(fact, "value", f"{where} fact {i}")
            )
            for i, fact in enumerate(_mappings(given, "facts", where))
        )
        unknown = _list(given, "unknown", where)
        if not all(isinstance(one, str) for one in unknown):
            raise DataError(f"{where}: unknown is {unknown!r:.120}; it must be a list of texts")
        aim, manner, mood = (_text(given, name, where) for name in ("aim", "manner", "mood"))
        return cls(
            conversation_id=_text(given, "conversation_id", where),
            facts=facts,
            aim=aim,
            manner=manner,
            mood=mood,
            unknown=tuple(unknown),
            language=_text(given, "language", where),
        )


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """One utterance. `strategy` is the id that a supporter turn named, None where it named none and
    for the customer. `unfit`: nothing that a recorded customer has to say fits here.
    """

    speaker: str
    text: str
    strategy: str | None = None
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class LiveDialogue:
    """One live conversation.

    customer: who played the customer, as in "recorded" or "openai:MODEL". ending: one of ENDINGS.
    goal: whether the customer says that it reached its aim, None where it said nothing of it.
    """

    conversation_id: str
    customer: str
    brief: Brief | None
    turns: tuple[LiveTurn, ...]
    ending: str
    goal: bool | None = None
    language: str = ""

    def to_json(self) -> dict[str, Any]:
        """What a logged sample carries under `live`."""
        return {
            "conversation_id": self.conversation_id,
            "language": self.language,
            "customer": self.customer,
            "brief": self.brief.to_json() if self.brief else None,
            "turns": [
                {
                    "speaker": turn.speaker,
                    "text": turn.text,
                    "strategy": turn.strategy,
                    "unfit": turn.unfit,
                }
                for turn in self.turns
            ],
            "ending": self.ending,
            "goal": self.goal,
        }

    @classmethod
    def from_json(cls, row: object, where: str) -> "LiveDialogue":
        """Read what `to_json` wrote; `where` opens the error. Raises DataError."""
        given = _mapping(row, where)
        ending, goal, brief = _text(given, "ending", where), given.get("goal"), given.get("brief")
        if ending not in ENDINGS:
            raise DataError(
                f"{where}: ending is {ending!r}; it must be one of {', '.join(ENDINGS)}"
            )
        if goal is not None and not isinstance(goal, bool):
            raise DataError(f"{where}: goal is {goal!r:.60}; it must be true, false or null")
        return cls(
            conversation_id=_text(given, "conversation_id", where),
            customer=_text(given, "customer", where),
            brief=None if brief is None else Brief.from_json(brief, f"{where} brief"),
            turns=tuple(
                _turn(turn, f"{where} turn {i}")
                for i, turn in enumerate(_mappings(given, "turns", where))
            ),
            ending=ending,
            goal=goal,
            language=_text(given, "language", where),
        )


def dialogues_of(sample: Mapping[str, Any], where: str) -> list[LiveDialogue]:
    """The live conversations of a logged sample, one for each repeat; `where` opens the error.
    Raises DataError, also where the sample has none.
    """
    rows = sample.get("live")
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{where}: holds no live conversation; samples of cscx_conv_live do")
    return [LiveDialogue.from_json(row, f"{where} live {i}") for i, row in enumerate(rows)]


def _turn(turn: Mapping[str, Any], where: str) -> LiveTurn:
    speaker, strategy, unfit = (
        _text(turn, "speaker", where),
        turn.get("strategy"),
        turn.get("unfit"),
    )
    if speaker not in SPEAKERS:
        raise DataError(f"{where}: speaker is {speaker!r}; it must be one of {', '.join(SPEAKERS)}")
    if strategy is not None and (speaker == CUSTOMER or not isinstance(strategy, str)):
        raise DataError(f"{where}: strategy is {strategy!r:.60}; a supporter's id, or null")
    if unfit is not None and not isinstance(unfit, bool):
        raise DataError(f"{where}: unfit is {unfit!r:.60}; it must be true or false")
    return LiveTurn(speaker, _text(turn, "text", where), strategy, bool(unfit))


def _mapping(row: object, where: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise DataError(f"{where}: found {row!r:.120}; it must be an object")
    return row


def _list(row: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = row.get(key)
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: {key} is {value!r:.120}; it must be a list")
    return list(value)


def _mappings(row: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    return [_mapping(one, f"{where} {key} {i}") for i, one in enumerate(_list(row, key, where))]


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise DataError(f"{where}: {key} is {value!r:.120}; it must be text")
    return value
