"""Values with 95 % intervals over conversations: means and slopes by t, everything else by a seeded
bootstrap of whole conversations.
"""

from collections.abc import Callable, Sequence

import numpy as np

from csc_tasks.metrics import estimate
from leaderboard.board import Value
from leaderboard.numbers.inference import CONFIDENCE, t_value

RESAMPLES = 2000
# Draws in which a coefficient is not defined are left out; with more of them than this there is no
# interval.
UNDEFINED = 0.05
NOTHING = Value(value=None, items=0, clusters=0, method="none")


def mean(items: Sequence[float], clusters: Sequence[str]) -> Value:
    """The mean with its clustered t interval; without items, a Value that says nothing."""
    return t_value(estimate(items, clusters)) if len(items) else NOTHING


def slope(x: Sequence[float], y: Sequence[float], clusters: Sequence[str]) -> Value:
    """The slope of y on x through the origin (both centred by the caller), jackknifed over
    clusters, t interval.
    """
    pairs = [(a * b, a * a) for a, b in zip(x, y, strict=True)]
    if sum(square for _, square in pairs) <= 1e-12:
        return NOTHING
    return t_value(
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
    seed: int,
    resamples: int = RESAMPLES,
) -> Value:
    """`statistic` of the sums over all items, with a percentile interval over draws of whole
    clusters.

    sums: (n, d) sufficient statistics per item; statistic: (..., d) -> (...), NaN where undefined.
    """
    if not len(sums):
        return NOTHING
    codes, count = numbered(clusters)
    grouped = np.zeros((count, sums.shape[1]))
    np.add.at(grouped, codes, sums)
    return drawn(
        float(statistic(grouped.sum(axis=0))),
        lambda weights: statistic(weights @ grouped),
        len(sums),
        count,
        seed,
        resamples,
    )


def drawn(
    value: float,
    statistic: Callable[[np.ndarray], np.ndarray],
    items: int,
    clusters: int,
    seed: int,
    resamples: int = RESAMPLES,
) -> Value:
    """`value` with the percentile interval of `statistic(weights (draws, clusters)) -> (draws,)`;
    None where it is not defined.
    """
    if not np.isfinite(value):
        return Value(value=None, items=items, clusters=clusters, method="none")
    values = statistic(draws(clusters, seed, resamples)) if clusters > 1 else np.array([np.nan])
    values = values[np.isfinite(values)]
    if clusters < 2 or len(values) < (1 - UNDEFINED) * resamples:
        return Value(value=value, items=items, clusters=clusters, method="none")
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Value(
        value=value,
        stderr=float(values.std(ddof=1)),
        low=float(low),
        high=float(high),
        items=items,
        clusters=clusters,
        method="bootstrap",
    )


def draws(clusters: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(resamples, clusters): how often each cluster stands in each draw with replacement."""
    return (
        np.random.default_rng([seed, clusters])
        .multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
        .astype(float)
    )


def numbered(clusters: Sequence[str]) -> tuple[np.ndarray, int]:
    """Cluster ids as numbers in order of appearance, and how many there are."""
    numbers: dict[str, int] = {}
    codes = np.array(
        [numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.intp
    )
    return codes, len(numbers)
