"""What raters say of the supporter turns of a corpus, as a table, and how far they agree.

A unit is a turn, a category the strategy that a rater names first; further ones of a rater who
names several are not compared. Clusters are conversations.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from csc_tasks.conversation import Conversation
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.labels import MODEL, OWN
from csc_tasks.metrics.alpha import coincidence_sums, nominal_alpha
from leaderboard.board import Value
from leaderboard.judging import coefficients
from leaderboard.judging.intervals import NOTHING, coefficient, mean
from leaderboard.numbers.intervals import SHARE

PLACES = {name: i for i, name in enumerate(STRATEGY_IDS)}
SIZE = len(PLACES)


@dataclass(frozen=True, slots=True)
class Unit:
    """A turn that somebody labelled. firsts: rater -> the strategy named first. several: the raters
    who named more. strategy: the corpus' own at the end.
    """

    conversation_id: str
    turn: int
    text: str
    strategy: str
    firsts: Mapping[str, str]
    several: frozenset[str]

    def of(self, raters: Iterable[str]) -> list[str]:
        """What these raters named, those who labelled it."""
        return [self.firsts[rater] for rater in raters if rater in self.firsts]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree on the units that at least two of them labelled.

    same: of two of them drawn at random on a unit, the share that name the same. kappa: Fleiss', of
    the units with the commonest number of labels. alpha: Krippendorff's, nominal, of all.
    """

    units: int
    same: Value
    kappa: Value
    alpha: Value


def units_of(conversations: Iterable[Conversation]) -> list[Unit]:
    """The turns of a corpus that have labels."""
    return [
        Unit(
            one.conversation_id,
            place,
            turn.text,
            turn.strategy,
            {label.rater: label.strategies[0] for label in turn.labels},
            frozenset(label.rater for label in turn.labels if len(label.strategies) > 1),
        )
        for one in conversations
        for place, turn in enumerate(one.dialogue)
        if turn.labels
    ]


def raters_of(units: Iterable[Unit]) -> list[str]:
    """All raters: the corpus, people, then models, each kind in alphabetical order."""
    names = {rater for unit in units for rater in unit.firsts}
    return sorted(names, key=lambda name: (name != OWN, name.startswith(MODEL), name))


def kind_of(rater: str) -> str:
    """corpus, person or model."""
    if rater == OWN:
        return "corpus"
    return "model" if rater.startswith(MODEL) else "person"


def model_of(rater: str) -> str:
    """The model that a rater is a sample of."""
    name, mark, number = rater.rpartition("#")
    return name if mark and number.isdecimal() else rater


def with_majority(units: Iterable[Unit], name: str, raters: Sequence[str]) -> list[Unit]:
    """The units with one more rater, who says what most of these name first; of a tie the earliest
    in the framework's order.
    """
    more = []
    for unit in units:
        votes = Counter(unit.of(raters))
        firsts = dict(unit.firsts)
        if votes:
            most = max(votes.values())
            firsts[name] = next(one for one in STRATEGY_IDS if votes[one] == most)
        more.append(
            Unit(unit.conversation_id, unit.turn, unit.text, unit.strategy, firsts, unit.several)
        )
    return more


def agreement(units: Iterable[Unit], raters: Sequence[str]) -> Agreement:
    """Every coefficient among these raters."""
    shared = [(unit.conversation_id, [PLACES[name] for name in unit.of(raters)]) for unit in units]
    shared = [(cluster, firsts) for cluster, firsts in shared if len(firsts) > 1]
    if not shared:
        return Agreement(0, NOTHING, NOTHING, NOTHING)
    clusters = [cluster for cluster, _ in shared]
    firsts = [own for _, own in shared]
    alpha = coefficient(coincidence_sums(firsts, SIZE), clusters, nominal_alpha)
    return Agreement(
        len(shared),
        mean([same_pairs(own) for own in firsts], clusters, SHARE),
        _kappa(firsts, clusters),
        alpha,
    )


def same_pairs(named: Sequence[object]) -> float:
    """Of all pairs among at least two, the share that are the same."""
    counts = Counter(named).values()
    return sum(n * (n - 1) for n in counts) / (len(named) * (len(named) - 1))


def against_others(units: Iterable[Unit], rater: str, others: Sequence[str]) -> Value:
    """On the turns that a rater labelled: how likely one of the others, drawn at random, names the
    same.
    """
    shares, clusters = [], []
    for unit in units:
        named = unit.of(other for other in others if other != rater)
        if rater in unit.firsts and named:
            shares.append(named.count(unit.firsts[rater]) / len(named))
            clusters.append(unit.conversation_id)
    return mean(shares, clusters, SHARE)


def confusion(units: Iterable[Unit], one: str, other: str) -> dict[tuple[str, str], int]:
    """(What one names, what the other names) -> on how many turns."""
    return dict(
        Counter(
            (unit.firsts[one], unit.firsts[other])
            for unit in units
            if one in unit.firsts and other in unit.firsts
        )
    )


def confusion_of_all(units: Iterable[Unit]) -> dict[tuple[str, str], int]:
    """(A, B) -> pairs of raters one of whom names A and the other B, whoever is which."""
    pairs: Counter[tuple[str, str]] = Counter()
    for unit in units:
        votes = Counter(unit.firsts.values())
        for one, n in votes.items():
            for other, m in votes.items():
                pairs[one, other] += n * (n - 1) // 2 if one == other else n * m
    return dict(pairs)


def dividing(units: Iterable[Unit]) -> list[Unit]:
    """The turns that raters disagree on, those that divide them most first: by the share of pairs
    that agree, then by how many raters there are.
    """
    divided = [unit for unit in units if len(set(unit.firsts.values())) > 1]
    return sorted(
        divided,
        key=lambda unit: (
            same_pairs(list(unit.firsts.values())),
            -len(unit.firsts),
            unit.conversation_id,
            unit.turn,
        ),
    )


def _kappa(firsts: Sequence[Sequence[int]], clusters: Sequence[str]) -> Value:
    sizes = Counter(map(len, firsts))
    usual = max(sizes, key=lambda size: (sizes[size], size))
    own = [(unit, c) for unit, c in zip(firsts, clusters, strict=True) if len(unit) == usual]
    return coefficient(
        coefficients.kappa_sums([unit for unit, _ in own], SIZE),
        [cluster for _, cluster in own],
        lambda total: coefficients.kappa(total, usual),
    )
