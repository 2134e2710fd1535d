"""The reply forms of csc build profiles."""

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from builders.turn_forms import FilledIn
from builders.wording import words
from csc_tasks.llm.reply_form import LONGEST_TEXT, Form, content


def known(text: str) -> str:
    """`text` with single spaces; "" where nothing is known."""
    return content(text) if text.strip() else ""


Known = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(known)]


class Extracted(Form):
    """What a conversation shows of its customer."""

    demographics: Known
    financial_status: Known
    communication_preference: Known


def second_person(text: str, openings: tuple[str, ...]) -> str:
    """`text`; raises ValueError unless it opens in the second person."""
    if not text.startswith(openings):
        raise ValueError(
            f"is not in the second person (it opens with {text[:20]!r}, not {openings[0]!r})"
        )
    return text


class Described(Form):
    """A description of the customer; `described` says how it must open."""

    description: FilledIn


@cache
def described(language: str) -> type[Described]:
    """The form of a description in the second person."""
    openings = words(language).second_person
    kind: Any = Annotated[FilledIn, AfterValidator(lambda text: second_person(text, openings))]
    name = f"Described{language.capitalize()}"
    return create_model(name, __base__=Described, description=(kind, ...))
