"""The base of reply forms, and text as they take it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def clean_text(text: str) -> str:
    """`text` with its white space made single spaces; raises ValueError when there is none."""
    text = " ".join(text.split())
    if not text:
        raise ValueError("is empty")
    return text


Text = Annotated[str, AfterValidator(clean_text)]


class Form(BaseModel):
    """Base of the reply forms: their docstrings are ours and do not go to the server with the
    schema.
    """

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("description", None))
