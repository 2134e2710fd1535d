"""Numbers with intervals: means and corpus metrics clustered by conversation, paired differences,
Holm's correction, the bootstrap.

Everything works on per-conversation sums, which are all that a clustered error needs: a column of
25,000 turns becomes a few thousand rows. Standard errors come from csc_tasks.metrics.cluster, the
one place that computes them; intervals use t with clusters - 1 degrees of freedom. Every draw is
seeded, and the same for every model with the same number of conversations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.errors import DataError
from csc_tasks.metrics import Estimate, estimate
from leaderboard.board import Value

CONFIDENCE = 0.95
RESAMPLES = 2000

# Differences below this are rounding: scores are of the order of 1.
ROUNDING = 1e-12

Statistic = Callable[[Any], Any]
"""Summed sufficient statistics (..., d) -> values (...)."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """One column of one run, summed per conversation.

    ids: the conversations that have something to say. members[g]: which items of conversation g
    were summed, as text (two runs share a conversation when both have the same items of it). counts
    (G,): how many. sums (G,) of scores, or (G, repeats * d) of the sufficient statistics that
    `statistic` makes a corpus value of, side by side for each repeat of the run.
    """

    ids: tuple[str, ...]
    members: tuple[str, ...]
    counts: NDArray[Any]
    sums: NDArray[Any]
    statistic: Statistic | None = None
    repeats: int = 1

    def rows(self, chosen: Sequence[int]) -> "Clustered":
        """The conversations at these positions."""
        ids, members = tuple(self.ids[i] for i in chosen), tuple(self.members[i] for i in chosen)
        counts, sums = self.counts[chosen], self.sums[chosen]
        return Clustered(ids, members, counts, sums, self.statistic, self.repeats)

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
    return Clustered(tuple(ids[i] for i in there), named, counts[there], sums[there], statistic)


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
        return Estimate(corpus.value, corpus.stderr, items, clusters)
    # SE = sqrt(G/(G-1) sum_g z_g^2) / n with z_g = sum of g's deviations: the error of a mean of G
    # items with deviations z_g G/n.
    total = column.counts.sum()
    mean = column.sums.sum() / total
    deviations = mean + (column.sums - column.counts * mean) * clusters / total
    return Estimate(float(mean), estimate(deviations.tolist(), column.ids).stderr, items, clusters)


def value_of(column: Clustered, seed: int = 0, resamples: int = RESAMPLES) -> Value:
    """The column's value with its 95 % interval: t for means, cluster bootstrap (percentile) for
    corpus metrics.
    """
    estimated = clustered_estimate(column)
    if column.statistic is None or estimated.stderr is None:
        return t_value(estimated)
    low, high = bootstrap_interval(column, seed, resamples)
    return Value(
        value=estimated.value,
        stderr=estimated.stderr,
        low=low,
        high=high,
        items=estimated.items,
        clusters=estimated.clusters,
        method="bootstrap",
    )


def t_value(estimated: Estimate) -> Value:
    """An estimate with its t interval, clusters - 1 degrees of freedom; no interval where there is
    no standard error.
    """
    low, high = t_interval(estimated.value, estimated.stderr, estimated.clusters)
    return Value(
        value=estimated.value,
        stderr=estimated.stderr,
        low=low,
        high=high,
        items=estimated.items,
        clusters=estimated.clusters,
        method="none" if low is None else "t",
    )


def t_interval(
    value: float | None, stderr: float | None, clusters: int, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """value -+ t_{clusters - 1} * stderr, or (None, None) with fewer than two clusters."""
    if value is None or stderr is None or clusters < 2:
        return None, None
    half = t_quantile(0.5 + confidence / 2, clusters - 1) * stderr
    return value - half, value + half


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Whether an interval lies wholly on one side of 0; one that does not exist does not."""
    return low is not None and high is not None and (low > 0 or high < 0)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t with `freedom` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def p_value(value: float | None, stderr: float | None, clusters: int) -> float | None:
    """Two-sided p of value / stderr being 0 by t with clusters - 1 degrees of freedom; None where
    that is undefined.
    """
    from scipy.special import stdtr

    if value is None or stderr is None or clusters < 2:
        return None
    if stderr < ROUNDING:
        return 1.0 if abs(value) < ROUNDING else 0.0
    return float(2 * stdtr(clusters - 1, -abs(value) / stderr))


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


def bootstrap_interval(
    column: Clustered, seed: int = 0, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """Percentile interval of the column's value over `resamples` draws of whole conversations;
    (None, None) with fewer than two.
    """
    clusters = len(column.ids)
    if clusters < 2:
        return None, None
    weights = _draws(clusters, seed, resamples)
    sums = weights @ column.sums
    drawn = sums / (weights @ column.counts) if column.statistic is None else column.corpus(sums)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


@lru_cache(maxsize=3)
def _draws(clusters: int, seed: int, resamples: int) -> NDArray[np.float32]:
    """(resamples, clusters): how often each conversation is drawn, the same for everybody who asks
    with the same numbers.
    """
    return (
        np.random.default_rng(seed)
        .multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
        .astype(np.float32)
    )
