"""One results file and its samples -> everything about one model in one task: values, sums for
comparing, diagnosis, replies to show.

This is what runs in parallel, one process per samples file; nothing in it depends on other models.
A number that can be computed again is, from the raw replies (csc_tasks.verify), and what the file
claims is only compared with it; diagnosis and samples are made of the same records.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from csc_tasks.errors import DataError
from csc_tasks.evidence import FileEvidence, Passages
from csc_tasks.metrics import Estimate, Metric
from csc_tasks.metrics.facts import has_rules
from csc_tasks.metrics.result_names import metric_of, parts_of
from csc_tasks.price import Price
from csc_tasks.runs.names import rated
from csc_tasks.runs.repeats import RATED, of_repeat
from csc_tasks.runs.results_file import Identity, Measurement
from csc_tasks.runs.samples_file import Items, Run, items_of, read_run
from csc_tasks.verify import (
    Examined,
    Print,
    References,
    Trusted,
    Verified,
    examine_run,
    prints_of,
    read_references,
    trusted_corpora,
    without_samples,
)
from leaderboard.board import Spread, Value
from leaderboard.columns import of_conversations
from leaderboard.numbers import diagnose
from leaderboard.numbers.ceiling import Raters
from leaderboard.numbers.efficiency import Timings, timings_of
from leaderboard.numbers.fact_audit import FactAuditor
from leaderboard.numbers.inference import Clustered, clustered, mean_column, value_of
from leaderboard.numbers.intervals import Scale, with_interval
from leaderboard.numbers.one_repeat import one_repeat
from leaderboard.numbers.scales import scale_of
from leaderboard.numbers.withheld import withheld


@dataclass(frozen=True, slots=True)
class Options:
    """What `csc collect` was asked for. draw: conversations in the sample. audit: whether facts are
    looked for. corpora: names of the trusted ones. references: a file of what they hold out.
    prices: of tokens, by name of a model, "" for all others.
    """

    seed: int
    draw: int
    audit: bool
    evidence: Passages
    corpora: tuple[str, ...] = ()
    references: Path | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)


@dataclass(slots=True)
class Measured:
    """One model in one task.

    verified: how far its numbers can be trusted.

    values, columns: by result name; a column exists where samples do, and only then are there
    paired comparisons. logged and means are kept for the context gap (items that are no means are
    dropped by then). unsupported: (conversation, turn) of the drawn -> facts. audited: which
    replies have any, of all of them. repeats: where it
    stands for several runs (numbers/repeats.py), these, from the oldest to the newest;
    repeat_names: what tells them apart; spreads: by result name. parts: the repeats of a run that
    asked several times (csc_repeats), each as a run of its own; the run itself has no values then.
    said: what tells its replies from those of other models. ceiling: by metric, of the raters of
    its turns (numbers/ceiling.py). timings: what its turns took.
    """

    measurement: Measurement
    verified: Verified
    values: dict[str, Value]
    columns: dict[str, Clustered] = field(default_factory=dict)
    logged: Items | None = None
    means: dict[str, np.ndarray] = field(default_factory=dict)
    unsupported: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    audited: Clustered | None = None
    diagnosis: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    repeats: tuple["Measured", ...] = ()
    repeat_names: tuple[str, ...] = ()
    spreads: dict[str, Spread] = field(default_factory=dict)
    parts: tuple["Measured", ...] = ()
    said: tuple[Print, ...] = ()
    ceiling: dict[str, Value] = field(default_factory=dict)
    timings: Timings | None = None


Rows = Mapping[Identity, Mapping[str, Measured]]
"""Model -> task -> what was measured."""
RunKey = tuple[Path, str]
"""A results file, and a task in it."""


def measure(measurement: Measurement, options: Options) -> Measured:
    """Read the samples of one measurement, if there are any, and say all there is to say about it.

    Raises DataError for samples that do not belong to the results file: another number of items, or
    another mean.
    """
    if measurement.samples is None:
        values = {name: _without_samples(measurement, name) for name in measurement.numbers}
        note = (
            f"{measurement.public_label}, {measurement.task}: no samples file beside it"
            " (--log_samples): neither compared nor diagnosed"
        )
        return Measured(measurement, without_samples(measurement), values, notes=[note])
    run = read_run(measurement.samples)
    trusted, references = _held(options.corpora, options.references)
    if options.evidence:
        trusted = replace(trusted, evidence=FileEvidence("--evidence", options.evidence))
    examined = examine_run(measurement, run, trusted, references)
    said = tuple(prints_of(measurement, run, measurement.file.name))
    if run.repeats == 1:
        one = _measured(measurement, examined, _lines(run, examined), options)
        one.said = said
        one.timings = timings_of(run, measurement.identity.name, options.prices)
        return one
    lines = list(_lines(run, examined))
    whole = Measured(measurement, examined.verified, {}, said=said)
    whole.parts = tuple(
        _measured(
            one_repeat(measurement, repeat, run.repeats),
            examined,
            (of_repeat(line, run.unit, repeat) for line in lines),
            options,
            repeat,
        )
        for repeat in range(run.repeats)
    )
    for repeat, part in enumerate(whole.parts):
        part.timings = timings_of(
            run.one_repeat(repeat), part.measurement.identity.name, options.prices
        )
    whole.notes = [note for part in whole.parts for note in part.notes]
    _check_means(whole, examined)
    return whole


def _measured(
    measurement: Measurement,
    examined: Examined,
    lines: Iterable[dict[str, Any]],
    options: Options,
    repeat: int | None = None,
) -> Measured:
    """What the lines of a run say, or of one `repeat` of it. Of repeats, facts are looked for in
    the one that is shown.
    """
    assert measurement.samples is not None
    auditors: list[FactAuditor] = []
    raters = Raters()
    without_rules = [code for code in measurement.provenance.languages if not has_rules(code)]
    audited = options.audit and measurement.about.has_replies and repeat in (None, RATED)
    if audited and not without_rules:
        auditors = [FactAuditor(measurement.about.generated, options.evidence)]
    logged = items_of(
        measurement.samples,
        enumerate(lines, 1),
        measurement.unit,
        list(measurement.numbers),
        options.draw,
        options.seed,
        [raters, *auditors],
    )
    if len(logged.conversation) != measurement.items:
        raise DataError(
            f"{measurement.samples}: {len(logged.conversation)} {measurement.unit}, and"
            f" {measurement.file.name} says {measurement.items}; the file was cut off or belongs to"
            " another run"
        )
    if examined.supplied:
        logged = replace(logged, drawn=[withheld(line) for line in logged.drawn])
    found = Measured(measurement, examined.verified, {}, logged=logged, ceiling=raters.values())
    if audited and without_rules:
        found.notes.append(
            f"{measurement.public_label}, {measurement.task}: no fact audit, there are no rules for"
            f" {', '.join(without_rules)}"
        )
    for name in measurement.numbers:
        _column(found, logged, name, name in examined.items, repeat)
    found.means = diagnose.mean_columns(logged)
    signatures = measurement.provenance.signatures
    whole = {
        name
        for name in found.means
        if of_conversations(measurement.about.generated, name, signatures.get(name, ""))
    }
    of_corpus = {
        name: partial(_of_some, logged, name)
        for name, column in found.columns.items()
        if column.statistic is not None and not parts_of(name)[2]
    }
    found.diagnosis = _diagnosis(logged, found.means, whole, of_corpus)
    for auditor in auditors if logged.lengths[:, 0].any() else []:
        found.diagnosis["facts"] = auditor.audit(logged)
        found.audited = auditor.column(logged)
        drawn = {line["doc"]["conversation_id"] for line in logged.drawn}
        found.unsupported = {key: texts for key, texts in auditor.texts.items() if key[0] in drawn}
    found.logged = replace(logged, items={})
    return found


@cache
def _held(corpora: tuple[str, ...], references: Path | None) -> tuple[Trusted, References | None]:
    """What the verifier holds, read once in a process."""
    return trusted_corpora(corpora), read_references(references) if references else None


def _lines(run: Run, examined: Examined) -> Iterator[dict[str, Any]]:
    """The lines of a samples file, with what was made again in place of what it says."""
    start = 0
    for number, line in enumerate(run.lines):
        records = examined.records[number] if examined.records else line[run.unit]
        end = start + len(records)
        id_ = line["doc"]["conversation_id"]
        made = {name: [id_, list(items[start:end])] for name, items in examined.items.items()}
        yield {**line, run.unit: list(records), **made}
        start = end


def _column(found: Measured, logged: Items, name: str, made: bool, repeat: int | None) -> None:
    """One metric's value and sums; made: whether its items were computed again here, else what is
    logged has to be what the results file says. What it says of all repeats `_check_means` checks;
    without items it stands with the repeat that is shown.
    """
    measurement = found.measurement
    stated, _ = measurement.numbers[name]
    again = found.verified.number(name).recomputed
    if again is not None and not made:
        # Not every item of it can be told, so it is shown and not compared.
        if repeat in (None, RATED):
            found.values[name] = _stated(measurement, name, (again.value, again.stderr))
        return
    items = logged.items[name]
    known = np.fromiter((item is not None for item in items), dtype=bool, count=len(items))
    where = f"{measurement.samples}: {name}"
    if not known.any():
        found.values[name] = Value(
            value=None, items=0, clusters=0, method="none", reason="no value"
        )
        return
    metric = metric_of(name)
    first = items[int(np.argmax(known))]
    if metric is None and isinstance(first, list):
        # A corpus metric that this version does not know: its number stands, but nothing can be
        # made of its items.
        if repeat not in (None, RATED):
            return
        found.values[name] = _without_samples(measurement, name)
        found.notes.append(
            f"{measurement.public_label}: {name} is no metric of this version; its value is shown"
            " as the file has it"
        )
        return
    try:
        column = _summed(logged, _known(items, known), known, metric, scale_of(name))
    except DataError as problem:
        raise DataError(f"{where}: {problem}") from None
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"{where}: its items are not numbers, or not all of one kind (the first is"
            f" {first!r:.60})"
        ) from None
    value = value_of(column)
    if repeat is None and not made and _differs(value, stated):
        found.values[name] = _without_samples(measurement, name)
        found.notes.append(_note(measurement, name, value))
        return
    found.values[name] = value
    found.columns[name] = column


def _check_means(whole: Measured, examined: Examined) -> None:
    """What was not computed again has to be the mean over the repeats that the file says."""
    m = whole.measurement
    for name, (stated, _) in m.numbers.items():
        columns = [part.columns[name] for part in whole.parts if name in part.columns]
        if name in examined.items or not columns:
            continue
        value = value_of(mean_column(columns))
        if _differs(value, stated):
            whole.notes.append(_note(m, name, value))
            for part in whole.parts:
                part.columns.pop(name, None)
                part.values.pop(name, None)
            whole.parts[RATED].values[name] = _without_samples(m, name)


def _differs(value: Value, stated: float | None) -> bool:
    return stated is not None and not _is_close(value.value, stated)


def _note(measurement: Measurement, name: str, value: Value) -> str:
    stated, _ = measurement.numbers[name]
    return (
        f"{measurement.public_label}: {name} is {stated:.6g} in the file, and {value.value:.6g} by"
        " its logged items; the file's is shown, not compared"
    )


def _is_close(value: float | None, stated: float) -> bool:
    return value is not None and math.isclose(value, stated, rel_tol=1e-6, abs_tol=1e-9)


def _summed(
    logged: Items, items: list[Any], known: np.ndarray, metric: Metric | None, scale: Scale
) -> Clustered:
    """The `items` that a mask (n,) says are known, summed per conversation."""
    codes = logged.conversation if known.all() else logged.conversation[known]
    statistic = metric.statistic if metric else None
    values = np.asarray(metric.expand(items) if metric and metric.expand else items, dtype=float)
    if values.ndim != (1 if statistic is None else 2):
        raise ValueError
    # A conversation is shared by two models when the same turns of it were scored. Mostly all are.
    members = logged.members
    if not known.all():
        turns: list[list[str]] = [[] for _ in logged.ids]
        for code, turn in zip(codes, logged.turn[known].tolist(), strict=True):
            turns[code].append(str(turn))
        members = [",".join(own) for own in turns]
    return clustered(values, codes, logged.ids, members, statistic, scale)


def _of_some(logged: Items, name: str, chosen: np.ndarray) -> Value | None:
    """A corpus metric of the items that a mask (n,) keeps; None where none of them is known."""
    items = logged.items[name]
    own = chosen & np.fromiter((item is not None for item in items), dtype=bool, count=len(items))
    if not own.any():
        return None
    return value_of(_summed(logged, _known(items, own), own, metric_of(name), scale_of(name)))


def _known(items: list[Any], known: np.ndarray) -> list[Any]:
    return [item for item, there in zip(items, known.tolist(), strict=True) if there]


def _without_samples(measurement: Measurement, name: str) -> Value:
    """A value as the results file has it. Its conversations are the documents, or for questions at
    most as many.

    Ratings are of a sample whose size is not known here (0 items): they have no interval.
    """
    return _stated(measurement, name, measurement.numbers[name])


def _stated(measurement: Measurement, name: str, pair: tuple[float | None, float | None]) -> Value:
    """A value and its standard error without the items behind it."""
    stated, error = pair
    if rated(name):
        return Value(
            value=stated,
            stderr=error,
            items=0,
            clusters=0,
            method="none",
            reason="no value" if stated is None else "sample unknown",
        )
    items = measurement.items if stated is not None else 0
    return with_interval(Estimate(stated, error, items, measurement.documents), scale_of(name))


def _diagnosis(
    logged: Items,
    means: Mapping[str, np.ndarray],
    whole: Collection[str],
    of_corpus: Mapping[str, diagnose.CorpusValue],
) -> dict[str, Any]:
    """The fields of a report's Diagnosis, apart from the fact audit."""
    fields: dict[str, Any] = {
        "breakdowns": diagnose.breakdowns(logged, means, whole, of_corpus),
        "lengths": diagnose.lengths(logged),
    }
    if not diagnose.asks_for_strategies(logged):
        return fields
    table = diagnose.confusion(logged)
    return fields | {
        "unparsed": diagnose.unparsed(logged),
        "confusion": table,
        "strategies": diagnose.strategy_scores(table),
        "transitions": diagnose.transitions(logged),
        "stage_order": diagnose.stage_order(logged),
    }
