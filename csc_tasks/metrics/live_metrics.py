"""Metrics of live conversations. What each counts is worked out by csc_tasks/live/measures.py and
stands in the record; here is what it means.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.metric import SHARE, Metric

DIALOGUE = "dialogue"
"""The kind of a live conversation, which is one item."""


def number(name: str, most: float) -> Callable[..., Scores]:
    """The metric function of a number that stands in the record under the metric's name.

    The function raises DataError for a value that is not a finite number from 0 to `most`.
    """

    def numbers(
        predictions: list[float], references: Sequence[object] | None = None, language: str = ""
    ) -> Scores:
        for i, value in enumerate(predictions):
            if not isinstance(value, int | float) or not 0 <= value <= most or value == math.inf:
                raise DataError(
                    f"scored item {i}: {name} is {value!r}; a number from 0 to {most:g} is needed"
                )
        return Scores([float(value) for value in predictions], f"{name}|live:2")

    return numbers


def _live(
    *, name: str, better: bool = True, ranked: bool = False, most: float = 1.0, **row: Any
) -> Metric:
    """A number of the record: a share unless the row says otherwise."""
    fields: dict[str, Any] = {
        **SHARE,
        "of": "flag",
        "per": (DIALOGUE,),
        "range": (0.0, most),
        "headline": ranked,
    }
    return Metric(
        name=name,
        function=number(name, most),
        higher_is_better=better,
        ranked=ranked,
        **(fields | row),
    )


LIVE_METRICS = (
    _live(
        name="goal_reached",
        label="Goal reached",
        description=(
            "Share of live conversations whose customer says that it reached its aim (higher is"
            " better, 0-1; N/A where the customer gives no verdict, as a recorded one); a simulated"
            " one may be too easily content."
        ),
        order=10,
        ranked=True,
    ),
    _live(
        name="goal_by_rule",
        label="Goal by rule",
        description=(
            "Share of live conversations in which the customer told all that the recorded supporter"
            " needed, and something was done, explained or suggested after that (higher is better,"
            " 0-1; N/A where nothing was needed); a wrong solution counts too."
        ),
        order=12,
        ranked=True,
    ),
    _live(
        name="satisfied",
        label="Satisfied",
        description=(
            "Share of live conversations that the customer ends satisfied (higher is better, 0-1);"
            " a recorded customer does when it has said its last words."
        ),
        order=14,
    ),
    _live(
        name="gave_up",
        label="Gave up",
        description=(
            "Share of live conversations in which the customer gives up (lower is better, 0-1);"
            " some customers cannot be helped."
        ),
        order=16,
        better=False,
    ),
    _live(
        name="transferred",
        label="Transferred",
        description=(
            "Share of live conversations that end with a transfer (lower is better, 0-1); it may be"
            " right."
        ),
        order=18,
        better=False,
    ),
    _live(
        name="capped",
        label="Cut by the cap",
        description=(
            "Share of live conversations that the cap on turns ended (lower is better, 0-1);"
            " depends on csc_max_turns."
        ),
        order=20,
        better=False,
    ),
    _live(
        name="live_turns",
        label="Turns",
        description=(
            "Supporter turns of a live conversation (lower is better where the goal is reached, 0"
            " to csc_max_turns); giving up is short too."
        ),
        order=22,
        better=False,
        most=math.inf,
        unit="supporter turns",
        scale=1.0,
    ),
    _live(
        name="in_stage_order",
        label="In stage order",
        description=(
            "Share of live conversations whose strategies can be read without a step back to an"
            " earlier stage (higher is better, 0-1); one step back counts like ten."
        ),
        order=24,
    ),
    _live(
        name="strategies_used",
        label="Strategies used",
        description=(
            "Different strategies of a live conversation (neither way is better, 0-12); says"
            " nothing of their order."
        ),
        order=26,
        most=12.0,
        unit="strategies",
        scale=1.0,
    ),
    _live(
        name="no_strategy",
        label="Without strategy",
        description=(
            "Share of supporter turns of a live conversation that name no single known strategy"
            " (lower is better, 0-1); one that is named may still not fit."
        ),
        order=28,
        better=False,
    ),
    _live(
        name="repeated_questions",
        label="Repeated questions",
        description=(
            "Share of supporter turns of a live conversation with a question that was asked before,"
            " in nearly the same words (lower is better, 0-1); asking again may be needed."
        ),
        order=30,
        better=False,
        ranked=True,
    ),
    _live(
        name="facts_asked_again",
        label="Facts asked again",
        description=(
            "Share of supporter turns of a live conversation that ask for what the customer has"
            " told (lower is better, 0-1; N/A where the brief has nothing to ask for); slots are"
            " found by word lists."
        ),
        order=32,
        better=False,
        ranked=True,
    ),
    _live(
        name="live_unsupported",
        label="Unsupported facts, live",
        description=(
            "Share of supporter turns of a live conversation with a fact (name, number, amount,"
            " date or code) that the customer has not said, by rule (lower is better, 0-1; N/A for"
            " languages without fact rules); what the company knows counts too."
        ),
        order=34,
        better=False,
    ),
    _live(
        name="unfit",
        label="Nothing fits",
        description=(
            "Share of the turns of a recorded customer at which nothing that it has to say fits"
            " (lower is better, 0-1; N/A for other customers); it measures the customer as much as"
            " the model."
        ),
        order=36,
        better=False,
    ),
    _live(
        name="customer_failed",
        label="Customer failed",
        description=(
            "Share of live conversations that stop because the customer's model gave no usable"
            " answer (lower is better, 0-1); beside it they count in what was said alone."
        ),
        order=38,
        better=False,
    ),
)

ORDERED_BY = ("goal_by_rule", "goal_reached", "repeated_questions", "facts_asked_again")
"""Measures that candidates are put in order by."""
OF_BOTH_CONTEXTS = (
    *("goal_by_rule", "in_stage_order", "no_strategy", "strategies_used"),
    *("repeated_questions", "facts_asked_again", "live_unsupported"),
)
"""Measures that mean the same where the customer's turns are recorded and hear nothing."""
