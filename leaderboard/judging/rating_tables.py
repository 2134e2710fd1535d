"""Ratings as tables of units and raters, and every coefficient of agreement over them.

A unit is one dimension of one model's reply (or conversation); clusters are conversations. Classes
are 1..5 for everybody: people's as they are, judges' scores by `score_class`. Raw scores are on
0..100 for everybody: judges' as they are, people's at the middle of their class.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csc_tasks.metrics.alpha import coincidence_sums
from leaderboard.board import Value
from leaderboard.judging import coefficients
from leaderboard.judging.dimensions import CLASSES, middle, score_class
from leaderboard.judging.intervals import (
    AGREEMENT,
    NOTHING,
    coefficient,
    jackknifed,
    numbered,
)
from leaderboard.judging.ratings import Rating

HUMANS, JUDGES = "humans (mean)", "judges (mean)"

Key = tuple[str, str, str]
"""(model, unit, dimension)."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """What raters said: rater -> key -> raw score 0..100, and each unit's conversation."""

    scores: Mapping[str, Mapping[Key, float]]
    conversations: Mapping[str, str]

    def of(self, raters: Iterable[str]) -> "Opinions":
        """Those of some raters."""
        return Opinions({rater: self.scores[rater] for rater in raters}, self.conversations)

    def in_dimension(self, dimension: str) -> "Opinions":
        """Those about one dimension."""
        chosen = {
            rater: {key: score for key, score in scores.items() if key[2] == dimension}
            for rater, scores in self.scores.items()
        }
        return Opinions(chosen, self.conversations)

    def with_mean(self, name: str, raters: Sequence[str]) -> "Opinions":
        """With one more rater, who says what these say on average."""
        given: dict[Key, list[float]] = defaultdict(list)
        for rater in raters:
            for key, score in self.scores[rater].items():
                given[key].append(score)
        return Opinions(
            {**self.scores, name: {key: sum(own) / len(own) for key, own in given.items()}},
            self.conversations,
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree. kappa: Fleiss', on classes, over units with the commonest number of
    ratings (`left_out`: the others).

    ordinal: Krippendorff's alpha on classes; interval: on raw scores. spearman: rank correlation of
    raw scores, of two raters only.
    """

    units: int
    left_out: int
    kappa: Value
    ordinal: Value
    interval: Value
    spearman: Value


def opinions(ratings: Iterable[Rating]) -> Opinions:
    """The first askings of all raters, as a table; missing ratings are not in it."""
    scores: dict[str, dict[Key, float]] = defaultdict(dict)
    conversations = {}
    for rating in ratings:
        if rating.scores is None or rating.repeat:
            continue
        conversations[rating.unit] = rating.conversation_id
        for dimension, score in rating.scores.items():
            raw = middle(score) if rating.kind == "human" else float(score)
            scores[rating.rater][rating.model, rating.unit, dimension] = raw
    return Opinions(dict(scores), conversations)


def agreement(table: Opinions) -> Agreement:
    """Every coefficient among all raters of `said`, over the units that at least two of them
    rated.
    """
    by_unit: dict[Key, list[float]] = defaultdict(list)
    for own in table.scores.values():
        for key, score in own.items():
            by_unit[key].append(score)
    shared = {key: scores for key, scores in sorted(by_unit.items()) if len(scores) > 1}
    if not shared:
        return Agreement(0, 0, NOTHING, NOTHING, NOTHING, NOTHING)
    clusters = [table.conversations[unit] for _, unit, _ in shared]
    classes = [[score_class(score) - 1 for score in scores] for scores in shared.values()]
    ordinal = coefficient(coincidence_sums(classes, CLASSES), clusters, coefficients.ordinal_alpha)
    interval = coefficient(
        coefficients.interval_sums(list(shared.values())),
        clusters,
        coefficients.interval_alpha,
    )
    kappa, left_out = _kappa(classes, clusters)
    spearman = rank_correlation(table) if len(table.scores) == 2 else NOTHING
    return Agreement(len(shared), left_out, kappa, ordinal, interval, spearman)


def rank_correlation(table: Opinions) -> Value:
    """Spearman's correlation of two raters' raw scores, ranked anew without each conversation."""
    first, second = table.scores.values()
    keys = sorted(first.keys() & second.keys())
    if len(keys) < 2:
        return NOTHING
    x, y = (np.array([own[key] for key in keys]) for own in (first, second))
    codes, count = numbered([table.conversations[unit] for _, unit, _ in keys])

    # In parts: a row of weights per conversation and item would be large.
    parts = np.array_split(np.arange(count), max(1, count // 100))
    without = [
        coefficients.spearman(x, y, (part[:, None] != np.arange(count))[:, codes].astype(float))
        for part in parts
    ]
    value = float(coefficients.spearman(x, y, np.ones((1, len(keys))))[0])
    return jackknifed(value, np.concatenate(without), len(keys), AGREEMENT)


def _kappa(classes: Sequence[Sequence[int]], clusters: Sequence[str]) -> tuple[Value, int]:
    sizes = Counter(map(len, classes))
    usual = max(sizes, key=lambda size: (sizes[size], size))
    usual_units = [
        (unit, cluster)
        for unit, cluster in zip(classes, clusters, strict=True)
        if len(unit) == usual
    ]
    sums = coefficients.kappa_sums([unit for unit, _ in usual_units], CLASSES)
    value = coefficient(
        sums,
        [cluster for _, cluster in usual_units],
        lambda total: coefficients.kappa(total, usual),
    )
    return value, len(classes) - len(usual_units)
