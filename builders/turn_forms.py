"""Parts of reply forms that speak of dialogues: an utterance, a strategy, a labelled turn."""

import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from builders.wording import words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.languages import languages
from csc_tasks.languages.labels import find_strategy, names
from csc_tasks.llm.reply_form import LONGEST_TEXT, Form, content
from csc_tasks.llm.unwanted import placeholders

# Turns of a dialogue that is written at once: twice what any rule lets through.
MOST_TURNS = 100


@cache
def _opens_as_speaker() -> re.Pattern:
    own = {
        name
        for one in languages().values()
        for name in (one.speakers.customer, one.speakers.supporter)
    }
    known = "|".join(map(re.escape, sorted(own | {"supporter", "customer", "agent", "client"})))
    return re.compile(rf"(?:{known})\s*[:：]", re.IGNORECASE)


@cache
def _tag() -> re.Pattern:
    known = "|".join(map(re.escape, names()))
    return re.compile(rf"[\[【]\s*(?:{known})\s*[\]】]", re.IGNORECASE)


def filled_in(text: str) -> str:
    """`content`, and refused when a placeholder stands in it, as [Your Name]."""
    text = content(text)
    if unfilled := placeholders(text):
        raise ValueError(f"holds the placeholder {unfilled[0]!r}; invent what stands there")
    return text


def masked_utterance(text: str) -> str:
    """`spoken`, in which a placeholder may stand for what identifies a person, as [name], and none
    that is for somebody else to fill in, as [Your Name].
    """
    text = spoken(text)
    if unfilled := placeholders(text, addressed_only=True):
        raise ValueError(f"holds the placeholder {unfilled[0]!r}")
    return text


def clean_utterance(text: str) -> str:
    """`spoken`, without placeholders."""
    return spoken(filled_in(text))


def spoken(text: str) -> str:
    """`content`, and refused when it carries a speaker's name or a strategy tag: what was meant to
    be said is then unclear.
    """
    text = content(text)
    if _opens_as_speaker().match(text):
        raise ValueError("opens with a speaker's name")
    if _tag().search(text):
        raise ValueError("holds a strategy tag")
    return text


def known_strategy(label: str) -> str:
    """The id of the strategy that `label` names; raises ValueError for any other label: it never
    becomes "Others".
    """
    strategy = find_strategy(label)
    if strategy is None:
        raise ValueError(f"{label!r:.60} is not one of the 12 strategies")
    return strategy.id


_LENGTH = Field(max_length=LONGEST_TEXT)
Utterance = Annotated[str, _LENGTH, AfterValidator(clean_utterance)]
MaskedUtterance = Annotated[str, _LENGTH, AfterValidator(masked_utterance)]
FilledIn = Annotated[str, _LENGTH, AfterValidator(filled_in)]
Label = Annotated[str, AfterValidator(known_strategy)]


@cache
def utterance(language: str) -> Any:
    """The type of an utterance in `language`, not longer than one may be there."""
    # For a type checker a type made in a function is none.
    longest = Field(max_length=words(language).longest_utterance)
    return Annotated[str, longest, AfterValidator(clean_utterance)]


class WrittenTurn(Form):
    """One turn of a dialogue written at once; the strategy is "" for the customer."""

    speaker: Literal["supporter", "customer"]
    strategy: str
    text: Utterance

    def turn(self) -> Turn:
        return Turn(
            self.speaker,
            self.text,
            known_strategy(self.strategy) if self.speaker == SUPPORTER else "",
        )


def labelled(turns: list[WrittenTurn]) -> list[WrittenTurn]:
    """The turns as they are; raises ValueError for a customer turn with a strategy and for a
    supporter turn without a known one.
    """
    for i, turn in enumerate(turns):
        if turn.speaker == CUSTOMER and turn.strategy.strip():
            raise ValueError(
                f"turn {i}: a customer turn carries the strategy {turn.strategy!r:.60}"
            )
        try:
            turn.turn()
        except ValueError as error:
            raise ValueError(f"turn {i}: {error}") from None
    return turns


@cache
def written_turns(language: str) -> Any:
    """The type of a whole labelled dialogue in `language`."""
    turn: Any = create_model("WrittenTurn", __base__=WrittenTurn, text=(utterance(language), ...))
    return Annotated[list[turn], Field(max_length=MOST_TURNS), AfterValidator(labelled)]
