"""Bradley-Terry scores from paired comparisons with ties, in Davidson's model, fitted by maximum
likelihood.

P(i beats j) : P(j beats i) : P(tie) = pi_i : pi_j : nu * sqrt(pi_i * pi_j), with theta = log pi of
mean 0 and nu >= 0 (Davidson, Journal of the American Statistical Association 65, 1970). Without
ties nu is 0 and it is the model of Bradley and Terry (1952). A score difference of d means e^d wins
for each loss.

A likelihood may have no maximum when wins do not lead from every model to every other (somebody is
never beaten by the rest). Then half a win each way is added to every pair that was compared, and
`bounded` says so: the order is still the data's, distances are a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEPS, CLOSE = 60, 1e-10


@dataclass(frozen=True, slots=True)
class Fit:
    """theta (..., k): scores of mean 0. nu (...): how common ties are, 0 without any. bounded
    (...): whether half wins had to be added.
    """

    theta: np.ndarray
    nu: np.ndarray
    bounded: np.ndarray


def fit(wins: np.ndarray, ties: np.ndarray) -> Fit:
    """The fit of wins (..., k, k), wins[i, j] = how often i beat j, and ties (..., k, k),
    symmetric. Many tables at once, k at least 2.
    """
    wins, ties = np.asarray(wins, dtype=float), np.asarray(ties, dtype=float)
    shape, k = wins.shape[:-2], wins.shape[-1]
    wins, ties = wins.reshape(-1, k, k), ties.reshape(-1, k, k)
    # Wins that lead everywhere leave no direction in which the likelihood never falls; ties alone
    # do not see to that.
    bounded = ~_connected(wins > 0)
    met = (wins + wins.transpose(0, 2, 1) + ties) > 0
    # What never met, not even by way of others, is unknown and not infinitely far away: then every
    # pair gets its half wins.
    apart = ~_connected(met)
    added = np.where(apart[:, None, None], ~np.eye(k, dtype=bool), met)
    wins = wins + 0.5 * added * bounded[:, None, None]
    theta, nu = _newton(wins, ties)
    return Fit(theta.reshape(*shape, k), nu.reshape(shape), bounded.reshape(shape))


def indistinguishable(low: np.ndarray, high: np.ndarray, order: Sequence[int]) -> list[list[int]]:
    """The largest sets of models no two of which are significantly different, best first.

    low, high: (k, k) intervals of theta_i - theta_j; a pair is significantly different when its
    interval has no 0 in it. `order`: best first.
    """
    same = (low <= 0) & (high >= 0)
    sets: list[frozenset[int]] = []

    def grow(members: frozenset[int], candidates: list[int], excluded: list[int]) -> None:
        if not candidates and not excluded:
            sets.append(members)
        for position, i in enumerate(candidates):
            rest = candidates[position + 1 :]
            grow(
                members | {i},
                [j for j in rest if same[i, j]],
                [j for j in [*excluded, *candidates[:position]] if same[i, j]],
            )

    grow(frozenset(), list(order), [])
    place = {model: i for i, model in enumerate(order)}
    return sorted(
        (sorted(members, key=place.__getitem__) for members in sets),
        key=lambda members: [place[i] for i in members],
    )


def _newton(wins: np.ndarray, ties: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximise the log-likelihood, concave in (theta, log nu): Newton's steps, halved where they
    would go down.
    """
    tables, k = wins.shape[:2]
    upper = np.triu_indices(k, 1)
    first, second = upper
    won, lost, tied = wins[:, first, second], wins[:, second, first], ties[:, first, second]
    tying = tied.sum(axis=1) > 0
    parameters = np.zeros((tables, k + 1))
    rows = _outcomes(first, second, k)
    outer = np.einsum("opd,ope->opde", rows, rows).reshape(3 * len(first), -1)
    seen = np.stack([won, lost, tied], axis=1)
    total = seen.sum(axis=1)
    # Tables without ties: nu is 0, not merely small. A weight of 0 takes the outcome out.
    allowed = np.ones((tables, 3, 1))
    allowed[~tying, 2] = 0

    def shares(at):
        powers = np.einsum("opd,td->top", rows, at)
        powers = np.where(allowed > 0, powers, -np.inf)
        top = powers.max(axis=1, keepdims=True)
        scaled = np.exp(powers - top)
        whole = scaled.sum(axis=1, keepdims=True)
        usual = np.where(
            seen > 0, seen * (np.where(np.isfinite(powers), powers, 0.0) - top - np.log(whole)), 0.0
        )
        return scaled / whole, usual.sum(axis=(1, 2))

    probability, height = shares(parameters)
    for _ in range(STEPS):
        gradient = np.einsum("top,opd->td", seen - probability * total[:, None], rows)
        mean = np.einsum("top,opd->tpd", probability, rows)
        # E[x x'] - E[x] E[x]' of each pair, summed: as matrix products, because all tables' pairs
        # at once would not fit into memory.
        squares = (probability * total[:, None]).reshape(tables, -1) @ outer
        curvature = squares.reshape(tables, k + 1, k + 1) - np.matmul(
            (mean * total[..., None]).transpose(0, 2, 1), mean
        )
        # Scores are known up to a constant, and log nu not at all without ties: fix both.
        curvature[:, :k, :k] += 1.0
        curvature[~tying, k, k] += 1.0
        gradient[~tying, k] = 0.0
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        size = np.ones(tables)
        for _ in range(30):
            tried, reached = shares(parameters + size[:, None] * step)
            worse = reached < height - 1e-12 * np.abs(height)
            if not worse.any():
                break
            size[worse] /= 2
        parameters = parameters + size[:, None] * step
        probability, height = tried, reached
        if np.abs(step).max() < CLOSE:
            break
    theta = parameters[:, :k]
    return theta - theta.mean(axis=1, keepdims=True), np.where(tying, np.exp(parameters[:, k]), 0.0)


def _outcomes(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    """(3, pairs, k + 1): what first wins, second wins and a tie add to the log-likelihood, as rows
    over (theta, log nu).
    """
    pairs = np.arange(len(first))
    rows = np.zeros((3, len(first), k + 1))
    rows[0, pairs, first] = rows[1, pairs, second] = 1
    rows[2, pairs, first] = rows[2, pairs, second] = 0.5
    rows[2, :, k] = 1
    return rows


def _connected(edges: np.ndarray) -> np.ndarray:
    """Whether in each (k, k) graph every node can be reached from every other (with wins: Ford,
    1957).
    """
    k = edges.shape[-1]
    reach = edges | np.eye(k, dtype=bool)
    for _ in range(k.bit_length()):
        reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
    return np.asarray(reach.all(axis=(-2, -1)))
