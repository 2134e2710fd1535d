"""Comparisons -> Bradley-Terry scores with intervals, and the sets of models that are not
significantly different.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.board import Value
from leaderboard.judging.bradley_terry import fit, indistinguishable
from leaderboard.judging.intervals import draws, numbered
from leaderboard.judging.ratings import Comparison
from leaderboard.numbers.inference import CONFIDENCE

RESAMPLES = 2000


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


def ranking(
    comparisons: Sequence[Comparison], seed: int, resamples: int = RESAMPLES
) -> Ranking | None:
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
    low = high = np.full((k, k), np.nan)
    drawn = None
    if count > 1:
        weights = draws(count, seed, resamples)
        drawn = fit(
            (weights @ wins.reshape(count, -1)).reshape(-1, k, k),
            (weights @ ties.reshape(count, -1)).reshape(-1, k, k),
        ).theta
        tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
        low, high = np.quantile(drawn[:, :, None] - drawn[:, None, :], tails, axis=0)
    order = sorted(range(k), key=lambda i: (-theta[i], names[i]))
    # Without an interval no difference is significant.
    sets = indistinguishable(
        np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high), order
    )
    total_wins, total_ties = wins.sum(axis=0), ties.sum(axis=0)
    models = tuple(
        Strength(
            names[i],
            _value(theta[i], None if drawn is None else drawn[:, i], len(decided), count),
            int(total_wins[i].sum()),
            int(total_ties[i].sum()),
            int(total_wins[:, i].sum()),
        )
        for i in order
    )
    differences = {
        (names[i], names[j]): _value(
            theta[i] - theta[j],
            None if drawn is None else drawn[:, i] - drawn[:, j],
            len(decided),
            count,
        )
        for position, i in enumerate(order)
        for j in order[position + 1 :]
    }
    named = tuple(tuple(names[i] for i in members) for members in sets)
    return Ranking(
        models,
        named,
        differences,
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


def _value(value: float, drawn: np.ndarray | None, items: int, clusters: int) -> Value:
    if drawn is None:
        return Value(value=float(value), items=items, clusters=clusters, method="none")
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Value(
        value=float(value),
        stderr=float(drawn.std(ddof=1)),
        low=float(low),
        high=float(high),
        items=items,
        clusters=clusters,
        method="bootstrap",
    )
