"""Which values a column of results can have."""

from csc_tasks.metrics.result_names import metric_of
from csc_tasks.runs.names import PEOPLE, rated
from leaderboard.numbers.intervals import SHARE, UNBOUNDED, Scale

JUDGED, BY_PEOPLE = Scale(0.0, 100.0), Scale(1.0, 5.0)


def scale_of(name: str) -> Scale:
    """The scale of a result name: its metric's range, or that of the ratings it holds; no bounds
    where this version knows none of that name.
    """
    if part := rated(name):
        if part.share:
            return SHARE
        return BY_PEOPLE if part.rater == PEOPLE else JUDGED
    metric = metric_of(name)
    if metric is None:
        return UNBOUNDED
    return Scale(*metric.range, corpus=metric.statistic is not None)
