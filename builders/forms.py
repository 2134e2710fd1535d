"""Parts of reply forms that speak of dialogues: an utterance, a strategy, a labelled turn."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.framework import STRATEGIES, find_strategy
from csc_tasks.llm.forms import Form, clean_text

_NAMES = "|".join(re.escape(name) for s in STRATEGIES for name in (s.zh, s.en))
_TAG = re.compile(rf"[\[【]\s*(?:{_NAMES})\s*[\]】]", re.IGNORECASE)
_OPENS_AS_SPEAKER = re.compile(r"(?:客服|客户|supporter|customer|agent|client)\s*[:：]", re.IGNORECASE)


def clean_utterance(text: str) -> str:
    """`clean_text`, and refused when it carries a speaker's name or a strategy tag: what was meant to be said is then unclear."""
    text = clean_text(text)
    if _OPENS_AS_SPEAKER.match(text):
        raise ValueError("opens with a speaker's name")
    if _TAG.search(text):
        raise ValueError("holds a strategy tag")
    return text


def known_strategy(label: str) -> str:
    """The id of the strategy that `label` names; raises ValueError for any other label: it never becomes "Others"."""
    found = find_strategy(label)
    if found is None:
        raise ValueError(f"{label!r:.60} is not one of the 12 strategies")
    return found.id


Utterance = Annotated[str, AfterValidator(clean_utterance)]
Label = Annotated[str, AfterValidator(known_strategy)]


class WrittenTurn(Form):
    """One turn of a dialogue written at once; the strategy is "" for the customer."""

    speaker: Literal["supporter", "customer"]
    strategy: str
    text: Utterance

    def turn(self) -> Turn:
        return Turn(self.speaker, self.text, known_strategy(self.strategy) if self.speaker == SUPPORTER else "")


def labelled(turns: list[WrittenTurn]) -> list[WrittenTurn]:
    """The turns as they are; raises ValueError for a customer turn with a strategy and for a supporter turn without a known one."""
    for i, turn in enumerate(turns):
        if turn.speaker == CUSTOMER and turn.strategy.strip():
            raise ValueError(f"turn {i}: a customer turn carries the strategy {turn.strategy!r:.60}")
        try:
            turn.turn()
        except ValueError as error:
            raise ValueError(f"turn {i}: {error}") from None
    return turns
