"""The replies of judges that count: a reason, then every item asked for, by its id, in range, and
nothing else.
"""

import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
)

from csc_tasks.llm.reply_form import Form, Judged, Text, clean_text
from csc_tasks.metrics.facts import Kind

# Facts of one reply: more than a person would read.
MOST_CLAIMS = 200
# Characters of the reason for one fact: there may be many.
LONGEST_FACT_REASON = 200


class Exact(Form):
    """A form without room for anything that was not asked for."""

    model_config = ConfigDict(extra="forbid")


class Choice(Judged, Exact):
    """Why, and which of two is better."""

    better: Literal["first", "second", "tie"]


class Ratings(Judged, Exact):
    """Why, and numbers; see `rating_form`."""

    def scores(self) -> dict[str, int]:
        """The numbers by dimension."""
        return self.model_dump(exclude=set(Judged.model_fields))


@cache
def rating_form(dimensions: tuple[str, ...]) -> type[Ratings]:
    """`Ratings` with a whole number 0..100 for each of the dimensions, by its name."""
    fields: dict[str, Any] = {name: (int, Field(ge=0, le=100)) for name in dimensions}
    return create_model("Ratings", __base__=Ratings, **fields)


class Claim(Exact):
    """One fact of a reply: words that stand in it, what kind of fact they are, and, after a reason,
    whether it is supported.
    """

    text: Text
    kind: Kind
    reason: Annotated[str, Field(max_length=LONGEST_FACT_REASON), AfterValidator(clean_text)]
    supported: bool

    @field_validator("text")
    @classmethod
    def stands_in_the_reply(cls, text: str, info: ValidationInfo) -> str:
        """Refuses words that are not the reply's; `info.context` is the reply."""
        words = _visible(text)
        if not words or words not in _visible(str(info.context)):
            raise ValueError("does not stand in the reply")
        return text


class Claims(Exact):
    """All facts of a reply; there may be none."""

    facts: Annotated[list[Claim], Field(max_length=MOST_CLAIMS)]


@dataclass(frozen=True, slots=True)
class ClaimsOf:
    """`Claims` about one reply, as `LLM.ask` takes a form. All of them are one form, so they count
    as equal: their schema is made once.
    """

    reply: str = field(compare=False)

    def model_json_schema(self) -> dict:
        """That of `Claims`."""
        return Claims.model_json_schema()

    def model_validate_json(self, text: str, strict: bool) -> Claims:
        """`Claims` from JSON text; raises pydantic's ValidationError, for words that do not stand
        in the reply too.
        """
        return Claims.model_validate_json(text, strict=strict, context=self.reply)


def _visible(text: str) -> str:
    """What is left of a text without white space, characters that show nothing, and differences
    that Unicode normalisation removes.
    """
    folded = unicodedata.normalize("NFKC", text)
    return "".join(
        one
        for one in folded
        if not one.isspace() and unicodedata.category(one) not in ("Cc", "Cf", "Cs")
    )
