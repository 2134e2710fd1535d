"""Runs that differ in nothing but their seed, and the repeats of one run (`csc_repeats`), made one
row: means over them, how far they are apart, and how often all of them were right. A repeat of a
run counts as a run.

The value of a row is the mean of its runs' values. Its interval is about conversations: it comes
from the mean of each item over the runs (of a corpus metric, from the mean of the runs' values with
one conversation left out), and so do paired comparisons. How far the runs are apart is another
question, and stands beside it (`Spread`). An item that has no score in some runs counts with those
that it has. What is no number (the diagnosis, the replies to read) is of the newest run, and of its
first repeat.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.metrics.consistency import Consistency, pass_k, worst_of_k
from csc_tasks.runs.conditions import SEEDS, repeat_of, without_repeat
from csc_tasks.runs.repeats import CONDITION
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Items
from csc_tasks.shown import shown
from leaderboard.board import Spread, Value
from leaderboard.columns import LEADING
from leaderboard.numbers.efficiency import pooled
from leaderboard.numbers.inference import clustered, mean_column, value_of
from leaderboard.numbers.intervals import SHARE
from leaderboard.numbers.measured import Measured, RunKey

Floats = NDArray[np.float64]


def merge_repeats(measured: Mapping[RunKey, Measured], notes: list[str]) -> dict[RunKey, Measured]:
    """The same runs, with what all repeats of one measurement make together in the place of each of
    them; what was made one is said in `notes`.
    """
    groups = [
        sorted(group, key=lambda run: _age(run.measurement)) for group in _groups(measured.values())
    ]
    every = [[part for run in group for part in run.parts or (run,)] for group in groups]
    sizes = sorted({len(runs) for runs in every if len(runs) > 1})
    merged = dict(measured)
    for runs in every:
        if len(runs) == 1:
            continue
        row = _row(runs, sizes, notes)
        for run in runs:
            merged[run.measurement.file, run.measurement.task] = row
    return merged


def _age(m: Measurement) -> tuple[Any, ...]:
    return m.date, m.stamp, str(m.file)


def _groups(runs: Iterable[Measured]) -> list[list[Measured]]:
    """The repeats of each measurement. Runs whose metrics have different signatures are kept apart:
    --split-by gives them tables of their own.
    """
    alike: dict[Any, list[tuple[dict[str, str], list[Measured]]]] = defaultdict(list)
    for run in runs:
        m = run.measurement
        signatures = m.provenance.signatures
        groups = alike[m.identity, m.task, without_repeat(m.conditions)]
        for known, group in groups:
            if all(known.get(name, text) == text for name, text in signatures.items()):
                known |= signatures
                group.append(run)
                break
        else:
            groups.append((dict(signatures), [run]))
    return [group for groups in alike.values() for _, group in groups]


def _row(group: Sequence[Measured], sizes: Sequence[int], notes: list[str]) -> Measured:
    """One row of several runs, from the oldest to the newest. Where some have samples, those."""
    runs = [run for run in group if run.logged is not None] or list(group)
    newest = next(run for run in runs if run.measurement.file == runs[-1].measurement.file)
    m = newest.measurement
    named = f"{shown(m.identity.name)}, {m.task}"
    if left := [str(run.measurement.file) for run in group if run not in runs]:
        notes.append(f"{named}: repeats without samples are left out: {', '.join(left)}")
    if len(runs) == 1:
        return newest
    texts = _told_apart([run.measurement for run in runs])
    within = any(CONDITION in dict(run.measurement.conditions) for run in runs)
    what = "repeats" if within else "runs"
    notes.append(f"{named}: one row of {len(runs)} {what}, {'; '.join(texts)}")
    if not m.sampled:
        notes.append(
            f"{named}: their replies are greedy, the same whatever the seed, so there is no pass^k;"
            " sample with --gen_kwargs do_sample=True,temperature=0.7"
        )
    elif _same_replies(runs):
        notes.append(
            f"{named}: two of these {what} have the same reply in every turn; did their seed reach"
            " the model?"
        )
    names = dict.fromkeys(name for run in runs for name in run.values)
    row = replace(newest, values={}, columns={}, repeats=tuple(runs), repeat_names=texts)
    row.timings = pooled([run.timings for run in runs])
    for name in names:
        _number(row, name)
    if newest.logged is not None and all(run.logged is not None for run in runs):
        row.means = {name: _mean_of(runs, name, newest.logged) for name in newest.means}
        if m.sampled:
            _consistent(row, [k for k in sizes if k <= len(runs)])
    return row


def _told_apart(runs: Sequence[Measurement]) -> tuple[str, ...]:
    """What tells each run from the others, as `seed=7`."""
    own = [repeat_of(run.conditions) for run in runs]
    if all(len({one.get(name) for name in SEEDS}) == 1 for one in own):
        # As it was given on lm_eval's command line.
        own = [{"--seed" if k in SEEDS else k: value for k, value in one.items()} for one in own]
    names = sorted({name for one in own for name in one})
    differing = [name for name in names if len({one.get(name) for one in own}) > 1]
    texts = [", ".join(f"{name}={one.get(name, 'not given')}" for name in differing) for one in own]
    return tuple(text.replace("--seed=", "--seed ") for text in texts)


def _number(row: Measured, name: str) -> None:
    """The mean of one result, its column for comparisons, and how far the runs are apart."""
    values = [run.values[name].value if name in run.values else None for run in row.repeats]
    known = [value for value in values if value is not None]
    if not known:
        row.values[name] = next(run.values[name] for run in row.repeats if name in run.values)
        return
    having = [run for run, value in zip(row.repeats, values, strict=True) if value is not None]
    if len(known) > 1:
        row.spreads[name] = Spread(
            runs=len(known),
            values=tuple(values),
            sd=float(np.std(known, ddof=1)),
            least=min(known),
            most=max(known),
        )
    columns = [run.columns[name] for run in having if name in run.columns]
    if len(columns) == len(having) and len({one.sums.shape[1:] for one in columns}) == 1:
        row.columns[name] = mean_column(columns)
        row.values[name] = value_of(row.columns[name])
        return
    # Without items nothing is known of how the runs hang together.
    last = having[-1].values[name]
    row.values[name] = Value(
        value=float(np.mean(known)),
        items=last.items,
        clusters=last.clusters,
        method="none",
        reason="sample unknown",
    )


def _consistent(row: Measured, sizes: Sequence[int]) -> None:
    """pass^k and worst-of-k of the metric that the benchmark is about."""
    logged = row.logged
    if logged is None or not all(LEADING in run.means for run in row.repeats):
        return
    right = np.stack([_aligned(run, LEADING, logged) for run in row.repeats])
    known = ~np.isnan(right).any(axis=0)
    if not known.any():
        return
    right, codes = right[:, known], logged.conversation[known]
    each = np.bincount(codes, minlength=len(logged.ids))
    there = np.flatnonzero(each)
    accuracies = np.stack(
        [np.bincount(codes, weights=own, minlength=len(each))[there] / each[there] for own in right]
    )
    members = logged.members if known.all() else None
    for k in sizes:
        for kind, scores, own in (
            ("pass", pass_k(right, k), codes),
            ("worst", worst_of_k(accuracies, k), there),
        ):
            name = Consistency(LEADING, kind, k).name
            row.columns[name] = clustered(scores, own, logged.ids, members, scale=SHARE)
            row.values[name] = value_of(row.columns[name])


def _mean_of(runs: Sequence[Measured], name: str, logged: Items) -> Floats:
    """A mean metric, in the order of `logged`, over the runs that have it; NaN where none has."""
    scores = np.stack([_aligned(run, name, logged) for run in runs if name in run.means])
    known = (~np.isnan(scores)).sum(axis=0)
    sums = np.nansum(scores, axis=0)
    means: Floats = np.full(len(sums), np.nan)
    np.divide(sums, known, out=means, where=known > 0)
    return means


def _aligned(run: Measured, name: str, logged: Items) -> Floats:
    """A run's scores in the order of `logged`; NaN for items that it lacks."""
    assert run.logged is not None
    there = {key: i for i, key in enumerate(_keys(run.logged))}
    places = [there.get(key, -1) for key in _keys(logged)]
    scores: Floats = np.append(run.means[name], np.nan)[places]
    return scores


def _keys(logged: Items) -> Iterable[tuple[str, int]]:
    ids = (logged.ids[code] for code in logged.conversation.tolist())
    return zip(ids, logged.turn.tolist(), strict=True)


def _same_replies(runs: Sequence[Measured]) -> bool:
    """Whether two runs have all replies in common."""
    digests = [run.logged.said for run in runs if run.logged is not None]
    return len(set(digests)) < len(digests)
