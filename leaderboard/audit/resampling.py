"""Distances between two sides of a pool of conversations, for many ways to divide it at once.

Three kinds of distance, each 0 where both sides are alike, whatever their sizes:

    energy     2 E|x - y| - E|x - x'| - E|y - y'| over a dimension's features, each in standard
               deviations of the pool (Szekely and Rizzo 2004), over pairs of different
               conversations
    shift      mean of the played side less that of the other, in the direction that is worse, of
               the feature where that is largest
    likeness   how much more alike the conversations of the played side are to each other

An interval draws conversations with replacement, each with all that it has on both sides.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Sides:
    """Ways to divide a pool of n conversations. own, others: (b, n), how often each conversation is
    on the played side and on the other. same: (n, n), which are one conversation. pairs: (3, b),
    how many pairs of different conversations are within own, across, and within others.
    """

    own: NDArray[np.float32]
    others: NDArray[np.float32]
    same: NDArray[np.bool_]
    pairs: Floats

    @classmethod
    def of(cls, own: NDArray[Any], others: NDArray[Any], ids: NDArray[Any]) -> "Sides":
        """Sides of conversations with these ids (n,)."""
        own, others = own.astype(np.float32), others.astype(np.float32)
        same = ids[:, None] == ids[None, :]
        left, right = own @ same.astype(np.float32), others @ same.astype(np.float32)
        sizes = own.sum(axis=1, dtype=float), others.sum(axis=1, dtype=float)
        pairs = [
            sizes[0] * sizes[0] - np.einsum("ij,ij->i", left, own),
            sizes[0] * sizes[1] - np.einsum("ij,ij->i", left, others),
            sizes[1] * sizes[1] - np.einsum("ij,ij->i", right, others),
        ]
        return cls(own, others, same, np.asarray(pairs))

    def means(self, matrix: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
        """The means of a symmetric matrix (n, n) over those pairs, each (b,)."""
        between = np.where(self.same, np.float32(0), matrix.astype(np.float32))
        left, right = self.own @ between, self.others @ between
        sums = [
            np.einsum("ij,ij->i", left, self.own),
            np.einsum("ij,ij->i", left, self.others),
            np.einsum("ij,ij->i", right, self.others),
        ]
        within, across, other = np.asarray(sums) / np.where(self.pairs > 0, self.pairs, np.nan)
        return within, across, other


def energy(apart: NDArray[Any], sides: Sides) -> Floats:
    """The energy distance of each division."""
    within, across, other = sides.means(apart)
    return 2 * across - within - other


def likeness(alike: NDArray[Any], sides: Sides) -> Floats:
    """How much more alike the played side is within itself, in each division."""
    within, _, other = sides.means(alike)
    return within - other


def shift(values: Floats, sides: Sides, worse: int = 1) -> Floats:
    """(b, k): the shift of each feature (n, k) in each division, positive where it is worse."""
    own = sides.own @ values / sides.own.sum(axis=1, keepdims=True)
    others = sides.others @ values / sides.others.sum(axis=1, keepdims=True)
    return np.asarray(worse * (own - others), dtype=float)


def weighted_auc(scores: Floats, sides: Sides) -> Floats:
    """The area under the ROC curve in each draw, of scores (n,) that stay as they are."""
    rounded = np.round(scores, 9)
    above = (np.sign(rounded[:, None] - rounded[None, :]) / 2 + 0.5).astype(np.float32)
    pairs = np.einsum("ij,ij->i", sides.own @ above, sides.others)
    return np.asarray(pairs / (sides.own.sum(axis=1) * sides.others.sum(axis=1)), dtype=float)


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
