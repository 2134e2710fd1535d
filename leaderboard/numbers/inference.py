"""Numbers with intervals: means and corpus metrics clustered by conversation, paired differences,
Holm's correction.

Everything works on per-conversation sums, which are all that a clustered error needs: a column of
25,000 turns becomes a few thousand rows. Standard errors come from csc_tasks.metrics.cluster and
intervals from leaderboard/numbers/intervals.py, the one place each that makes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.errors import DataError
from csc_tasks.metrics import Estimate, estimate
from leaderboard.board import Value
from leaderboard.numbers.intervals import ROUNDING, UNBOUNDED, Scale, p_value, with_interval

Statistic = Callable[[Any], Any]
"""Summed sufficient statistics (..., d) -> values (...)."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """One column of one run, summed per conversation.

    ids: the conversations that have something to say. members[g]: which items of conversation g
    were summed, as text (two runs share a conversation when both have the same items of it). counts
    (G,): how many. sums (G,) of scores, or (G, repeats * d) of the sufficient statistics that
    `statistic` makes a corpus value of, side by side for each repeat of the run. scale: the values
    it can have.
    """

    ids: tuple[str, ...]
    members: tuple[str, ...]
    counts: NDArray[Any]
    sums: NDArray[Any]
    statistic: Statistic | None = None
    scale: Scale = UNBOUNDED
    repeats: int = 1

    def rows(self, chosen: Sequence[int]) -> "Clustered":
        """The conversations at these positions."""
        ids, members = tuple(self.ids[i] for i in chosen), tuple(self.members[i] for i in chosen)
        return replace(
            self, ids=ids, members=members, counts=self.counts[chosen], sums=self.sums[chosen]
        )

    def corpus(self, sums: NDArray[Any]) -> Any:
        """The corpus value of summed statistics (..., repeats * d): the mean over the repeats."""
        assert self.statistic is not None
        if self.repeats == 1:
            return self.statistic(sums)
        parts = np.split(sums, self.repeats, axis=-1)
        return np.mean([self.statistic(part) for part in parts], axis=0)


def clustered(
    values: NDArray[Any],
    codes: NDArray[Any],
    ids: Sequence[str],
    members: Sequence[str] | None = None,
    statistic: Statistic | None = None,
    scale: Scale = UNBOUNDED,
) -> Clustered:
    """Sum `values` (n,) or (n, d) per conversation; codes[i] is the position in `ids` of item i's
    conversation.

    Conversations without items are left out. `members` may be given where items of a conversation
    are always all there. Raises DataError for a value that is not finite.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise DataError(
            "a score is not a finite number; a missing score is null and never counted as 0"
        )
    counts = np.bincount(codes, minlength=len(ids))
    there = np.flatnonzero(counts).tolist()
    if values.ndim == 1:
        sums = np.bincount(codes, weights=values, minlength=len(ids))
    else:
        sums = np.stack(
            [np.bincount(codes, weights=column, minlength=len(ids)) for column in values.T], axis=-1
        )
    named = (
        tuple(members[i] for i in there)
        if members is not None
        else tuple(str(counts[i]) for i in there)
    )
    return Clustered(
        tuple(ids[i] for i in there), named, counts[there], sums[there], statistic, scale
    )


def mean_column(columns: Sequence[Clustered]) -> Clustered:
    """The columns of several runs as one: each item's mean over the runs, or the runs' statistics
    side by side.
    """
    ids = tuple(dict.fromkeys(id_ for column in columns for id_ in column.ids))
    place = {id_: i for i, id_ in enumerate(ids)}
    counts = np.zeros((len(columns), len(ids)))
    sums = np.zeros((len(columns), len(ids), *columns[0].sums.shape[1:]))
    members = [[""] * len(columns) for _ in ids]
    for run, column in enumerate(columns):
        own = [place[id_] for id_ in column.ids]
        counts[run, own], sums[run, own] = column.counts, column.sums
        for i, text in zip(own, column.members, strict=True):
            members[i][run] = text
    # Where the runs have different items, the conversation is nobody else's.
    named = tuple("|".join(dict.fromkeys(texts)) for texts in members)
    if columns[0].statistic is None:
        return Clustered(ids, named, counts.mean(axis=0), sums.mean(axis=0), scale=columns[0].scale)
    beside = np.concatenate(list(sums), axis=-1)
    counted = counts.mean(axis=0)
    return replace(
        columns[0], ids=ids, members=named, counts=counted, sums=beside, repeats=len(columns)
    )


def clustered_estimate(column: Clustered) -> Estimate:
    """The column's value and standard error: what `csc_tasks.metrics.cluster.estimate` says of the
    items behind it.
    """
    items, clusters = round(float(column.counts.sum())), len(column.ids)
    if not items:
        return Estimate(None, None, 0, 0)
    if column.statistic is not None:
        # The jackknife leaves out whole conversations, so their sums serve as well as their items.
        corpus = estimate(list(column.sums), column.ids, column.corpus, np.asarray)
        return replace(corpus, items=items)
    # SE = sqrt(G/(G-1) sum_g z_g^2) / n with z_g = sum of g's deviations: the error of a mean of G
    # items with deviations z_g G/n.
    total = column.counts.sum()
    mean = column.sums.sum() / total
    deviations = mean + (column.sums - column.counts * mean) * clusters / total
    return Estimate(float(mean), estimate(deviations.tolist(), column.ids).stderr, items, clusters)


def value_of(column: Clustered) -> Value:
    """The column's value with its 95 % interval, or the reason why it has none."""
    return with_interval(clustered_estimate(column), column.scale)


def shared(a: Clustered, b: Clustered) -> tuple[Clustered, Clustered]:
    """Both columns on the conversations that they share, item for item, in one order."""
    if a.ids == b.ids and a.members == b.members:
        return a, b
    there = {
        (id_, members): i for i, (id_, members) in enumerate(zip(b.ids, b.members, strict=True))
    }
    pairs = [
        (i, there[key]) for i, key in enumerate(zip(a.ids, a.members, strict=True)) if key in there
    ]
    return a.rows([i for i, _ in pairs]), b.rows([j for _, j in pairs])


def difference(a: Clustered, b: Clustered) -> Estimate:
    """a minus b on their shared conversations, with the clustered standard error of the difference.

    Raises DataError where one is a corpus metric and the other is not, or their statistics have
    different shapes.
    """
    if a.statistic is not b.statistic or _width(a) != _width(b):
        raise DataError("two columns with different statistics have no paired difference")
    a, b = shared(a, b)
    if a.statistic is None:
        return clustered_estimate(Clustered(a.ids, a.members, a.counts, a.sums - b.sums))
    size = a.sums.shape[1]

    def subtract(sums: NDArray[Any]) -> Any:
        return a.corpus(sums[..., :size]) - b.corpus(sums[..., size:])

    return clustered_estimate(
        Clustered(a.ids, a.members, a.counts, np.concatenate([a.sums, b.sums], axis=1), subtract)
    )


def paired(a: Clustered, b: Clustered) -> tuple[Value, float | None]:
    """a minus b with its interval, and the p of there being no difference; raises as `difference`
    does.
    """
    estimated, scale = difference(a, b), a.scale.between()
    return with_interval(estimated, scale), p_value(estimated, scale)


def apart_from(
    values: NDArray[Any], codes: NDArray[Any], chosen: NDArray[np.bool_]
) -> float | None:
    """Two-sided p of the mean of the `chosen` items (n,) being that of the others, clustered by
    `codes`.

    A conversation may have items on both sides; its deviations from both means are summed. t with
    as many degrees of freedom as the side with fewer conversations has, less one; None where a
    side has fewer than two, or no variation.
    """
    sides = [chosen, ~chosen]
    clusters = [len(np.unique(codes[side])) for side in sides]
    if min(clusters) < 2:
        return None
    means = [values[side].mean() for side in sides]
    deviations = np.where(
        chosen, (values - means[0]) / chosen.sum(), (means[1] - values) / (~chosen).sum()
    )
    sums = np.bincount(codes, weights=deviations)
    count = len(np.unique(codes))
    stderr = float(np.sqrt(count / (count - 1) * np.sum(sums**2)))
    if stderr < ROUNDING:
        return None
    return p_value(Estimate(float(means[0] - means[1]), stderr, len(values), min(clusters)))


def _width(column: Clustered) -> float:
    """How many statistics an item of one repeat has; 0 for scores."""
    return column.sums.shape[1] / column.repeats if column.sums.ndim > 1 else 0


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: adjusted p-values in the order given; None (undefined) stays
    None and is not counted.
    """
    ordered = sorted((p, i) for i, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    running = 0.0
    for rank, (p, i) in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * p))
        adjusted[i] = running
    return adjusted
