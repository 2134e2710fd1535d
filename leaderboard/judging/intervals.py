"""Values with 95 % intervals over conversations: means as everywhere else, everything else
jackknifed by leaving out one conversation after the other.
"""

from collections.abc import Callable, Sequence

import numpy as np

from csc_tasks.metrics import Estimate, estimate, jackknife
from leaderboard.board import Value
from leaderboard.numbers.intervals import UNBOUNDED, Scale, with_interval

NOTHING = Value(value=None, items=0, clusters=0, method="none", reason="no value")
AGREEMENT = Scale(-1.0, 1.0)


def mean(items: Sequence[float], clusters: Sequence[str], scale: Scale = UNBOUNDED) -> Value:
    """The mean with its clustered interval; without items, a Value that says nothing."""
    return with_interval(estimate(items, clusters), scale) if len(items) else NOTHING


def slope(x: Sequence[float], y: Sequence[float], clusters: Sequence[str]) -> Value:
    """The slope of y on x through the origin (both centred by the caller), jackknifed over
    clusters, t interval.
    """
    pairs = [(a * b, a * a) for a, b in zip(x, y, strict=True)]
    if sum(square for _, square in pairs) <= 1e-12:
        return NOTHING
    return with_interval(
        estimate(
            pairs,
            clusters,
            lambda sums: sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan),
        )
    )


def coefficient(
    sums: np.ndarray,
    clusters: Sequence[str],
    statistic: Callable[[np.ndarray], np.ndarray],
    scale: Scale = AGREEMENT,
) -> Value:
    """`statistic` of the sums over all items, jackknifed over clusters.

    sums: (n, d) sufficient statistics per item; statistic: (..., d) -> (...), NaN where undefined.
    """
    if not len(sums):
        return NOTHING
    codes, count = numbered(clusters)
    grouped = np.zeros((count, sums.shape[1]))
    np.add.at(grouped, codes, sums)
    total = grouped.sum(axis=0)
    return jackknifed(float(statistic(total)), statistic(total - grouped), len(sums), scale)


def jackknifed(value: float, without: np.ndarray, items: int, scale: Scale = UNBOUNDED) -> Value:
    """`value` with its interval, from what it is without each cluster, (clusters,).

    No interval where one of these is not defined: then it rests on a single conversation.
    """
    clusters = len(without)
    if not np.isfinite(value):
        return Value(value=None, items=items, clusters=clusters, method="none", reason="no value")
    if clusters < 2:
        return with_interval(Estimate(value, None, items, clusters))
    if not np.isfinite(without).all():
        return Value(
            value=value, items=items, clusters=clusters, method="none", reason="no variation"
        )
    return with_interval(jackknife(value, without, items), scale)


def numbered(clusters: Sequence[str]) -> tuple[np.ndarray, int]:
    """Cluster ids as numbers in order of appearance, and how many there are."""
    numbers: dict[str, int] = {}
    codes = np.array(
        [numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.intp
    )
    return codes, len(numbers)
