"""The reply forms of csc build profiles."""

from typing import Annotated

from pydantic import AfterValidator

from csc_tasks.llm.forms import Form, Text


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
        raise ValueError(f"is not in the second person (it opens with {text[:20]!r}, not {openings[0]!r})")
    return text


class DescribedZh(Form):
    """A description in the second person, Chinese."""

    description: Annotated[Text, AfterValidator(lambda text: second_person(text, ("你", "您")))]


class DescribedEn(Form):
    """A description in the second person, English."""

    description: Annotated[Text, AfterValidator(lambda text: second_person(text, ("You", "Your")))]


Described = {"zh": DescribedZh, "en": DescribedEn}
