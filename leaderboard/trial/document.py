"""A trial as data: what its page and its sentence say, with every number of every candidate."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from leaderboard.board import Value
from leaderboard.numbers.efficiency import efficiency
from leaderboard.numbers.inference import value_of
from leaderboard.numbers.measured import Measured
from leaderboard.trial.decision import Decision

UNSUPPORTED = "replies_with_unsupported_facts"
"""Named so among a candidate's metrics: the share of replies with a fact that nothing supports."""


def numbers_of(run: Measured) -> dict[str, Value]:
    """Name -> number of a candidate in one task: its metrics, on their own scales, and what the
    backend told of latency (seconds), tokens and cost.
    """
    numbers = {name: value for name, value in run.values.items() if value.value is not None}
    if run.audited is not None:
        numbers[UNSUPPORTED] = value_of(run.audited)
    if run.timings is not None:
        numbers |= efficiency("", "", "", run.timings).numbers
    return numbers


def as_document(decision: Decision, runs: Mapping[str, Mapping[str, Measured]]) -> dict[str, Any]:
    """What `csc trial --json` prints. runs: candidate -> task -> run. A pair is ahead on the
    metric's own scale, positive where the first is better; more_conversations would tell the two
    apart, null where no number can be named.
    """
    column = decision.column
    return {
        "sentence": decision.sentence,
        "chosen": decision.chosen,
        "task": column.task,
        "metric": column.metric,
        "column": column.key,
        "higher_is_better": column.higher_is_better,
        "scale": column.scale,
        "why": decision.why,
        "candidates": [
            {
                "name": name,
                "value": value.model_dump(mode="json"),
                "tasks": {
                    task: {
                        number: one.model_dump(mode="json")
                        for number, one in numbers_of(run).items()
                    }
                    for task, run in runs[name].items()
                },
            }
            for name, value in decision.order.items()
        ],
        "pairs": [
            {
                "better": one,
                "than": other,
                **asdict(pair.gap),
                "significant": pair.gap.significant,
                "more_conversations": pair.more,
            }
            for (one, other), pair in decision.pairs.items()
        ],
    }
