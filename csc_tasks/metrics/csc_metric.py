"""Every metric of the table through Hugging Face evaluate, offline: `csc metric-path` prints where
this file lies.

    metric = evaluate.load(path, "bleu_4")
    metric.compute(predictions=["您好"], references=["您好！"], language="zh")
    -> {"bleu_4": ..., "bleu_4_stderr": None, "items": 1, "signature": "bleu|ngram:4|tok:zh|..."}

The second argument is the metric's name in `csc_tasks.metrics.METRICS`. `conversation_ids`, one per
item, gives the clustered standard error; without them there is none. Learned metrics take their
settings (`bertscore_model`, `device`, `batch_size`, ...) as further arguments.
"""

from typing import Any

import datasets
import evaluate

from csc_tasks.errors import SettingError
from csc_tasks.languages.labels import strategy
from csc_tasks.metrics import METRICS, LearnedSettings

_USABLE = [name for name, metric in METRICS.items() if metric.of in ("strategy", "reply")]


class CscMetric(evaluate.Metric):  # type: ignore[misc]  # the library ships no types
    """One metric of csc-tasks. Strategy metrics take labels in any form the framework reads; "" is
    an unparsed prediction.
    """

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _USABLE:
            raise SettingError(
                f"csc_metric {self.config_name!r}: name one of {', '.join(_USABLE)}, as in"
                " evaluate.load(path, 'bleu_4')"
            )
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=METRICS[self.config_name].description,
            citation="",
            inputs_description=(
                "predictions and references: lists of text; language: zh or en; conversation_ids:"
                " optional list of text"
            ),
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(
        self,
        predictions: list[str],
        references: list[str],
        language: str,
        conversation_ids: list[str] | None = None,
        **settings: Any,
    ) -> dict[str, float | int | str | None]:
        metric = METRICS[self.config_name]
        ours: list[str] | list[str | None] = predictions
        if metric.of == "strategy":
            ours = [strategy(label).id if label else None for label in predictions]
            references = [strategy(label).id for label in references]
        # Without ids everything is one cluster, and one cluster has no standard error.
        clusters = list(conversation_ids or ["-"] * len(predictions))
        counted = [place for place, one in enumerate(ours) if metric.counts(one)]
        references, clusters = (
            [values[place] for place in counted] for values in (references, clusters)
        )
        counting = [ours[place] for place in counted]
        scores = metric.score(counting, references, language, LearnedSettings(**settings))
        estimate = metric.estimate(scores.items, clusters)
        return {
            metric.name: estimate.value,
            f"{metric.name}_stderr": estimate.stderr,
            "items": estimate.items,
            "signature": scores.signature,
        }
