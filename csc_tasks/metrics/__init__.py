"""Metrics: what each is given, where it applies, which way is up, how its corpus value is made and
how it is shown.

A metric function takes (predictions, references, language), all of one language, and returns
`Scores`: an entry per item and a signature; one that needs weights or data takes `settings` too,
and `Metric.score` calls either kind. `Metric.estimate` turns those entries, fresh or read back from
logged samples, into a value with a clustered standard error. Adding a metric is one function and
one entry in `csc_tasks.metrics.record_metrics` or `text_metrics`.
"""

from csc_tasks.metrics.cluster import Estimate, Scores, estimate, jackknife
from csc_tasks.metrics.learned import LearnedSettings
from csc_tasks.metrics.metric import Metric
from csc_tasks.metrics.selection import select
from csc_tasks.metrics.table import (
    ASKED_AGAIN,
    DIALOGUE,
    METRICS,
    UNSUPPORTED_FACTS,
    WITH_PASSAGES,
)

__all__ = [
    "ASKED_AGAIN",
    "DIALOGUE",
    "METRICS",
    "UNSUPPORTED_FACTS",
    "WITH_PASSAGES",
    "Estimate",
    "LearnedSettings",
    "Metric",
    "Scores",
    "estimate",
    "jackknife",
    "select",
]
