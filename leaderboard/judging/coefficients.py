"""Coefficients of agreement, each as sufficient statistics per unit and a function of their sums.

That form is what the jackknife over conversations needs (csc_tasks.metrics.cluster): sums are made
once, and what is left without a conversation is a difference.

Units are lists of what each rater said, missing ratings left out; a unit with one
rating says nothing about agreement. A sample in which everybody always says the same has no defined
coefficient: NaN.
"""

from collections.abc import Sequence

import numpy as np


def kappa_sums(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    """(n, 1 + categories): per unit the share of pairs of raters who agree, and how many raters
    chose each category 0..categories-1.

    All units must have the same number of ratings, at least 2.
    """
    counts = _counts(units, categories)
    raters = counts.sum(axis=1, keepdims=True)
    agreed = ((counts * (counts - 1)).sum(axis=1, keepdims=True)) / (raters * (raters - 1))
    return np.hstack([agreed, counts])


def kappa(sums: np.ndarray, ratings: int) -> np.ndarray:
    """Fleiss' kappa (Psychological Bulletin 76, 1971) of summed `kappa_sums` (..., 1 + categories);
    `ratings` per unit.
    """
    chosen = sums[..., 1:]
    total = chosen.sum(axis=-1)
    observed = _ratio(sums[..., 0], total / ratings)
    expected = (_ratio(chosen, total[..., None]) ** 2).sum(axis=-1)
    return _ratio(observed - expected, 1 - expected)


def coincidence_sums(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    """(n, categories^2): each unit's part of Krippendorff's coincidence matrix; zeros for a unit
    with fewer than two ratings.
    """
    counts = _counts(units, categories)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, range(categories), range(categories)] -= counts
    raters = counts.sum(axis=1)
    return (pairs / np.maximum(raters - 1, 1)[:, None, None]).reshape(len(units), -1)


def nominal_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha of summed `coincidence_sums` (..., categories^2) for categories without
    an order: every disagreement counts alike (Krippendorff 2011, Section C).
    """
    size = round(sums.shape[-1] ** 0.5)
    observed = sums.reshape(*sums.shape[:-1], size, size)
    margins = observed.sum(axis=-1)
    total = margins.sum(axis=-1)
    agreed = np.trace(observed, axis1=-2, axis2=-1)
    return 1 - _ratio((total - 1) * (total - agreed), total**2 - (margins**2).sum(axis=-1))


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
    return 1 - _ratio(
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
    return 1 - _ratio((ratings - 1) * within, 2 * (ratings * squares - total**2))


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
    return _ratio(product, np.sqrt(own * other))


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, n): the rank of each item when item i stands `weights[., i]` times in the draw."""
    distinct, codes = np.unique(values, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    counts = np.add.reduceat(
        weights[:, order], np.searchsorted(codes[order], np.arange(len(distinct))), axis=1
    )
    return (counts.cumsum(axis=1) - counts / 2 + 0.5)[:, codes]


def _counts(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    return np.array(
        [np.bincount(unit, minlength=categories) for unit in units], dtype=float
    ).reshape(-1, categories)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    below = np.asarray(below, dtype=float)
    # What is 0 in exact arithmetic may come out as a rounding error of large sums.
    defined = np.abs(below) > 1e-12 * np.maximum(1.0, np.abs(above))
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)
