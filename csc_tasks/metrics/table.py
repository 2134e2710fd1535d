"""The one table of metrics, in the order of the result tables: of turns and records
(record_metrics.py), of texts (text_metrics.py), and of live conversations (live_metrics.py).
"""

from csc_tasks.metrics.live_metrics import DIALOGUE, LIVE_METRICS
from csc_tasks.metrics.metric import Metric
from csc_tasks.metrics.record_metrics import (
    ASKED_AGAIN,
    RECORD_METRICS,
    UNSUPPORTED_FACTS,
    WITH_PASSAGES,
)
from csc_tasks.metrics.text_metrics import TEXT_METRICS

__all__ = ["ASKED_AGAIN", "DIALOGUE", "METRICS", "UNSUPPORTED_FACTS", "WITH_PASSAGES"]

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in RECORD_METRICS + TEXT_METRICS + LIVE_METRICS
}
"""Every metric by name, in the order of the tables."""
