"""Does the order of the candidates survive another customer? Kendall's tau between the orders that
two customers give, with an interval over conversations.

tau-b of two orders of the same models: of all pairs of models, those that both customers put the
same way round less those that they do not, over the root of how many each tells apart. 1: the same
order, -1: the reverse. The interval draws conversations with replacement, each with all models and
customers, and orders the models anew.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from leaderboard.audit.candidates import Numbers
from leaderboard.board import Value

DRAWS = 2000
FEWEST = 5
"""Conversations that all have the measure, below which nothing is said."""


def table_of(runs: Sequence[Sequence[Numbers]], measure: str) -> NDArray[np.float64]:
    """(conversations, models, customers): one measure in every conversation that all have it in.
    runs[m][c]: of model m with customer c.
    """
    every = [numbers for own in runs for numbers in own]
    shared = [
        id_
        for id_ in every[0]
        if all(id_ in numbers and numbers[id_].get(measure) is not None for numbers in every)
    ]
    values = [[[numbers[id_][measure] for numbers in own] for own in runs] for id_ in shared]
    return np.asarray(values, dtype=float).reshape(len(shared), len(runs), len(runs[0]))


def kendall(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., customers, customers): tau-b between the orders of the models; means: (..., models,
    customers). NaN where a customer tells no two models apart.
    """
    pairs = list(combinations(range(means.shape[-2]), 2))
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    ways = np.sign(np.round(means[..., first, :] - means[..., second, :], 12))
    agreeing = np.einsum("...pa,...pb->...ab", ways, ways)
    told = np.abs(ways).sum(axis=-2)
    scale = np.sqrt(told[..., :, None] * told[..., None, :])
    return np.asarray(np.where(scale > 0, agreeing / np.where(scale > 0, scale, 1.0), np.nan))


def taus(table: NDArray[np.float64], seed: int = 0) -> dict[tuple[int, int], Value]:
    """Tau between every two customers, and under (-1, -1) the mean of them, with 95 % intervals.
    table: as of `table_of`.
    """
    size, customers = len(table), table.shape[2]
    pairs = list(combinations(range(customers), 2))
    if size < FEWEST:
        nothing = Value(value=None, items=size, clusters=size, method="none", reason="no value")
        return dict.fromkeys([*pairs, (-1, -1)], nothing)
    generator = np.random.default_rng([seed, 7])
    weights = generator.multinomial(size, np.full(size, 1 / size), size=DRAWS) / size
    observed = kendall(table.mean(axis=0))
    drawn = kendall(np.einsum("rn,nmc->rmc", weights, table))
    results = {(a, b): _value(observed[a, b], drawn[:, a, b], size) for a, b in pairs}
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    results[-1, -1] = _value(
        observed[first, second].mean(), drawn[:, first, second].mean(axis=1), size
    )
    return results


def _value(observed: float, drawn: NDArray[np.float64], size: int) -> Value:
    """Draws in which a customer tells no two models apart say nothing of their order."""
    known = drawn[~np.isnan(drawn)]
    if np.isnan(observed) or not len(known):
        return Value(value=None, items=size, clusters=size, method="none", reason="no value")
    low, high = np.quantile(known, [0.025, 0.975])
    return Value(
        value=float(observed),
        low=min(float(low), float(observed)),
        high=max(float(high), float(observed)),
        items=size,
        clusters=size,
        method="bootstrap",
    )
