"""Which metrics a task has a number of: the one rule of the tasks when they run, of csc score and
of csc verify. What else a record must hold (passages, labels, a second try) the `per` and `of` of
a metric say.
"""

from collections.abc import Iterable

from csc_tasks.metrics import DIALOGUE, Metric
from csc_tasks.runs.task_record import ANSWERS, LIVE, TURNS, TaskRecord

KIND_OF = {TURNS: "turn", ANSWERS: "answer", LIVE: DIALOGUE}
"""The unit of a task -> the kind of its items, as a metric's `per` calls it."""
_TOLD = ("vanilla", "oracle")
"""The variants in which the model is asked for no strategy: there is none, or it is given."""


def why_not(metric: Metric, about: TaskRecord) -> str:
    """Why a task has no such number of its items; "" where it has."""
    if not about.has_replies and not metric.of_choice and metric.name != "failed":
        return "a choice by log-likelihood has no reply"
    if about.variant in _TOLD and (metric.of_choice or metric.name == "unparsed"):
        return "this task asks for no strategy"
    if metric.of_format and not about.has_format:
        return "no format decides what its strategies are"
    return ""


def applying(metrics: Iterable[Metric], about: TaskRecord) -> list[Metric]:
    """Those that the task has a number of."""
    return [metric for metric in metrics if not why_not(metric, about)]
