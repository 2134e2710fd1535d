"""The candidates with several customers as a report: the table, Kendall's tau beside it, and each
model's change against csc_conv_gen.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from csc_tasks.errors import SettingError
from csc_tasks.metrics import METRICS
from csc_tasks.metrics.live_metrics import OF_BOTH_CONTEXTS, ORDERED_BY
from csc_tasks.runs.task_record import GENERATED_TASK
from csc_tasks.shown import shown
from leaderboard.audit.candidates import Candidates, Numbers
from leaderboard.audit.survival import table_of, taus
from leaderboard.board import Value
from leaderboard.numbers.inference import clustered, paired, value_of
from leaderboard.numbers.scales import scale_of
from leaderboard.reading.audits import Badge
from leaderboard.reliability_report import Report, Section

TITLE = "The same candidates with several customers"
ORDER_TEXT = (
    "Means over conversations with 95 % intervals, on the conversations that all have. Beside them"
    " Kendall's tau-b between the orders that two customers give the models: 1 the same order, -1"
    " the reverse; its interval draws conversations anew."
)
FEW_TEXT = (
    " With few models tau has few values, and an interval of several of them says that the order is"
    " not settled."
)
TWO_TEXT = (
    " Two models can only be put the same way round or the other way round: tau is 1 or -1 and"
    " nothing between, so it says whether two customers agree on the better model, and not how"
    " nearly. An interval from -1 to 1 says that these conversations do not settle it."
)
CHANGE_TEXT = (
    "Live less csc_conv_gen, counted in the same way from both logs and paired by conversation:"
    " what changes when the customer hears what the model says. In csc_conv_gen the customer's"
    " turns are the recorded ones, whatever was asked."
)


def survival_report(
    found: Candidates, badges: Mapping[str, Badge], chosen: Sequence[str], seed: int
) -> Report:
    """The report. badges: what is said of each customer; chosen: measures that give an order.

    Raises SettingError for a measure that gives none.
    """
    if unknown := [name for name in chosen if name not in ORDERED_BY]:
        raise SettingError(f"--metric {unknown[0]}: must be one of {', '.join(ORDERED_BY)}")
    sections = [*_orders(found, badges, chosen, seed), *_changes(found)]
    left = sorted({model for model, _ in found.live} - set(found.models))
    notes = [
        f"models: {_listed(found.models)}",
        *(f"customer {shown(one)}: {badges[one].text}" for one in found.customers),
        _ranking(badges),
        *([f"not with every customer, left out: {_listed(left)}"] if left else []),
        *(
            []
            if found.generated
            else [f"no {GENERATED_TASK} of these models was given: no changes"]
        ),
    ]
    return Report(title=TITLE, notes=tuple(notes), signatures=(), sections=tuple(sections))


def _ranking(badges: Mapping[str, Badge]) -> str:
    """Which customers' orders are a ranking, in a sentence."""
    counting = sorted(customer for customer, badge in badges.items() if badge.ranked)
    if not counting:
        return "none of these customers may rank models: their orders are shown, and rank nobody"
    if len(counting) == len(badges):
        return "all of these customers may rank models"
    return f"may rank models: {_listed(counting)}; the others' orders are shown, and rank nobody"


def _orders(
    found: Candidates, badges: Mapping[str, Badge], chosen: Sequence[str], seed: int
) -> list[Section]:
    two = len(found.models) == 2
    customers = found.customers
    runs = [[found.live[model, customer] for customer in customers] for model in found.models]
    sections = []
    for measure in chosen:
        table = table_of(runs, measure)
        if not len(table):
            continue
        metric = METRICS[measure]
        rows: list[tuple[str | int | Value, ...]] = [
            (shown(model), *(_mean(table[:, i, j], measure) for j in range(len(customers))))
            for i, model in enumerate(found.models)
        ]
        agreement = taus(table, seed)
        first = customers[0]
        rows.append(
            (
                f"tau with the order of {shown(first)}",
                *("–" if j == 0 else agreement[0, j] for j in range(len(customers))),
            )
        )
        if two:
            told = [agreement[0, j] for j in range(1, len(customers))]
            rows.append(("in words", "–", *map(_in_words, told)))
        if len(customers) > 2:
            rows.append(("mean tau of all pairs", agreement[-1, -1], *["–"] * (len(customers) - 1)))
        better = "higher" if metric.higher_is_better else "lower"
        sections.append(
            Section(
                title=f"{metric.label} ({better} is better), {len(table)} conversations",
                text=ORDER_TEXT + (TWO_TEXT if two else FEW_TEXT),
                columns=(
                    "model",
                    *(f"{shown(one)} ({_short_badge(badges[one].text)})" for one in customers),
                ),
                rows=tuple(rows),
            )
        )
    return sections


def _in_words(tau: Value) -> str:
    """Tau of two models."""
    if tau.value is None or tau.low is None or tau.high is None:
        return "with one of the two customers the models are equal"
    if tau.low < tau.high:
        return "not settled"
    return "the same model first" if tau.value > 0 else "another model first"


def _short_badge(text: str) -> str:
    """The verdict of a badge alone, for the head of a column."""
    return re.split(" on |[,:(]", text.removeprefix("recorded, "), maxsplit=1)[0].strip()


def _changes(found: Candidates) -> list[Section]:
    models = [model for model in found.models if model in found.generated]
    if not models:
        return []
    rows: list[tuple[str | int | Value, ...]] = []
    for measure in OF_BOTH_CONTEXTS:
        for model in models:
            before = found.generated[model]
            changes = [
                _change(found.live[model, customer], before, measure)
                for customer in found.customers
            ]
            if any(change.value is not None for change in changes):
                ids = [id_ for id_, own in before.items() if own[measure] is not None]
                own = np.asarray([before[id_][measure] for id_ in ids], dtype=float)
                rows.append((METRICS[measure].label, shown(model), _mean(own, measure), *changes))
    return [
        Section(
            title=f"Change against {GENERATED_TASK}",
            text=CHANGE_TEXT,
            columns=("measure", "model", GENERATED_TASK, *map(shown, found.customers)),
            rows=tuple(rows),
        )
    ]


def _change(live: Numbers, generated: Numbers, measure: str) -> Value:
    shared = [
        id_
        for id_ in live
        if id_ in generated
        and live[id_][measure] is not None
        and generated[id_].get(measure) is not None
    ]
    if not shared:
        return Value(value=None, items=0, clusters=0, method="none", reason="no value")
    codes = np.arange(len(shared))
    scale = scale_of(measure)
    after, before = (
        clustered(
            np.asarray([numbers[id_][measure] for id_ in shared], dtype=float),
            codes,
            shared,
            scale=scale,
        )
        for numbers in (live, generated)
    )
    return paired(after, before)[0]


def _mean(values: np.ndarray, measure: str) -> Value:
    ids = [str(i) for i in range(len(values))]
    return value_of(clustered(values, np.arange(len(values)), ids, scale=scale_of(measure)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names))
