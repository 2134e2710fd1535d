"""The base of reply forms, and text as they take it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from csc_tasks.llm.unwanted import control_character, loop, refusal

# Characters of a text; of one that is longer nothing else is looked at.
LONGEST_TEXT = 2000
# Of the sentence with which a judge says why.
LONGEST_REASON = 400


def clean_text(text: str) -> str:
    """`text` with its white space made single spaces; raises ValueError when there is nothing else,
    and for a control character.
    """
    text = " ".join(text.split())
    if not text:
        raise ValueError("is empty")
    if bad := control_character(text):
        raise ValueError(f"holds the control character {bad}")
    return text


def content(text: str) -> str:
    """`clean_text` of what was asked for; raises ValueError where a model declines instead, and
    where it says one thing over and over.
    """
    text = clean_text(text)
    if words := refusal(text):
        raise ValueError(f"declines instead of what was asked for ({words[:60]!r})")
    if piece := loop(text):
        raise ValueError(f"says the same over and over ({piece[:60]!r})")
    return text


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(clean_text)]
Content = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(content)]
# A judge may quote what it judges, so the words of a refusal are none here.
Reason = Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(clean_text)]


class Form(BaseModel):
    """Base of the reply forms: their docstrings are ours and do not go to the server with the
    schema.
    """

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("description", None))


class Judged(Form):
    """Base of a judge's replies: it says why before it says what. A schema lists its names in this
    order, so a model that keeps to it reasons first.
    """

    reason: Reason
