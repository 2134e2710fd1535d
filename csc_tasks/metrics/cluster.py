"""Standard errors of values whose items come in clusters: the one place where they are computed.

Turns of one conversation are alike, so they are not independent observations; conversations are.
Every standard error of the project is therefore clustered, by conversation unless a caller has
something coarser. `estimate` is all there is to call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import DataError

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From summed sufficient statistics (..., d) to values (...)."""
ItemSequence = Sequence[float] | Sequence[Sequence[float]]
Expand = Callable[[Any], Floats]
"""From the items of a metric, of the form it gives them, to the array (n, d) of its statistic."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a metric says about a list of items.

    `items` holds one entry per item, in order, that JSON can hold: a float (the corpus value is
    their mean) or a short list of numbers (the corpus value comes from `Metric.statistic`).
    `signature` names everything that moves the number: numbers with different signatures do not
    belong in one table.
    """

    items: list[float] | list[list[float]]
    signature: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A corpus value, its clustered standard error, and how many items and clusters they rest on.

    `value` is None without items, `stderr` is None with fewer than two clusters: undefined is never
    0. Of a jackknifed value, `freedom`: degrees of freedom of its error, fewer than clusters - 1
    where it rests on few of the clusters (None for means); `bias`: by how much it is expected to be
    too high for want of clusters.
    """

    value: float | None
    stderr: float | None
    items: int
    clusters: int
    freedom: float | None = None
    bias: float = 0.0

    @property
    def degrees(self) -> float:
        """Degrees of freedom of t: `freedom`, else clusters - 1."""
        return self.clusters - 1 if self.freedom is None else self.freedom


def estimate(
    items: ItemSequence,
    clusters: Sequence[str],
    statistic: Statistic | None = None,
    expand: Expand | None = None,
    repeats: Sequence[int] | None = None,
) -> Estimate:
    """The corpus value of `items` with its standard error, clustered by `clusters` (one id per
    item).

    Without `statistic` the value is the mean, over items and not over clusters, and
    SE = sqrt(G/(G-1) * sum_g (sum_{i in g} (x_i - mean))^2) / n.
    With `statistic`, `f(array (..., d) of summed sufficient statistics) -> array (...)`, the value
    is f of the sums over all items and SE = sqrt((G-1)/G * sum_g (theta_g - mean theta)^2), theta_g
    being the value without cluster g (delete-one-cluster jackknife).
    `expand` turns the items into the (n, d) array that `statistic` wants; it sees all items at once
    and once only, so whatever it decides (the labels of macro-F1) stays the same in every jackknife
    replicate. `repeats` says which repeat of a run each item is of (None: there is one): with
    `statistic` the value is then the mean of the repeats' values, and a cluster is left out of all
    of them at once. A difference of two systems on the same items is an estimate too: of the item
    differences, or of both systems' statistics side by side with a `statistic` that subtracts.

    Raises DataError for items and clusters of different lengths, an empty or missing cluster id,
    and items that are not finite numbers.
    """
    if len(items) != len(clusters):
        raise DataError(
            f"{len(items)} scored items but {len(clusters)} cluster ids; every item needs the id of"
            " its conversation"
        )
    codes, count = _number(clusters)
    if not len(items):
        return Estimate(None, None, 0, 0)
    values = _numbers(items if expand is None else expand(items), 1 if statistic is None else 2)
    stderr = None
    if statistic is None:
        value = float(values.mean())
        if count > 1:
            deviations = np.bincount(codes, weights=values - value, minlength=count)
            spread = np.sqrt(count / (count - 1) * np.sum(deviations**2))
            stderr = float(spread / len(values))
    else:
        whole, without = _values(statistic, values, codes, count, repeats)
        value = float(whole)
        if count > 1:
            return jackknife(value, without, len(values))
    return Estimate(value, stderr, len(values), count)


def _values(
    statistic: Statistic,
    values: Floats,
    codes: npt.NDArray[np.intp],
    count: int,
    repeats: Sequence[int] | None,
) -> tuple[Floats, Floats]:
    """The statistic of all items, and without each of `count` clusters, (count,); of several
    repeats the means.
    """
    if repeats is None or len(set(repeats)) < 2:
        total = values.sum(axis=0)
        return statistic(total), statistic(total - _sums(values, codes))
    own = np.asarray(repeats)
    wholes, withouts = [], []
    for repeat in np.unique(own):
        sums = np.zeros((count, values.shape[1]))
        np.add.at(sums, codes[own == repeat], values[own == repeat])
        total = sums.sum(axis=0)
        wholes.append(statistic(total))
        withouts.append(statistic(total - sums))
    whole: Floats = np.mean(wholes, axis=0)
    without: Floats = np.mean(withouts, axis=0)
    return whole, without


def jackknife(value: float, without: Floats, items: int) -> Estimate:
    """The estimate of a value from what it is without each of G clusters, (G,); G is at least 2.

    SE = sqrt((G-1)/G * sum_g (theta_g - mean theta)^2), bias = (G-1) * (mean theta - theta).

    The degrees of freedom are Satterthwaite's, 2 over the squared coefficient of variation of SE^2,
    whose variance follows from the kurtosis k of the theta_g: (k - 1) / G + 2 / (G (G - 1)). They
    are G - 1 for normal ones and fewer where few clusters make most of the error, as rare labels
    and rare long matches do.
    """
    count = len(without)
    squares = (without - without.mean()) ** 2
    mean_square = squares.mean()
    stderr = float(np.sqrt((count - 1) * mean_square))
    bias = float((count - 1) * (without.mean() - value))
    if not mean_square > 0:
        return Estimate(value, stderr, items, count)
    kurtosis = (squares / mean_square @ (squares / mean_square)) / count
    variation = (kurtosis - 1) / count + 2 / (count * (count - 1))
    freedom = float(min(max(2 / variation, 1.0), count - 1))
    return Estimate(value, stderr, items, count, freedom, bias)


def _number(clusters: Sequence[str]) -> tuple[npt.NDArray[np.intp], int]:
    """Cluster ids as integers in order of appearance, and how many different ones there are."""
    numbers: dict[str, int] = {}
    for i, cluster in enumerate(clusters):
        if not isinstance(cluster, str) or not cluster:
            raise DataError(
                f"scored item {i}: the cluster id is {cluster!r}; every item needs the id of its"
                " conversation, as text"
            )
        numbers.setdefault(cluster, len(numbers))
    codes = np.fromiter((numbers[cluster] for cluster in clusters), np.intp, len(clusters))
    return codes, len(numbers)


def _numbers(items: ItemSequence | Floats, dimensions: int) -> Floats:
    """The items as a float array of 1 (means) or 2 (sufficient statistics) dimensions."""
    wanted = "one number per item"
    if dimensions != 1:
        wanted = "one list of numbers per item, all of one length"
    try:
        values = np.asarray(items, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            f"scored items cannot be read: {wanted} is needed, the first is {items[0]!r}"
        ) from None
    if values.ndim != dimensions:
        raise DataError(
            f"scored items have {values.ndim} dimensions: {wanted} is needed, the first is"
            f" {items[0]!r}"
        )
    finite = np.isfinite(values) if dimensions == 1 else np.isfinite(values).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise DataError(
            f"scored item {first} is {items[first]!r}; a score is a finite number (a missing score"
            " is never counted as 0)"
        )
    return values


def _sums(values: Floats, codes: npt.NDArray[np.intp]) -> Floats:
    """The (clusters, d) sums of the (n, d) `values` over the items of each cluster."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums: Floats = np.add.reduceat(values[order], starts, axis=0)
    return sums
