"""The reply forms of csc build profiles: what is known of a customer, in the third person."""

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from builders.turn_forms import FilledIn
from csc_tasks.llm.reply_form import LONGEST_TEXT, Form, content
from csc_tasks.llm.unwanted import second_person

ADDRESSED = "is in the second person"
"""How the problem of a text begins that speaks to whoever reads it."""


def known(text: str) -> str:
    """`text` with single spaces; "" where nothing is known."""
    return content(text) if text.strip() else ""


def third_person(text: str, language: str) -> str:
    """`text`; raises ValueError where it speaks to its reader."""
    if word := second_person(text, language):
        raise ValueError(
            f"{ADDRESSED} (it says {word!r}); speak of the customer in the third person"
        )
    return text


Known = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(known)]


class Extracted(Form):
    """What a conversation shows of its customer; see `extracted`."""

    demographics: Known
    financial_status: Known
    communication_preference: Known


class Described(Form):
    """A description of the customer; see `described`."""

    description: FilledIn


@cache
def extracted(language: str) -> type[Extracted]:
    """`Extracted` in the third person of this language."""
    kind = _in_third_person(Known, language)
    fields: dict[str, Any] = dict.fromkeys(Extracted.model_fields, (kind, ...))
    return create_model(f"Extracted{language.capitalize()}", __base__=Extracted, **fields)


@cache
def described(language: str) -> type[Described]:
    """`Described` in the third person of this language."""
    kind = _in_third_person(FilledIn, language)
    name = f"Described{language.capitalize()}"
    return create_model(name, __base__=Described, description=(kind, ...))


def _in_third_person(text: Any, language: str) -> Any:
    return Annotated[text, AfterValidator(lambda value: third_person(value, language))]
