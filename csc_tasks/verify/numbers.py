"""Every number of a task: computed again where it needs no weights, and where it does, held to its
range and to the items that are logged for it.

Two numbers are the same within a relative and absolute tolerance of 1e-6: files hold all digits, so
what differs honestly is the order in which processors and library versions sum.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from csc_tasks.errors import MissingExtra, ModelError
from csc_tasks.measuring import Column, consistency_columns, measure, measure_choices, repeats_of
from csc_tasks.metrics import ASKED_AGAIN, METRICS, WITH_PASSAGES, Metric
from csc_tasks.metrics.consistency import OF, consistency
from csc_tasks.metrics.result_names import metric_of, normalised, parts_of
from csc_tasks.runs.applying import KIND_OF, why_not
from csc_tasks.runs.names import rated, rating_range
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import TaskRecord
from csc_tasks.verify.verdict import Finding, Number, Pair, Trust

TOLERANCE = 1e-6
LARGEST = 1e300
WITHOUT_WEIGHTS = ("meteor",)
"""Metrics that have something to check first (word lists), and still need no weights."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one task, each with how far it can be trusted, and what is wrong with them.

    items: result name -> what was computed again, one item per record.
    """

    numbers: tuple[Number, ...]
    findings: tuple[Finding, ...]
    items: Mapping[str, Sequence[object]] = field(default_factory=dict)


def claimed_numbers(measurement: Measurement) -> Numbers:
    """The numbers of a task without samples: claimed, and held to their ranges."""
    numbers, findings = [], []
    for name, claimed in _claims(measurement):
        numbers.append(Number(name, claimed, None, Trust.CLAIMED))
        findings += _implausible(measurement, name, claimed)
    return Numbers(tuple(numbers), (*findings, *_directions(measurement)))


def check_numbers(
    run: Run,
    measurement: Measurement,
    about: TaskRecord,
    records: Sequence[Mapping[str, object]],
    languages: Sequence[str],
    trusted: bool,
    as_run: Sequence[Mapping[str, object]] | None = None,
    passages: bool = True,
) -> Numbers:
    """Compare every claimed number, and the items logged for it, with those of `records`.

    languages: of the task. trusted: whether the records are proven, so that what is computed here
    is re-scored. as_run: where references were held out of the run and are in `records` now, the
    same records without these: what the run claims is held to them. passages: whether what is
    counted with passages can be trusted.
    """
    comparison = _Comparison(run, measurement, about, records, languages, trusted, as_run)
    comparison.passages = passages
    return comparison.all()


class _Comparison:
    def __init__(
        self,
        run: Run,
        measurement: Measurement,
        about: TaskRecord,
        records: Sequence[Mapping[str, object]],
        languages: Sequence[str],
        trusted: bool,
        as_run: Sequence[Mapping[str, object]] | None,
    ) -> None:
        self.run = run
        self.measurement = measurement
        self.about = about
        self.records = records
        self.languages = languages
        self.trusted = trusted
        self.as_run = as_run
        self.passages = True
        self.kinds = {KIND_OF[about.unit]}
        if any("passages" in record for record in records):
            self.kinds.add(WITH_PASSAGES)
        if any("reasked" in record for record in records):
            self.kinds.add(ASKED_AGAIN)
        self.findings: list[Finding] = []
        self.items: dict[str, Sequence[object]] = {}

    def all(self) -> Numbers:
        counted = len(self.records)
        if self.measurement.items != counted:
            self.add(
                self.about.unit,
                f"{self.measurement.items:,}",
                f"{counted:,}",
                "the file counts another number than its samples have",
            )
        numbers = [self.number(name, claimed) for name, claimed in _claims(self.measurement)]
        findings = (*self.findings, *_directions(self.measurement))
        return Numbers(tuple(numbers), findings, self.items)

    def number(self, name: str, claimed: Pair) -> Number:
        self.findings += _implausible(self.measurement, name, claimed)
        metric = metric_of(name)
        if metric is None:
            of_repeats = consistency(name)
            return self.of_repeats(name, claimed) if of_repeats else self.claimed(name, claimed)
        if reason := _does_not_apply(name, metric, self.about, self.kinds, self.languages):
            self.items[name] = [None] * len(self.records)
            if claimed.value is not None:
                self.add(name, _shown(claimed.value), "N/A", reason)
            return Number(
                name,
                claimed,
                Pair(None, None),
                Trust.RESCORED if self.trusted else Trust.CLAIMED,
            )
        if metric.check is not None and metric.name not in WITHOUT_WEIGHTS:
            return self.learned(name, metric, claimed)
        try:
            column = self.column(name, metric, self.records)
            claims = self.column(name, metric, self.as_run) if self.as_run else column
        except (MissingExtra, ModelError) as error:
            self.add(name, "", "", f"cannot be computed here: {error}", contradicts=False)
            return self.learned(name, metric, claimed)
        made = self.estimated(column)
        self.items[name] = column.items
        self.compare(name, claimed, self.estimated(claims) if self.as_run else made)
        self.compare_items(name, claims.items)
        proven = self.trusted and (self.passages or metric.per != (WITH_PASSAGES,))
        return Number(name, claimed, made, Trust.RESCORED if proven else Trust.CLAIMED)

    def of_repeats(self, name: str, claimed: Pair) -> Number:
        """What a run that asked several times says of its strategy accuracy over the repeats."""
        column = self.consistent(name, self.records)
        claims = self.consistent(name, self.as_run) if self.as_run else column
        if column is None or claims is None:
            self.add(name, _shown(claimed.value), "N/A", "the run has no repeats of this number")
            return Number(name, claimed, Pair(None, None), Trust.CLAIMED)
        made = self.estimated(column)
        self.items[name] = column.items
        self.compare(name, claimed, self.estimated(claims))
        self.compare_items(name, claims.items)
        return Number(name, claimed, made, Trust.RESCORED if self.trusted else Trust.CLAIMED)

    def consistent(self, name: str, records: Sequence[Mapping[str, object]]) -> Column | None:
        """A number over repeats, None where there is none of this name."""
        if _does_not_apply(OF, METRICS[OF], self.about, self.kinds, self.languages):
            return None
        accuracy = {OF: self.column(OF, METRICS[OF], records)}
        return consistency_columns(accuracy, records).get(name)

    def claimed(self, name: str, claimed: Pair) -> Number:
        if rated(name) is None:
            self.add(
                name,
                _shown(claimed.value),
                "",
                "this version knows no metric of this name",
                contradicts=False,
            )
        else:
            self.in_range(name, *rating_range(name))
        return Number(name, claimed, None, Trust.CLAIMED)

    def learned(self, name: str, metric: Metric, claimed: Pair) -> Number:
        """What cannot be computed here still has to be what its own items say."""
        # Range and mean are of plain numbers; summed statistics are the metric's own business.
        items = None if metric.statistic else self.in_range(name, *metric.range)
        if items is not None:
            self.compare(name, claimed, self.estimated(Column(metric, items)))
        return Number(name, claimed, None, Trust.CLAIMED)

    def in_range(self, name: str, least: float, most: float) -> list[object] | None:
        """The items logged for a number, None where they are not numbers of its range."""
        items = self.logged(name)
        if items is None:
            return None
        wrong = [
            item
            for item in items
            if item is not None and not (_is_number(item) and least <= float(str(item)) <= most)
        ]
        if wrong:
            self.add(
                f"{name} items",
                f"{wrong[0]!r:.40}",
                f"{least:g} to {most:g}",
                f"{len(wrong):,} items are no numbers of its range",
            )
            return None
        return items

    def column(self, name: str, metric: Metric, records: Sequence[Mapping[str, object]]) -> Column:
        """A metric over records, or over those of the language that the result name says."""
        _, language, norm = parts_of(name)
        if norm:
            columns = measure_choices(records, [metric], self.languages)
            return columns[normalised(metric.name)]
        spoken = [language] if language else sorted({str(r["language"]) for r in records})
        for one in spoken:
            metric.ready(one)
        places = [i for i, r in enumerate(records) if r["language"] in spoken]
        some = [records[i] for i in places]
        if not some:
            return Column(metric, [None] * len(records))
        part = _one(measure(some, [metric], spoken))
        items: list[object] = [None] * len(records)
        for place, item in zip(places, part.items, strict=True):
            items[place] = item
        return Column(metric, items)

    def estimated(self, column: Column) -> Pair:
        clusters = [str(record["conversation_id"]) for record in self.records]
        made = column.estimate(clusters, repeats_of(self.records))
        return Pair(made.value, made.stderr)

    def compare(self, name: str, claimed: Pair, made: Pair) -> None:
        for what, ours, theirs in (
            (name, claimed.value, made.value),
            (f"{name} stderr", claimed.stderr, made.stderr),
        ):
            if not _same(ours, theirs):
                self.add(what, _shown(ours), _shown(theirs), "not what its samples give")

    def logged(self, name: str) -> list[object] | None:
        """The items logged for a number, one per record; None (and a finding) where there are not
        as many.
        """
        items: list[object] = []
        for line in self.run.lines:
            entry = line.get(name)
            own = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
            if not isinstance(own, list) or len(own) != len(line[self.about.unit]):
                self.add(
                    f"{name} items",
                    f"{own!r:.40}",
                    f"{len(line[self.about.unit])} items",
                    f"not one item per record in {line['doc'].get('conversation_id')}",
                )
                return None
            items += own
        if len(items) != len(self.records):  # records that are not due, which is a finding already
            return None
        return items

    def compare_items(self, name: str, made: Sequence[object]) -> None:
        items = self.logged(name)
        if items is None:
            return
        places = [
            i
            for i, (ours, theirs) in enumerate(zip(items, made, strict=True))
            if not _same_item(ours, theirs)
        ]
        if places:
            first = self.records[places[0]]
            self.add(
                f"{name} items",
                f"{items[places[0]]!r:.40}",
                f"{made[places[0]]!r:.40}",
                f"{len(places):,} items are not what the samples give, first"
                f" {first['conversation_id']} turn {first['turn']}",
            )

    def add(
        self, item: str, claimed: str, recomputed: str, sentence: str, contradicts: bool = True
    ) -> None:
        self.findings.append(
            Finding(self.run.task, item, claimed, recomputed, sentence, contradicts)
        )


def _claims(measurement: Measurement) -> list[tuple[str, Pair]]:
    return [(name, Pair(*pair)) for name, pair in measurement.numbers.items()]


def _does_not_apply(
    name: str, metric: Metric, about: TaskRecord, kinds: set[str], languages: Sequence[str]
) -> str:
    """Why a task with these kinds of items has no such number; "" where it has."""
    _, language, norm = parts_of(name)
    if not kinds & {*metric.per}:
        return f"needs what {about.unit} do not have"
    if reason := why_not(metric, about):
        return reason
    if norm and (about.has_replies or not metric.of_choice):
        return "only a choice by log-likelihood has a normalised one"
    if language and not metric.by_language:
        return "this metric is not reported by language"
    if language and language not in languages:
        return f"no document is in this language ({', '.join(languages)})"
    return ""


def _implausible(measurement: Measurement, name: str, claimed: Pair) -> list[Finding]:
    """A value outside the range of its metric, or a standard error that none can be."""
    metric, found = metric_of(name), []
    rating = rated(name)
    least, most = -math.inf, math.inf
    if metric is not None:
        least, most = metric.range
    elif rating is not None:
        least, most = rating_range(name)
    slack = TOLERANCE * max(1.0, most if math.isfinite(most) else 1.0)
    if claimed.value is not None and not least - slack <= claimed.value <= most + slack:
        found.append(
            Finding(
                measurement.task,
                name,
                _shown(claimed.value),
                f"{least:g} to {most:g}",
                "outside the range of this metric",
            )
        )
    if claimed.stderr is not None and claimed.stderr < 0:
        found.append(
            Finding(
                measurement.task,
                f"{name} stderr",
                _shown(claimed.stderr),
                "at least 0",
                "a standard error is never negative",
            )
        )
    return found


def _directions(measurement: Measurement) -> list[Finding]:
    return [
        Finding(
            measurement.task,
            f"{name} higher_is_better",
            str(up).lower(),
            str(metric.higher_is_better).lower(),
            "which way is up is the metric's, not the file's",
        )
        for name, up in measurement.higher.items()
        if (metric := metric_of(name)) is not None and metric.higher_is_better != up
    ]


def _one(columns: Mapping[str, Column]) -> Column:
    (column,) = columns.values()
    return column


def _is_number(value: object) -> bool:
    """Whether it is a number that arithmetic can take: a whole number in JSON has any length."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _same(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _same_item(ours: object, theirs: object) -> bool:
    if isinstance(theirs, list | tuple):
        return (
            isinstance(ours, list)
            and len(ours) == len(theirs)
            and all(_same_item(one, other) for one, other in zip(ours, theirs, strict=True))
        )
    if theirs is None or ours is None:
        return ours is theirs
    if (
        not _is_number(ours)
        or not isinstance(theirs, int | float)
        or not isinstance(ours, int | float)
    ):
        return False
    return _same(float(ours), float(theirs))


def _shown(value: float | None) -> str:
    return "N/A" if value is None else f"{value:.6g}"
