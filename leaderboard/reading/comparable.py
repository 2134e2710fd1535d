"""Which measurements may stand in one table: one per model, task and settings (and its repeats),
and nothing in it that differs but the model.

Rows that differ in the version of a task, corpus, prompt style, date in the prompts, chat template,
reference, number of documents or a metric's signature are an error that names them, or go to tables
of their own when `split` asks for that. Two tasks of one table may have versions of their own.
Summary variants of the questions always have tables of their own.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from csc_tasks.arguments import check_known
from csc_tasks.errors import DataError
from csc_tasks.prompts import SERVER_DATE, SPOKEN
from csc_tasks.runs.conditions import differing, same_runs, without_repeat
from csc_tasks.runs.results_file import Identity, Measurement
from csc_tasks.runs.task_record import FORMAT_AND_CHOICE, LIVE
from csc_tasks.shown import shown

TITLES = {
    "conversations": "Conversations",
    "questions": "Context-summarised questions",
    "strategy_variants": "With and without strategies",
    FORMAT_AND_CHOICE: "Format and choice of strategies",
    "strategy_choice": "Strategy choice by log-likelihood",
    "question_context": "Questions: what of the history is shown",
    "question_stages": "Questions by part of the conversation",
    LIVE: "Live conversations",
}
"""Kind of table -> its title, in the order in which a board shows them."""


def _tells_nothing(m: Measurement) -> bool:
    return m.identity.baseline or m.provenance.prompt == SPOKEN


_TEMPLATED = {None: None, True: "applied", False: "not applied"}
# field -> what it is in an error, and how a measurement tells it; None: this one fits everywhere (a
# baseline has no prompt, and a deployed agent is told nothing of ours)
FIELDS: dict[str, tuple[str, Callable[[Measurement], str | None]]] = {
    "version": ("task version", lambda m: m.task_version),
    "corpus": (
        "corpus",
        lambda m: (
            f"{m.provenance.config}/{m.provenance.split} with content {m.provenance.content_hash}"
        ),
    ),
    "revision": ("corpus revision", lambda m: m.provenance.revision),
    "prompt": ("prompt style", lambda m: None if _tells_nothing(m) else str(m.provenance.asked)),
    # Most prompts show no date, and which one a server's do is not known.
    "date": (
        "date in the prompts (csc_date)",
        lambda m: None if m.provenance.date == SERVER_DATE else m.provenance.date,
    ),
    "chat_template": (
        "chat template",
        lambda m: None if _tells_nothing(m) else _TEMPLATED[m.templated],
    ),
    "reference": ("reference", lambda m: m.provenance.reference),
    # Of the forced tasks alone: what is likeliest as a whole, and what a server writes token by
    # token, may be two strategies.
    "forced": (
        "way in which a strategy is forced",
        lambda m: " and ".join(m.provenance.forced.values()) if m.provenance.forced else None,
    ),
    "customer": ("customer of the live conversations", lambda m: m.provenance.played),
    "limit": (
        "--limit",
        lambda m: f"{m.limit} documents" if m.limit is not None else "all documents",
    ),
}
SPLITS = (*FIELDS, "signatures")


@dataclass(frozen=True, slots=True)
class Selection:
    """The measurements of one table: model (by identity) -> task -> measurement. split: the values
    its rows were split by, by field.
    """

    kind: str
    config: str
    split: Mapping[str, str]
    measurements: tuple[Measurement, ...]


def newest(measurements: Iterable[Measurement], notes: list[str]) -> list[Measurement]:
    """One measurement per origin, model, task and conditions, so also of every repeat: the newest
    by run date, then by file name; what is left out goes to `notes`.
    """
    groups = same_runs(
        measurements,
        lambda m: (m.task, m.origin, m.conditions),
        lambda m: (m.date, m.stamp, m.samples is not None, str(m.file)),
    )
    for *older, last in groups:
        if older:
            left = ", ".join(m.file.name for m in older)
            lost = sorted({name for m in older for name in m.numbers} - set(last.numbers))
            more = f", and with it {_some(lost)}, which the newest does not have" if lost else ""
            notes.append(
                f"{shown(last.identity.name)}, {last.task}: {len(older) + 1} runs with the same"
                f" settings; kept {last.file.name}, left out {left}{more}"
            )
    return sorted(
        (group[-1] for group in groups),
        key=lambda m: (m.task, m.identity.baseline, m.identity.name, m.identity.settings),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(
        [*map(shown, names[:3]), *([f"{len(names) - 3} more"] if len(names) > 3 else [])]
    )


def select(measurements: Sequence[Measurement], split: Sequence[str] = ()) -> list[Selection]:
    """The tables that the measurements make, every table's rows comparable.

    Raises DataError that names two rows and what differs; SettingError for a field of `split` that
    does not exist.
    """
    check_known("--split-by", split, SPLITS)
    selections = []
    for kind, config, members in _kinds(measurements):
        for values, rows in _split(members, split):
            _check(rows, kind, split)
            _check_one_each(rows)
            selections.append(Selection(kind, config, values, tuple(rows)))
    return selections


def _kinds(measurements: Sequence[Measurement]) -> Iterable[tuple[str, str, list[Measurement]]]:
    """(kind of table, config, its measurements). Variants of a task bring it along: Table 8 shows
    Predict beside Vanilla and Oracle.
    """
    for config in sorted({m.provenance.config for m in measurements}):
        own = [m for m in measurements if m.provenance.config == config]
        kinds = {m.about.own_table(m.task) for m in own}
        for kind in [*(kind for kind in TITLES if kind in kinds), *sorted(kinds - set(TITLES))]:
            yield (
                kind,
                config,
                [m for m in own if m.about.place(kind) or m.about.own_table(m.task) == kind],
            )


def _split(
    measurements: Sequence[Measurement], split: Sequence[str]
) -> list[tuple[dict[str, str], list[Measurement]]]:
    """Groups by the values of the fields in `split`; a measurement without a value (a baseline) is
    in all that fit otherwise.
    """
    names = [name for name in split if name != "signatures"]
    versions = _versions(measurements)
    keys = {
        i: tuple(versions[i] if name == "version" else FIELDS[name][1](m) for name in names)
        for i, m in enumerate(measurements)
    }
    whole = sorted({key for key in keys.values() if None not in key}) or sorted(
        set(keys.values()), key=str
    )
    corpora = _corpus_names(measurements)
    groups = []
    for key in whole:
        rows = [
            m
            for i, m in enumerate(measurements)
            if all(own in (None, value) for own, value in zip(keys[i], key, strict=True))
        ]
        for extra, chosen in _by_signatures(rows) if "signatures" in split else [({}, rows)]:
            values = {
                name: corpora.get(value, str(value)) if name == "corpus" else str(value)
                for name, value in zip(names, key, strict=True)
            }
            groups.append((values | extra, chosen))
    return groups


def _versions(measurements: Sequence[Measurement]) -> list[str | None]:
    """The version by which each measurement goes to a table: its own where its task has several;
    one whose task has but one fits everywhere.
    """
    told = {m.task: set[str]() for m in measurements}
    for m in measurements:
        told[m.task].add(m.task_version)
    if all(len(versions) == 1 for versions in told.values()):
        return [versions_of(measurements)] * len(measurements)
    return [m.task_version if len(told[m.task]) > 1 else None for m in measurements]


def versions_of(measurements: Iterable[Measurement]) -> str:
    """The versions of a table's tasks in words: "2.0", or "2.0, and 2.1 of TASK" (the version that
    most have comes first).
    """
    tasks = dict(sorted((m.task, m.task_version) for m in measurements))
    common = min(Counter(tasks.values()).most_common(), key=lambda pair: (-pair[1], pair[0]))[0]
    others = [
        f"{version} of {' and '.join(task for task, own in tasks.items() if own == version)}"
        for version in sorted({*tasks.values()} - {common})
    ]
    return ", and ".join([common, *others])


def _corpus_names(measurements: Sequence[Measurement]) -> dict[str | None, str]:
    """What the corpus field tells -> the corpus' name, for titles. Two contents of one name carry
    the first digits of their hashes, which alone can distinguish them.
    """
    tell = FIELDS["corpus"][1]
    corpora = {tell(m): (corpus_name(m), m.provenance.content_hash) for m in measurements}
    shared = Counter(name for name, _ in corpora.values())
    return {
        told: f"{name}, content {digest[:8]}" if shared[name] > 1 else name
        for told, (name, digest) in corpora.items()
    }


def corpus_name(measurement: Measurement) -> str:
    """The corpus' name or Hub id; of a folder on somebody's disk the last part says enough."""
    corpus = measurement.provenance.corpus
    return Path(corpus).name if Path(corpus).is_absolute() else corpus


def _by_signatures(
    measurements: Sequence[Measurement],
) -> list[tuple[dict[str, str], list[Measurement]]]:
    """Groups in which every metric has one signature: a row joins the first group that it does not
    contradict.
    """
    groups: list[tuple[dict[tuple[str, str], str], list[Measurement]]] = []
    for m in measurements:
        signed = {(m.task, name): signature for name, signature in m.provenance.signatures.items()}
        for known, rows in groups:
            if all(known.get(key, signature) == signature for key, signature in signed.items()):
                known |= signed
                rows.append(m)
                break
        else:
            groups.append((signed, [m]))
    return [
        ({} if len(groups) == 1 else {"signatures": str(number)}, rows)
        for number, (_, rows) in enumerate(groups, 1)
    ]


def _check(rows: Sequence[Measurement], kind: str, split: Sequence[str]) -> None:
    """Raise DataError where two rows of one table differ in anything that moves a number."""
    for name, (words, tell) in FIELDS.items():
        if name == "version" or (name == "corpus" and kind != "conversations"):
            for task in sorted({m.task for m in rows}):
                _same([m for m in rows if m.task == task], name, words, tell)
        else:
            _same(rows, name, words, tell)
    for task in sorted({m.task for m in rows}):
        own = [m for m in rows if m.task == task]
        for metric in sorted({name for m in own for name in m.numbers}):
            having = [m for m in own if metric in m.numbers]
            _same(
                having,
                "signatures",
                f"signature of {metric}",
                partial(_signature, metric),
            )


def _signature(metric: str, m: Measurement) -> str | None:
    return m.provenance.signatures.get(metric)


def _check_one_each(rows: Sequence[Measurement]) -> None:
    """Raise DataError where a model has two runs of a task that are no repeats and differ in
    something that FIELDS does not name: they would be one row.
    """
    first: dict[tuple[Identity, str], Measurement] = {}
    for m in rows:
        other = first.setdefault((m.identity, m.task), m)
        one, two = without_repeat(other.conditions), without_repeat(m.conditions)
        if one != two:
            names = _some([name.partition(".")[2] for name in differing(one, two)])
            raise DataError(
                f"{shown(m.identity.name)} has two runs of {m.task} that differ in {names}:"
                f" {other.file} and {m.file}; give one of them"
            )


def _same(
    rows: Sequence[Measurement], name: str, words: str, tell: Callable[[Measurement], str | None]
) -> None:
    told = [(value, m) for m in rows if (value := tell(m)) is not None]
    other = next(((value, m) for value, m in told if value != told[0][0]), None)
    if other:
        (one, first), (two, second) = told[0], other
        raise DataError(
            f"rows that cannot be compared: {words} is {shown(one)} for {first.label},"
            f" {first.task}, and {shown(two)} for {second.label}, {second.task}; leave one out, or"
            f" make separate tables with --split-by {name}"
        )
