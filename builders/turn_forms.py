"""Parts of reply forms that speak of dialogues: an utterance, a strategy, a labelled turn."""

import re
from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.languages import languages
from csc_tasks.languages.labels import find_strategy, names
from csc_tasks.llm.reply_form import Form, clean_text


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


def clean_utterance(text: str) -> str:
    """`clean_text`, and refused when it carries a speaker's name or a strategy tag: what was meant
    to be said is then unclear.
    """
    text = clean_text(text)
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


Utterance = Annotated[str, AfterValidator(clean_utterance)]
Label = Annotated[str, AfterValidator(known_strategy)]


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
