"""What moves a judge besides quality: order, length, self-preference, a scale that is full, and
chance. Each as a number with its interval.

Intervals are clustered by conversation. A value without enough behind it (one model, one judge, no
comparison) is None, not 0.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from leaderboard.board import Value
from leaderboard.judging import coefficients
from leaderboard.judging.dimensions import middle, score_class
from leaderboard.judging.families import family
from leaderboard.judging.intervals import AGREEMENT, coefficient, mean, slope
from leaderboard.judging.ratings import Comparison, Rating
from leaderboard.numbers.intervals import SHARE
from leaderboard.numbers.scales import JUDGED

Place = tuple[str, str]
"""(model, unit)."""


@dataclass(frozen=True, slots=True)
class Position:
    """first: share of answers for the first minus share for the second (0: no effect, 1: always the
    first).

    flips: share of comparisons, among those answered in both orders, whose winner changed with the
    order. longer: share of comparisons won by the longer reply minus share won by the shorter one
    (it may also be the better one).
    """

    first: Value
    flips: Value
    longer: Value


@dataclass(frozen=True, slots=True)
class Saturation:
    """Shares of scores: the full 100, the top class (80 and more), and the commonest score.
    different: how many scores were used at all.
    """

    full: Value
    top: Value
    commonest: float
    commonest_share: Value
    different: int
    spread: float


@dataclass(frozen=True, slots=True)
class Stability:
    """Two askings about the same thing: mean absolute difference of scores, share in the same
    class, and interval alpha between them.
    """

    difference: Value
    same_class: Value
    alpha: Value


def position(comparisons: Sequence[Comparison]) -> Position:
    """The effect of order, and of length, in one judge's comparisons."""
    sign = {"first": 1.0, "second": -1.0, "tie": 0.0}
    asked = [
        (sign[answer], c.conversation_id)
        for c in comparisons
        for answer in (c.forward, c.backward)
        if answer is not None
    ]
    both = [c for c in comparisons if c.winner is not None]
    longer = [c for c in both if c.length_a != c.length_b]
    a_won = {"a": 1.0, "b": -1.0, "tie": 0.0}
    won = [a_won[c.winner or "tie"] * (1 if c.length_a > c.length_b else -1) for c in longer]
    return Position(
        mean([value for value, _ in asked], [cluster for _, cluster in asked], AGREEMENT),
        mean([float(c.flipped) for c in both], [c.conversation_id for c in both], SHARE),
        mean(won, [c.conversation_id for c in longer], AGREEMENT),
    )


def length(ratings: Iterable[Rating], judge: str) -> tuple[Value, Value]:
    """Points for each doubling of the length, among replies of different models in the same place:
    (raw, beyond the other raters).

    Raw: longer replies may be better ones. Beyond the others: of what this judge gives more than
    all other raters do on average, who see the same quality; None where nobody else rated.
    """
    overall, places = _overall(ratings)
    own = overall.get(judge, {})
    others = _others(overall, judge)
    beyond = {place: score - others[place] for place, score in own.items() if place in others}
    return _length_slope(own, places), _length_slope(beyond, places)


def self_preference(
    ratings: Iterable[Rating], judge: str, asked: str, given: Mapping[str, str]
) -> Value:
    """Points that a judge adds to models of its own family: what it gives them more than the other
    raters do, minus the same for the rest.

    None where the judge's family is not known, no rated model is of it or all are, or nobody else
    rated.
    """
    own = family(judge, given) or family(asked.partition(":")[2], given)
    overall, places = _overall(ratings)
    others = _others(overall, judge)
    more: dict[str, dict[bool, list[float]]] = defaultdict(lambda: {True: [], False: []})
    for place, score in overall.get(judge, {}).items():
        if place in others:
            related = own is not None and family(place[0], given) == own
            more[place[1]][related].append(score - others[place])
    # Within a place both kinds saw the same question, so its difficulty cancels.
    pairs = [
        (sum(m[True]) / len(m[True]) - sum(m[False]) / len(m[False]), unit)
        for unit, m in more.items()
        if m[True] and m[False]
    ]
    conversations = {unit: rating.conversation_id for (_, unit), rating in places.items()}
    return mean([value for value, _ in pairs], [conversations[unit] for _, unit in pairs])


def saturation(ratings: Iterable[Rating]) -> Saturation | None:
    """Of one judge's scores; None without any."""
    scores = [
        (score, r.conversation_id)
        for r in ratings
        if r.scores is not None and not r.repeat
        for score in r.scores.values()
    ]
    if not scores:
        return None
    clusters = [cluster for _, cluster in scores]
    counted = Counter(score for score, _ in scores)
    commonest = max(counted, key=lambda score: (counted[score], score))
    full, top, usual = (
        mean([float(holds(score)) for score, _ in scores], clusters, SHARE)
        for holds in (
            lambda score: score >= 100,
            lambda score: score >= 80,
            lambda score: score == commonest,
        )
    )
    return Saturation(
        full, top, commonest, usual, len(counted), float(np.std([score for score, _ in scores]))
    )


def stability(ratings: Iterable[Rating]) -> Stability | None:
    """Of one judge, from what was asked twice; None where nothing was."""
    asked: dict[tuple[str, str], dict[int, Mapping[str, float]]] = defaultdict(dict)
    conversations: dict[tuple[str, str], str] = {}
    for rating in ratings:
        if rating.scores is not None:
            asked[rating.model, rating.unit][rating.repeat] = rating.scores
            conversations[rating.model, rating.unit] = rating.conversation_id
    pairs = [
        (first, both[1][name], conversations[place])
        for place, both in asked.items()
        if {0, 1} <= both.keys()
        for name, first in both[0].items()
        if name in both[1]
    ]
    if not pairs:
        return None
    clusters = [cluster for _, _, cluster in pairs]
    return Stability(
        mean([abs(a - b) for a, b, _ in pairs], clusters, JUDGED),
        mean([float(score_class(a) == score_class(b)) for a, b, _ in pairs], clusters, SHARE),
        coefficient(
            coefficients.interval_sums([(a, b) for a, b, _ in pairs]),
            clusters,
            coefficients.interval_alpha,
        ),
    )


def missing_share(items: Sequence[Rating | Comparison]) -> Value:
    """Share of one judge's ratings or comparisons that are missing."""
    absent = [
        float(item.scores is None if isinstance(item, Rating) else item.winner is None)
        for item in items
    ]
    return mean(absent, [item.conversation_id for item in items], SHARE)


def _overall(
    ratings: Iterable[Rating],
) -> tuple[dict[str, dict[Place, float]], dict[Place, Rating]]:
    """(rater -> place -> mean score over dimensions, on 0..100; place -> a rating of it)."""
    overall: dict[str, dict[Place, float]] = defaultdict(dict)
    places = {}
    for rating in ratings:
        if rating.scores and not rating.repeat:
            scores = [
                middle(score) if rating.kind == "human" else score
                for score in rating.scores.values()
            ]
            overall[rating.rater][rating.model, rating.unit] = sum(scores) / len(scores)
            places[rating.model, rating.unit] = rating
    return overall, places


def _others(overall: Mapping[str, Mapping[Place, float]], judge: str) -> dict[Place, float]:
    """Place -> mean of what all but one rater gave it."""
    given: dict[Place, list[float]] = defaultdict(list)
    for rater, own in overall.items():
        for place, score in own.items() if rater != judge else ():
            given[place].append(score)
    return {place: sum(scores) / len(scores) for place, scores in given.items()}


def _length_slope(scores: Mapping[Place, float], places: Mapping[Place, Rating]) -> Value:
    """The slope of scores on log2 of the length, both centred within a unit: only models in the
    same place are compared.
    """
    by_unit: dict[str, list[Place]] = defaultdict(list)
    for place in scores:
        if places[place].length:
            by_unit[place[1]].append(place)
    x, y, clusters = [], [], []
    for own in by_unit.values():
        doublings, given = (
            [log2(places[place].length) for place in own],
            [scores[place] for place in own],
        )
        x += [value - sum(doublings) / len(own) for value in doublings]
        y += [value - sum(given) / len(own) for value in given]
        clusters += [places[place].conversation_id for place in own]
    return slope(x, y, clusters)
