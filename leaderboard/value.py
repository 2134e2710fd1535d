"""One number of a board, with its interval; and what all models of a board's files refuse."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Method = Literal["t", "logit", "log", "exact", "bootstrap", "none"]
Reason = Literal[
    "no value", "one conversation", "few conversations", "no variation", "sample unknown"
]


class Strict(BaseModel):
    """Base of all: unknown fields, coerced types and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Value(Strict):
    """A number with its clustered standard error and 95 % interval; None where undefined (never 0).

    method: how the interval was made (leaderboard/numbers/intervals.py): "t" on the value's own
    scale, "logit" or "log" by t on that scale of a bounded value, "exact" where nothing varies,
    "bootstrap" over conversations, or "none". reason: why there is none.
    """

    value: float | None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    items: int
    clusters: int
    method: Method = "t"
    reason: Reason | None = None
