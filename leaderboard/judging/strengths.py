"""Comparisons -> Bradley-Terry scores with intervals, and the sets of models that are not
significantly different.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.board import Value
from leaderboard.judging.bradley_terry import fit, indistinguishable
from leaderboard.judging.intervals import jackknifed, numbered
from leaderboard.judging.ratings import Comparison
from leaderboard.numbers.intervals import SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Strength:
    """One model: its score (mean over models 0), and how often it won, tied and lost over both
    orders taken together.
    """

    model: str
    score: Value
    won: int
    tied: int
    lost: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Models, best first. sets: the largest sets no two of which are significantly different by
    the 95 % interval of their difference.

    bounded: somebody is never beaten by the rest and half wins were added (see `bradley_terry`).
    unusable: comparisons without a verdict in both orders, left out.
    """

    models: tuple[Strength, ...]
    sets: tuple[tuple[str, ...], ...]
    differences: dict[tuple[str, str], Value]
    bounded: bool
    comparisons: int
    unusable: int


def ranking(comparisons: Sequence[Comparison]) -> Ranking | None:
    """The ranking of all models in `comparisons`; None where none has a verdict."""
    decided = [comparison for comparison in comparisons if comparison.winner is not None]
    if not decided:
        return None
    names = sorted({name for comparison in decided for name in (comparison.a, comparison.b)})
    codes, count = numbered([comparison.conversation_id for comparison in decided])
    wins, ties = tables(decided, names, codes, count)
    strengths = fit(wins.sum(axis=0), ties.sum(axis=0))
    theta = strengths.theta
    k = len(names)
    without = np.full((count, k), np.nan)
    if count > 1:
        without = fit(wins.sum(axis=0) - wins, ties.sum(axis=0) - ties).theta
    order = sorted(range(k), key=lambda i: (-theta[i], names[i]))
    differences = {
        (i, j): jackknifed(theta[i] - theta[j], without[:, i] - without[:, j], len(decided))
        for position, i in enumerate(order)
        for j in order[position + 1 :]
    }
    # Without an interval no difference is significant.
    low, high = np.full((k, k), -np.inf), np.full((k, k), np.inf)
    for (i, j), apart in differences.items():
        if apart.low is not None and apart.high is not None:
            low[i, j], high[i, j] = apart.low, apart.high
            low[j, i], high[j, i] = -apart.high, -apart.low
        elif apart.reason == "no variation" and 2.0 ** (1 - count) < SIGNIFICANT:
            # One of two always wins: a sign test over conversations, and no interval.
            low[i, j] = high[i, j] = theta[i] - theta[j]
            low[j, i] = high[j, i] = theta[j] - theta[i]
    sets = indistinguishable(low, high, order)
    total_wins, total_ties = wins.sum(axis=0), ties.sum(axis=0)
    models = tuple(
        Strength(
            names[i],
            jackknifed(theta[i], without[:, i], len(decided)),
            int(total_wins[i].sum()),
            int(total_ties[i].sum()),
            int(total_wins[:, i].sum()),
        )
        for i in order
    )
    named = tuple(tuple(names[i] for i in members) for members in sets)
    return Ranking(
        models,
        named,
        {(names[i], names[j]): apart for (i, j), apart in differences.items()},
        bool(strengths.bounded),
        len(decided),
        len(comparisons) - len(decided),
    )


def tables(
    comparisons: Sequence[Comparison], names: Sequence[str], codes: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(wins, ties), each (conversations, k, k): wins[c, i, j] = how often i beat j there; ties is
    symmetric.
    """
    place = {name: i for i, name in enumerate(names)}
    wins, ties = np.zeros((2, count, len(names), len(names)))
    for code, comparison in zip(codes, comparisons, strict=True):
        a, b = place[comparison.a], place[comparison.b]
        if comparison.winner == "tie":
            ties[code, a, b] += 1
            ties[code, b, a] += 1
        else:
            winner, loser = (a, b) if comparison.winner == "a" else (b, a)
            wins[code, winner, loser] += 1
    return wins, ties
