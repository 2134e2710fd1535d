"""Two sides of a pool of measured conversations -> for every dimension a distance, its interval,
how far halves of people are apart, and whether the two sides can be people alike.

The test: were both sides the same kind of customer, dividing the same conversations at random would
give such a distance as often as not. p is the share of random divisions with a distance at least as
large; Holm's correction over all dimensions keeps the chance that people fail anywhere at 5 %,
whatever depends on whatever. Nothing of it is about one kind of distribution. Where both sides have
the same conversations they differ less than random divisions of them do, so that the test then errs
towards passing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.audit import resampling as re
from leaderboard.audit.classifier import auc, held_out_scores
from leaderboard.audit.dimensions import DIMENSIONS, Dimension
from leaderboard.audit.measuring import Measured
from leaderboard.customer_audit import LEVEL
from leaderboard.numbers.inference import holm

Floats = NDArray[np.float64]
DIVISIONS = 1999
HALVES = 400
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Compared:
    """One dimension. distance with its 95 % interval; p, and adjusted for the number of dimensions.
    halves: (HALVES,) distances between halves of the recorded side. feature: the one that differs
    most. shown: (n,) what a picture shows of each conversation.
    """

    dimension: Dimension
    distance: float
    low: float
    high: float
    p: float
    adjusted: float
    halves: Floats
    feature: int
    shown: Floats

    @property
    def failed(self) -> bool:
        """Whether the two sides are further apart than people are."""
        return self.adjusted < LEVEL


@dataclass(frozen=True, slots=True)
class Setup:
    """What all dimensions are tested with: the same divisions, halves and draws, so that a
    dimension's result does not depend on which others there are. people: where the recorded
    conversations are.
    """

    observed: re.Sides
    divisions: re.Sides
    halves: re.Sides
    draws: re.Sides
    people: NDArray[np.intp]

    @classmethod
    def of(cls, ids: NDArray[Any], played: NDArray[np.bool_], seed: int, quick: bool) -> "Setup":
        """quick: without intervals and halves, where the verdict alone is wanted."""
        generator = np.random.default_rng([seed, 20])
        own = int(played.sum())
        people = np.flatnonzero(~played)
        divisions = re.random_divisions(len(played), own, DIVISIONS, generator)
        halves = re.random_divisions(
            len(people), len(people) // 2, 1 if quick else HALVES, generator
        )
        weights = re.random_weights(ids, 1 if quick else DRAWS, generator)
        return cls(
            re.Sides.of(played[None, :], ~played[None, :], ids),
            re.Sides.of(divisions, 1 - divisions, ids),
            re.Sides.of(halves, 1 - halves, ids[people]),
            re.Sides.of(weights * played, weights * ~played, ids),
            people,
        )


def compare(
    measured: Measured, played: NDArray[np.bool_], seed: int = 0, quick: bool = False
) -> list[Compared]:
    """Compare the played conversations of a pool with the others, on every dimension that applies.
    Both sides need two conversations at least.
    """
    setup = Setup.of(measured.ids, played, seed, quick)
    results = [
        _KINDS[dimension.kind](dimension, measured, setup)
        for dimension in DIMENSIONS
        if dimension.id not in measured.missing
    ]
    adjusted = holm([result.p for result in results])
    return [
        Compared(
            dimension=result.dimension,
            distance=result.distance,
            low=result.low,
            high=result.high,
            p=result.p,
            adjusted=1.0 if value is None else float(value),
            halves=result.halves,
            feature=result.feature,
            shown=result.shown,
        )
        for result, value in zip(results, adjusted, strict=True)
    ]


def _by_features(dimension: Dimension, measured: Measured, setup: Setup) -> Compared:
    values = re.standardised(measured.features[dimension.id])
    differences = re.shift(values, setup.observed)[0]
    if dimension.worse == "both":
        apart = re.distances(values)
        feature = int(np.argmax(np.abs(differences)))
        observed = float(re.energy(apart, setup.observed)[0])
        others = re.energy(apart, setup.divisions)
        halves = re.energy(apart[np.ix_(setup.people, setup.people)], setup.halves)
        draws = re.energy(apart, setup.draws)
    else:
        sign = 1 if dimension.worse == "more" else -1
        feature = int(np.argmax(sign * differences))
        observed = float(sign * differences[feature])
        others = re.shift(values, setup.divisions, sign).max(axis=1)
        halves = re.shift(values[setup.people], setup.halves, sign).max(axis=1)
        draws = re.shift(values[:, [feature]], setup.draws, sign)[:, 0]
    shown = measured.features[dimension.id][:, feature]
    return _result(dimension, observed, others, halves, draws, feature, shown)


def _by_likeness(dimension: Dimension, measured: Measured, setup: Setup) -> Compared:
    alike = measured.likeness
    own = setup.observed.own[0]
    companions = (own[:, None] == own[None, :]) & ~setup.observed.same
    shown = (alike * companions).sum(axis=1) / np.maximum(1, companions.sum(axis=1))
    return _result(
        dimension,
        float(re.likeness(alike, setup.observed)[0]),
        re.likeness(alike, setup.divisions),
        re.likeness(alike[np.ix_(setup.people, setup.people)], setup.halves),
        re.likeness(alike, setup.draws),
        0,
        shown,
    )


def _by_classifier(dimension: Dimension, measured: Measured, setup: Setup) -> Compared:
    people = setup.people
    matrix = held_out_scores(measured.gram, measured.ids)
    observed, labels, halves = setup.observed.own.T, setup.divisions.own.T, setup.halves.own.T
    among = held_out_scores(measured.gram[np.ix_(people, people)], measured.ids[people])
    scores = matrix @ observed
    return _result(
        dimension,
        float(auc(scores, observed)[0]),
        auc(matrix @ labels, labels),
        auc(among @ halves, halves),
        re.weighted_auc(scores[:, 0], setup.draws),
        0,
        scores[:, 0],
    )


_KINDS: dict[str, Callable[[Dimension, Measured, Setup], Compared]] = {
    "features": _by_features,
    "likeness": _by_likeness,
    "classifier": _by_classifier,
}


def _result(
    dimension: Dimension,
    observed: float,
    others: Floats,
    halves: Floats,
    draws: Floats,
    feature: int,
    shown: Floats,
) -> Compared:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    p = re.p_of(observed, others)
    return Compared(dimension, observed, float(low), float(high), p, p, halves, feature, shown)
