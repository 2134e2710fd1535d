"""Coefficients of agreement, each as sufficient statistics per unit and a function of their sums:
further ones than csc_tasks/metrics/alpha.py has, in the same form.
"""

from collections.abc import Sequence

import numpy as np

from csc_tasks.metrics.alpha import counts_of, ratio


def kappa_sums(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    """(n, 1 + categories): per unit the share of pairs of raters who agree, and how many raters
    chose each category 0..categories-1.

    All units must have the same number of ratings, at least 2.
    """
    counts = counts_of(units, categories)
    raters = counts.sum(axis=1, keepdims=True)
    agreed = ((counts * (counts - 1)).sum(axis=1, keepdims=True)) / (raters * (raters - 1))
    return np.hstack([agreed, counts])


def kappa(sums: np.ndarray, ratings: int) -> np.ndarray:
    """Fleiss' kappa (Psychological Bulletin 76, 1971) of summed `kappa_sums` (..., 1 + categories);
    `ratings` per unit.
    """
    chosen = sums[..., 1:]
    total = chosen.sum(axis=-1)
    observed = ratio(sums[..., 0], total / ratings)
    expected = (ratio(chosen, total[..., None]) ** 2).sum(axis=-1)
    return ratio(observed - expected, 1 - expected)


def ordinal_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha of summed `coincidence_sums` (..., categories^2) for ordered categories:
    a disagreement counts by how many ratings lie between the two (Krippendorff 2011, Section E).
    """
    size = round(sums.shape[-1] ** 0.5)
    observed = sums.reshape(*sums.shape[:-1], size, size)
    margins = observed.sum(axis=-1)
    total = margins.sum(axis=-1)
    before = margins.cumsum(axis=-1) - margins / 2
    distances = (before[..., :, None] - before[..., None, :]) ** 2
    expected = margins[..., :, None] * margins[..., None, :]
    expected[..., range(size), range(size)] -= margins
    return 1 - ratio(
        (total - 1) * (observed * distances).sum(axis=(-2, -1)),
        (expected * distances).sum(axis=(-2, -1)),
    )


def interval_sums(units: Sequence[Sequence[float]]) -> np.ndarray:
    """(n, 4): ratings, their sum and sum of squares, and disagreement within the unit; zeros for a
    unit with fewer than two ratings.
    """
    rows = []
    for unit in units:
        ratings, scores = len(unit), np.asarray(unit, dtype=float)
        if ratings < 2:
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        total, squares = scores.sum(), (scores**2).sum()
        rows.append((ratings, total, squares, 2 * (ratings * squares - total**2) / (ratings - 1)))
    return np.array(rows, dtype=float).reshape(-1, 4)


def interval_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha for numbers, squared differences, of summed `interval_sums` (..., 4)."""
    ratings, total, squares, within = np.moveaxis(sums, -1, 0)
    return 1 - ratio((ratings - 1) * within, 2 * (ratings * squares - total**2))


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of x and y (n,) for every row of `weights` (draws, n): how often
    each item counts; ties share ranks.
    """
    first, second = _ranks(x, weights), _ranks(y, weights)
    total = weights.sum(axis=1, keepdims=True)
    middle = (total + 1) / 2
    first, second = first - middle, second - middle
    product, own, other = (
        (weights * a * b).sum(axis=1)
        for a, b in ((first, second), (first, first), (second, second))
    )
    return ratio(product, np.sqrt(own * other))


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, n): the rank of each item when item i stands `weights[., i]` times in the draw."""
    distinct, codes = np.unique(values, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    counts = np.add.reduceat(
        weights[:, order], np.searchsorted(codes[order], np.arange(len(distinct))), axis=1
    )
    return (counts.cumsum(axis=1) - counts / 2 + 0.5)[:, codes]
