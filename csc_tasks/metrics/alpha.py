"""Krippendorff's alpha for categories without an order, as sufficient statistics per unit and a
function of their sums.

That form is what the jackknife over conversations needs (cluster.py): sums are made once, and what
is left without a conversation is a difference. Units are lists of what each rater said, missing
ratings left out; a unit with one rating says nothing about agreement. A sample in which everybody
always says the same has no defined coefficient: NaN.
"""

from collections.abc import Sequence

import numpy as np


def coincidence_sums(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    """(n, categories^2): each unit's part of Krippendorff's coincidence matrix; zeros for a unit
    with fewer than two ratings. Categories are 0..categories-1.
    """
    counts = counts_of(units, categories)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, range(categories), range(categories)] -= counts
    raters = counts.sum(axis=1)
    sums: np.ndarray = (pairs / np.maximum(raters - 1, 1)[:, None, None]).reshape(len(units), -1)
    return sums


def nominal_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha of summed `coincidence_sums` (..., categories^2) for categories without
    an order: every disagreement counts alike (Krippendorff 2011, Section C).
    """
    size = round(sums.shape[-1] ** 0.5)
    observed = sums.reshape(*sums.shape[:-1], size, size)
    margins = observed.sum(axis=-1)
    total = margins.sum(axis=-1)
    agreed = np.trace(observed, axis1=-2, axis2=-1)
    return 1 - ratio((total - 1) * (total - agreed), total**2 - (margins**2).sum(axis=-1))


def counts_of(units: Sequence[Sequence[int]], categories: int) -> np.ndarray:
    """(n, categories): how many raters of a unit chose each category."""
    return np.array(
        [np.bincount(unit, minlength=categories) for unit in units], dtype=float
    ).reshape(-1, categories)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where below is 0 but for a rounding error."""
    below = np.asarray(below, dtype=float)
    # What is 0 in exact arithmetic may come out as a rounding error of large sums.
    defined = np.abs(below) > 1e-12 * np.maximum(1.0, np.abs(above))
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)
