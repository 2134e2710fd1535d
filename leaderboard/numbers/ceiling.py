"""The ceiling of a table: what one rater reaches against the others, which no model can be expected
to exceed by much.

Every turn with at least two raters has one item a metric: the mean over its raters of what this one
reaches where the others are the reference. Items are clustered by conversation, as everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from csc_tasks.metrics import METRICS
from csc_tasks.metrics.rater_labels import CEILINGS, ceiling
from csc_tasks.named_strategies import raters_of
from leaderboard.board import Ceiling, Column, Value
from leaderboard.numbers.intervals import with_interval
from leaderboard.numbers.scales import scale_of

NOTE = (
    "Ceiling: one rater of a turn against its others, the mean over its raters (strategy accuracy:"
    " against the strategy that most of the others name first). It is no row of a model: a reply is"
    " compared with all raters of a turn, one rater with one fewer."
)


class Raters:
    """Looks at the raters of every turn while a samples file is read."""

    def __init__(self) -> None:
        self.conversations: list[str] = []
        self.items: dict[str, list[float]] = {name: [] for name in CEILINGS}

    def look(self, document: Mapping[str, Any], records: list[dict[str, Any]]) -> None:
        """Compare the raters of one document's turns with one another."""
        for record in records:
            if len(raters := raters_of(record)) > 1:
                self.conversations.append(record["conversation_id"])
                for name, items in self.items.items():
                    items.append(ceiling(CEILINGS[name], raters))

    def values(self) -> dict[str, Value]:
        """Metric -> the ceiling with its interval; nothing where no turn has two raters."""
        if not self.conversations:
            return {}
        return {
            name: with_interval(METRICS[name].estimate(items, self.conversations), scale_of(name))
            for name, items in self.items.items()
        }


def ceiling_of(
    runs: Iterable[tuple[Mapping[str, Value], bool]], columns: Iterable[Column]
) -> Ceiling | None:
    """The ceiling of a table's columns. runs: what each run's raters reach, and whether its
    documents are proven: such a one is taken where there is one. None where no turn has two raters.
    """
    having = sorted((run for run in runs if run[0]), key=lambda run: not run[1])
    if not having:
        return None
    reached, proven = having[0]
    values = {column.key: reached[column.metric] for column in columns if column.metric in reached}
    return Ceiling(values=values, proven=proven) if values else None
