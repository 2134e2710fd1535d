"""The replies of judges that count: every item asked for, by its id, in range, and nothing else."""

from functools import cache
from typing import Literal

from pydantic import ConfigDict, Field, create_model

from builders.llm.forms import Form


class Exact(Form):
    """A form without room for anything that was not asked for."""

    model_config = ConfigDict(extra="forbid")


class Choice(Exact):
    """Which of two is better."""

    better: Literal["first", "second", "tie"]


@cache
def rating_form(dimensions: tuple[str, ...]) -> type[Exact]:
    """A whole number 0..100 for each of the dimensions, by its name."""
    return create_model("Ratings", __base__=Exact, **{name: (int, Field(ge=0, le=100)) for name in dimensions})
