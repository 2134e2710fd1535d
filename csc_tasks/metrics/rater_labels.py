"""Agreement of a reply's strategies with what several raters say of a turn, and of one rater with
the others: the ceiling that a reply can be expected to reach.

A prediction is the list of strategy ids that a reply names, in order ([] where none can be read);
a reference is the list of the raters' own lists. The first strategy of a list is its main one. The
language plays no part.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID, STRATEGIES
from csc_tasks.metrics.cluster import Scores

Named = Sequence[str]
"""The strategies that a reply or a rater names, in order."""


def acceptable(raters: Sequence[Named]) -> frozenset[str]:
    """The strategies that at least a third of the raters name, in any place; where none reaches a
    third, those that most of them name.
    """
    votes = Counter(name for named in raters for name in set(named))
    enough = {name for name, count in votes.items() if 3 * count >= len(raters)}
    most = max(votes.values(), default=0)
    return frozenset(enough or {name for name, count in votes.items() if count == most})


def majority_of(raters: Sequence[Named]) -> str:
    """The main strategy of most raters; of a tie the earliest of the twelve."""
    votes = Counter(named[0] for named in raters)
    return max(STRATEGIES, key=lambda strategy: (votes[strategy.id], -strategy.number)).id


def in_set(named: Named, raters: Sequence[Named]) -> float:
    """1.0 where the main strategy is an acceptable one."""
    return float(bool(named) and named[0] in acceptable(raters))


def agreement(named: Named, raters: Sequence[Named]) -> float:
    """Share of the raters whose main strategy is this one's."""
    return sum(bool(named) and named[0] == other[0] for other in raters) / len(raters)


def set_f1(named: Named, raters: Sequence[Named]) -> float:
    """Mean over the raters of 2 |A and B| / (|A| + |B|), A and B being both sets of strategies."""
    own = set(named)
    overlaps = (2 * len(own & set(other)) / (len(own) + len(set(other))) for other in raters)
    return sum(overlaps) / len(raters)


def is_majority(named: Named, raters: Sequence[Named]) -> float:
    """1.0 where the main strategy is the one that most raters have."""
    return float(bool(named) and named[0] == majority_of(raters))


def strategy_in_set(
    predictions: Sequence[Named], references: Sequence[Sequence[Named]], language: str = ""
) -> Scores:
    """1.0 where the main strategy is one that at least a third of the raters name, else 0.0.

    Unit: one turn, 0-1, higher is better. Limit: where raters disagree widely nearly everything is
    in the set. Raises DataError for an id that is none of the twelve, and for a turn without
    raters.
    """
    items = _each(in_set, predictions, references)
    return Scores(items, "strategy_in_set|labels:12|share:1/3|unparsed:wrong")


def strategy_agreement(
    predictions: Sequence[Named], references: Sequence[Sequence[Named]], language: str = ""
) -> Scores:
    """The share of the raters whose main strategy is that of the reply: how often a rater drawn by
    chance agrees.

    Unit: one turn, 0-1, higher is better. Limit: nobody reaches 1 where raters disagree. Raises as
    `strategy_in_set` does.
    """
    items = _each(agreement, predictions, references)
    return Scores(items, "strategy_agreement|labels:12|unparsed:wrong")


def strategy_set_f1(
    predictions: Sequence[Named], references: Sequence[Sequence[Named]], language: str = ""
) -> Scores:
    """F1 of the set of strategies that the reply names and the set that a rater names, the mean
    over the raters.

    Unit: one turn, 0-1, higher is better. Limit: the order of the strategies plays no part. Raises
    as `strategy_in_set` does.
    """
    items = _each(set_f1, predictions, references)
    return Scores(items, "strategy_set_f1|labels:12|mean:raters|unparsed:0")


CEILINGS: Mapping[str, Callable[[Named, Sequence[Named]], float]] = {
    "strategy_acc": is_majority,
    "strategy_in_set": in_set,
    "strategy_agreement": agreement,
    "strategy_set_f1": set_f1,
}
"""Metric -> what one rater reaches in it where the other raters are the reference."""


def ceiling(score: Callable[[Named, Sequence[Named]], float], raters: Sequence[Named]) -> float:
    """What one rater of a turn reaches against the others, the mean over its raters; at least two
    are needed.
    """
    others = [[*raters[:place], *raters[place + 1 :]] for place in range(len(raters))]
    scores = [score(named, rest) for named, rest in zip(raters, others, strict=True)]
    return sum(scores) / len(scores)


def _each(
    score: Callable[[Named, Sequence[Named]], float],
    predictions: Sequence[Named],
    references: Sequence[Sequence[Named]],
) -> list[float]:
    if len(predictions) != len(references):
        raise DataError(
            f"{len(predictions)} replies but labels of {len(references)} turns; every turn needs"
            " both"
        )
    items = []
    for i, (named, raters) in enumerate(zip(predictions, references, strict=True)):
        if not raters or not all(raters):
            raise DataError(f"scored item {i}: a rater names no strategy, or there is no rater")
        unknown = [name for one in (named, *raters) for name in one if name not in BY_ID]
        if unknown:
            raise DataError(
                f"scored item {i}: strategy {unknown[0]!r} is not one of {', '.join(BY_ID)}"
            )
        items.append(score(named, raters))
    return items
