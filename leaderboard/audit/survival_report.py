"""The candidates with several customers as a report: the table, Kendall's tau beside it, and each
model's change against csc_conv_gen.
"""

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
from leaderboard.customer_audit import CustomerAudit, badge
from leaderboard.numbers.inference import clustered, paired, value_of
from leaderboard.numbers.scales import scale_of
from leaderboard.reliability_report import Report, Section

TITLE = "The same candidates with several customers"
ORDER_TEXT = (
    "Means over conversations with 95 % intervals, on the conversations that all have. Beside them"
    " Kendall's tau-b between the orders that two customers give the models: 1 the same order, -1"
    " the reverse; its interval draws conversations anew. With few models tau has few values, and"
    " an interval of several of them says that the order is not settled."
)
CHANGE_TEXT = (
    "Live less csc_conv_gen, counted in the same way from both logs and paired by conversation:"
    " what changes when the customer hears what the model says. In csc_conv_gen the customer's"
    " turns are the recorded ones, whatever was asked."
)


def survival_report(
    found: Candidates, audits: Mapping[str, CustomerAudit], chosen: Sequence[str], seed: int
) -> Report:
    """The report. audits: of customers, by name; chosen: measures that give an order.

    Raises SettingError for a measure that gives none.
    """
    if unknown := [name for name in chosen if name not in ORDERED_BY]:
        raise SettingError(f"--metric {unknown[0]}: must be one of {', '.join(ORDERED_BY)}")
    sections = [*_orders(found, audits, chosen, seed), *_changes(found)]
    left = sorted({model for model, _ in found.live} - set(found.models))
    notes = [
        f"models: {_listed(found.models)}",
        *(f"customer {shown(one)}: {_badge(audits, one)}" for one in found.customers),
        *([f"not with every customer, left out: {_listed(left)}"] if left else []),
        *(
            []
            if found.generated
            else [f"no {GENERATED_TASK} of these models was given: no changes"]
        ),
    ]
    return Report(title=TITLE, notes=tuple(notes), signatures=(), sections=tuple(sections))


def _badge(audits: Mapping[str, CustomerAudit], customer: str) -> str:
    return badge(audits[customer]) if customer in audits else "not audited"


def _orders(
    found: Candidates, audits: Mapping[str, CustomerAudit], chosen: Sequence[str], seed: int
) -> list[Section]:
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
        if len(customers) > 2:
            rows.append(("mean tau of all pairs", agreement[-1, -1], *["–"] * (len(customers) - 1)))
        better = "higher" if metric.higher_is_better else "lower"
        sections.append(
            Section(
                title=f"{metric.label} ({better} is better), {len(table)} conversations",
                text=ORDER_TEXT,
                columns=(
                    "model",
                    *(
                        f"{shown(one)} ({_badge(audits, one).partition(':')[0]})"
                        for one in customers
                    ),
                ),
                rows=tuple(rows),
            )
        )
    return sections


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
