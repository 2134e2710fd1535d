"""Distances between two sides of a pool of conversations, for many ways to divide it at once.

A division is a row of ones (the played side) and zeros; Z is (b, n). Three kinds of distance, each
0 where both sides are alike, whatever their sizes:

    energy     2 E|x - y| - E|x - x'| - E|y - y'| over a dimension's features, each in standard
               deviations of the pool (Szekely and Rizzo 2004), without a conversation's distance to
               itself
    shift      mean of the played side less that of the other, in the direction that is worse, of
               the feature where that is largest
    likeness   how much more alike the conversations of the played side are to each other

An interval draws conversations with replacement, each with all that it has on both sides.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def standardised(features: Floats) -> Floats:
    """(n, k) in standard deviations of the pool; what a conversation says nothing of is the mean.
    Features that are the same everywhere become 0.
    """
    with np.errstate(invalid="ignore"):
        counts = np.maximum(1, (~np.isnan(features)).sum(axis=0))
        mean = np.nansum(features, axis=0) / counts
        centred = np.where(np.isnan(features), 0.0, features - mean)
        spread = np.sqrt((centred**2).sum(axis=0) / counts)
    return np.asarray(np.where(spread > 1e-12, centred / np.where(spread > 0, spread, 1.0), 0.0))


def distances(values: Floats) -> NDArray[np.float32]:
    """(n, n): how far any two conversations are apart, in standard deviations of one feature."""
    squares = (values**2).sum(axis=1)
    square = squares[:, None] + squares[None, :] - 2 * values @ values.T
    apart = np.sqrt(np.maximum(square, 0.0) / max(1, values.shape[1]))
    np.fill_diagonal(apart, 0.0)
    return apart.astype(np.float32)


def energy(apart: NDArray[Any], divisions: NDArray[Any]) -> Floats:
    """The energy distance of each division."""
    within, across, other = _means(apart, np.ones((1, divisions.shape[1])), divisions, 1 - divisions)
    return 2 * across - within - other


def shift(values: Floats, divisions: NDArray[Any], worse: int) -> Floats:
    """(b, k): the shift of each feature in each division, positive where it is worse."""
    played = divisions @ values / divisions.sum(axis=1, keepdims=True)
    others = (1 - divisions) @ values / (1 - divisions).sum(axis=1, keepdims=True)
    return np.asarray(worse * (played - others), dtype=float)


def likeness(alike: NDArray[Any], divisions: NDArray[Any]) -> Floats:
    """How much more alike the played side is within itself, in each division."""
    within, _, other = _means(alike, np.ones((1, divisions.shape[1])), divisions, 1 - divisions)
    return within - other


def weighted_energy(apart: NDArray[Any], weights: NDArray[Any], played: NDArray[Any]) -> Floats:
    """The energy distance of each draw of conversations; weights (r, n) say how often each is
    drawn.
    """
    within, across, other = _means(apart, weights, weights * played, weights * (1 - played))
    return 2 * across - within - other


def weighted_shift(values: Floats, weights: NDArray[Any], played: NDArray[Any]) -> Floats:
    """(r,): the difference of the sides' means of one feature in each draw."""
    own, others = weights * played, weights * (1 - played)
    return np.asarray(own @ values / own.sum(axis=1) - others @ values / others.sum(axis=1))


def weighted_likeness(alike: NDArray[Any], weights: NDArray[Any], played: NDArray[Any]) -> Floats:
    """`likeness` of each draw."""
    within, _, other = _means(alike, weights, weights * played, weights * (1 - played))
    return within - other


def weighted_auc(scores: Floats, weights: NDArray[Any], played: NDArray[Any]) -> Floats:
    """The area under the curve in each draw, of scores that stay as they are."""
    own, others = weights * played, weights * (1 - played)
    rounded = np.round(scores, 9)
    above = np.sign(rounded[:, None] - rounded[None, :]) / 2 + 0.5
    pairs = ((own @ above) * others).sum(axis=1)
    return np.asarray(pairs / (own.sum(axis=1) * others.sum(axis=1)))


def random_divisions(
    size: int, played: int, count: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """(count, size): divisions at random with as many on the played side each."""
    ranks = np.argpartition(generator.random((count, size)), played - 1, axis=1)[:, :played]
    divisions = np.zeros((count, size), dtype=np.float32)
    np.put_along_axis(divisions, ranks, 1.0, axis=1)
    return divisions


def random_weights(
    ids: NDArray[Any], count: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """(count, n): how often each conversation is drawn; those with one id together."""
    different, places = np.unique(ids, return_inverse=True)
    size = len(different)
    drawn = generator.multinomial(size, np.full(size, 1 / size), size=count)
    return np.asarray(drawn[:, places], dtype=np.float32)


def p_of(value: float, others: Floats) -> float:
    """The share of divisions whose distance is at least this one, with this one among them."""
    at_least = np.count_nonzero(others >= value - 1e-7 * max(1.0, abs(value)))
    return (1 + at_least) / (1 + len(others))


def _means(
    matrix: NDArray[Any], everything: NDArray[Any], own: NDArray[Any], others: NDArray[Any]
) -> tuple[Floats, Floats, Floats]:
    """The means of a symmetric matrix over pairs within `own`, across, and within `others`, a
    conversation with itself left out. Each (b,). everything: own + others, or one row of ones.
    """
    matrix = matrix.astype(np.float32)
    np.fill_diagonal(matrix, 0.0)
    own, others = np.asarray(own, dtype=np.float32), np.asarray(others, dtype=np.float32)
    half = own @ matrix
    rest = np.asarray(everything, dtype=np.float32) @ matrix - half

    def mean(product: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> Floats:
        sums = np.einsum("ij,ij->i", product, b)
        pairs = a.sum(axis=1) * b.sum(axis=1) - np.einsum("ij,ij->i", a, b)
        return np.asarray(sums / np.where(pairs > 0, pairs, np.nan), dtype=float)

    return mean(half, own, own), mean(half, own, others), mean(rest, others, others)
