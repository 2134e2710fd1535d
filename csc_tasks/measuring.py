"""The metrics over records (csc_tasks/records.py), for the tasks, the baselines and re-scoring."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csc_tasks.metrics import METRICS, Estimate, LearnedSettings, Metric
from csc_tasks.metrics.consistency import OF, Consistency, pass_k, worst_of_k
from csc_tasks.metrics.metric import LABELS
from csc_tasks.metrics.needed import check_there
from csc_tasks.metrics.result_names import in_language, normalised
from csc_tasks.named_strategies import named_strategies, raters_of

log = logging.getLogger("lm_eval.csc_tasks")


@dataclass(frozen=True, slots=True)
class Column:
    """One metric over a list of records. `items[i]` belongs to record i; None where the metric has
    nothing to say about it.
    """

    metric: Metric
    items: list[Any]

    def estimate(self, clusters: Sequence[str], repeats: Sequence[int] | None = None) -> Estimate:
        """Corpus value and standard error, clustered by `clusters[i]` (conversation ids); items
        that are None stand aside. `repeats[i]` is the repeat that record i is of: the value is the
        mean over them.
        """
        known = [i for i, item in enumerate(self.items) if item is not None]
        return self.metric.estimate(
            [self.items[i] for i in known],
            [clusters[i] for i in known],
            None if repeats is None else [repeats[i] for i in known],
        )


def keys(
    metrics: Sequence[Metric], languages: Sequence[str]
) -> dict[str, tuple[Metric, str | None]]:
    """Result names: a text metric stands once per language of a mixed corpus (`bleu_4_zh`,
    `bleu_4_en`), all else once.
    """
    named: dict[str, tuple[Metric, str | None]] = {}
    for metric in metrics:
        if metric.by_language and len(languages) > 1:
            named |= {
                in_language(metric.name, language): (metric, language) for language in languages
            }
        else:
            named[metric.name] = (metric, None)
    return named


def measure(
    records: Sequence[Mapping[str, Any]],
    metrics: Sequence[Metric],
    languages: Sequence[str],
    learned: LearnedSettings | None = None,
) -> dict[str, Column]:
    """Every metric over every record, one call per metric and language."""
    columns = {}
    for name, (metric, only) in keys(metrics, languages).items():
        items: list[Any] = [None] * len(records)
        for language in [only] if only else languages:
            where = [
                i
                for i, record in enumerate(records)
                if record["language"] == language and _given(metric, record) is not None
            ]
            predictions, references = (
                zip(*(_given(metric, records[i]) for i in where), strict=True)
                if where
                else ((), ())
            )
            for i, item in zip(
                where, metric.score(predictions, references, language, learned).items, strict=True
            ):
                items[i] = item
        columns[name] = Column(metric, items)
    return columns


def measure_choices(
    records: Sequence[Mapping[str, Any]], metrics: Sequence[Metric], languages: Sequence[str]
) -> dict[str, Column]:
    """As `measure` for records of strategy choice, which hold two answers: by sum, and by
    length-normalised likelihood (`_norm`).
    """
    normed = [{**record, "strategy": record["strategy_norm"]} for record in records]
    columns = measure(records, metrics, languages)
    return columns | {
        normalised(name): column
        for name, column in measure(normed, _strategies(metrics), languages).items()
    }


def check_ready(
    metrics: Sequence[Metric], languages: Sequence[str], learned: LearnedSettings | None = None
) -> None:
    """Raise now what measuring would raise later for want of a library, weights or data; of several
    models that are missing all are named, and none is loaded before.
    """
    models = check_there(metrics, languages, learned)
    if models:
        log.info("the metrics need %s", "; ".join(one.line() for one in models))
    for metric in metrics:
        for language in languages:
            metric.ready(language, learned)


def signatures(
    metrics: Sequence[Metric], languages: Sequence[str], learned: LearnedSettings | None = None
) -> dict[str, str]:
    """What each result name measured exactly, without measuring anything."""
    return {
        name: metric.score([], [], only or languages[0], learned).signature
        for name, (metric, only) in keys(metrics, languages).items()
    }


def signatures_of_choices(metrics: Sequence[Metric], languages: Sequence[str]) -> dict[str, str]:
    """As `signatures`, for the columns of `measure_choices`."""
    plain = signatures(_strategies(metrics), languages)
    summed = {name: f"{signature}|likelihood:sum" for name, signature in plain.items()}
    normed = {
        normalised(name): f"{signature}|likelihood:per-character"
        for name, signature in plain.items()
    }
    return signatures(metrics, languages) | summed | normed


def _strategies(metrics: Sequence[Metric]) -> list[Metric]:
    return [metric for metric in metrics if metric.of_choice]


def without_strategies(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that make sense for replies that were asked for without a strategy."""
    return [
        metric for metric in metrics if not metric.of_choice and metric is not METRICS["unparsed"]
    ]


def _given(metric: Metric, record: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """(prediction, reference) for `metric`, or None where the record does not know."""
    if metric.of == "strategy":
        gold = record["gold_strategy"]
        return (record["strategy"], gold) if gold and metric.counts(record["strategy"]) else None
    if metric.of == LABELS:
        raters = raters_of(record)
        return (named_strategies(record), raters) if raters else None
    if metric.of == "flag":
        flag = record.get(metric.name)
        return None if flag is None else (flag, None)
    if not record["reference"]:
        return None
    return record["reply"], record["reference"]


def repeats_of(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which repeat of its run each record is of."""
    return [record.get("repeat", 0) for record in records]


def consistency_names(repeats: int) -> list[Consistency]:
    """What a run that asked several times says of its strategy accuracy."""
    return [Consistency(OF, kind, repeats) for kind in ("pass", "worst") if repeats > 1]


def consistency_columns(
    columns: Mapping[str, Column], records: Sequence[Mapping[str, Any]]
) -> dict[str, Column]:
    """pass^k and worst-of-k of strategy accuracy over records of k repeats; nothing of one. What
    is said of a turn stands at its first record, what is said of a conversation at the first of its
    records that says something; the others are None.
    """
    repeats = len(set(repeats_of(records)))
    if repeats < 2 or OF not in columns:
        return {}
    metric, right = columns[OF].metric, columns[OF].items
    turns: dict[tuple[str, int], list[int]] = {}
    conversations: dict[str, list[list[int]]] = {}
    for place, record in enumerate(records):
        own = turns.setdefault((record["conversation_id"], record["turn"]), [])
        if not own:
            conversations.setdefault(record["conversation_id"], []).append(own)
        own.append(place)
    if any(len(own) != repeats for own in turns.values()):
        return {}  # which only a changed file has
    passed: list[float | None] = [None] * len(records)
    worst: list[float | None] = [None] * len(records)
    for every in conversations.values():
        # Whether a turn whose strategy is held out was right is not known.
        asked = [own for own in every if all(right[place] is not None for place in own)]
        if not asked:
            continue
        table = np.array([[right[place] for place in own] for own in asked], dtype=float).T
        for own, item in zip(asked, pass_k(table, repeats).tolist(), strict=True):
            passed[own[0]] = item
        worst[asked[0][0]] = float(worst_of_k(table.mean(axis=1)[:, None], repeats)[0])
    names = [one.name for one in consistency_names(repeats)]
    return {names[0]: Column(metric, passed), names[1]: Column(metric, worst)}


class Aggregate:
    """lm_eval's aggregation: the documents' items -> one number. "N/A" where the number is not
    defined. repeats: how often each document was asked; its items stand one repeat after another.
    """

    def __init__(self, metric: Metric, what: str, repeats: int = 1) -> None:
        self.metric = metric
        self.what = what
        self.repeats = repeats

    def __call__(self, documents: Sequence[tuple[str, Sequence[Any]]]) -> float | str:
        items: list[Any] = []
        clusters: list[str] = []
        repeats: list[int] = []
        for conversation_id, values in documents:
            items += values
            clusters += [conversation_id] * len(values)
            each = len(values) // self.repeats
            repeats += [position // each for position in range(len(values))]
        estimated = Column(self.metric, items).estimate(clusters, repeats)
        value: float | None = getattr(estimated, self.what)
        return "N/A" if value is None else value
