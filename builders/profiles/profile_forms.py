"""The reply forms of csc build profiles."""

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, create_model

from builders.wording import words
from csc_tasks.llm.reply_form import Form, Text


def known(text: str) -> str:
    """`text` with single spaces; "" where nothing is known."""
    return " ".join(text.split())


Known = Annotated[str, AfterValidator(known)]


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

    description: Text


@cache
def described(language: str) -> type[Described]:
    """The form of a description in the second person."""
    openings = words(language).second_person
    kind: Any = Annotated[Text, AfterValidator(lambda text: second_person(text, openings))]
    name = f"Described{language.capitalize()}"
    return create_model(name, __base__=Described, description=(kind, ...))
