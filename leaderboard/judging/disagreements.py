"""Where raters disagree most, with the reasons that judges gave: what to look at next."""

from collections import defaultdict
from collections.abc import Sequence

from leaderboard.judging.dimensions import CLASSES, middle
from leaderboard.judging.ratings import Comparison, Rating
from leaderboard.reliability_report import Section

# Of each kind: enough to see what it is about, few enough to read.
MOST = 10
# Points of the 100 between two raters: less than a class is no disagreement to speak of.
WIDE = 100 / CLASSES


def widest_section(ratings: Sequence[Rating]) -> Section | None:
    """The replies or conversations on which the means of two raters lie furthest apart, a row a
    rater.
    """
    given: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        if rating.scores and not rating.repeat:
            given[rating.model, rating.unit].append(rating)
    spreads = []
    for place, own in given.items():
        shared = set.intersection(*(set(rating.scores or ()) for rating in own))
        if len(own) > 1 and shared:
            means = [_mean(rating, shared) for rating in own]
            if max(means) - min(means) >= WIDE:
                spreads.append((min(means) - max(means), place, own, means))
    spreads.sort(key=lambda spread: spread[:2])
    rows = [
        (*place, rating.rater, f"{score:.0f}", rating.reason or "–")
        for _, place, own, means in spreads[:MOST]
        for rating, score in zip(own, means, strict=True)
    ]
    text = (
        f"{len(spreads):,} were given means that lie {WIDE:.0f} points or more apart (over the"
        f" dimensions that all of their raters rated, people's classes at their middle); the"
        f" {min(len(spreads), MOST)} widest, and why the judges rated them so."
    )
    columns = ("model", "unit", "rater", "mean score", "reason")
    return _section("Widest disagreements", text, columns, rows)


def flips_section(comparisons: Sequence[Comparison]) -> Section | None:
    """Pairs of which a judge preferred the one in the same place, whichever that was."""
    flipped = [comparison for comparison in comparisons if comparison.flipped]
    rows = [
        (
            comparison.rater,
            f"{comparison.a} – {comparison.b}",
            comparison.unit,
            str(comparison.forward),
            comparison.forward_reason or "–",
            comparison.backward_reason or "–",
        )
        for comparison in flipped[:MOST]
    ]
    text = (
        f"{len(flipped):,} verdicts changed with the order; the first {len(rows)}, and why the"
        " judge said so, with either of the two first."
    )
    columns = ("judge", "models", "unit", "preferred", "reason", "reason, the other way round")
    return _section("Verdicts that changed with the order", text, columns, rows)


def _section(
    title: str, text: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> Section | None:
    return Section(title=title, text=text, columns=columns, rows=tuple(rows)) if rows else None


def _mean(rating: Rating, dimensions: set[str]) -> float:
    """0..100."""
    scores = [score for name, score in (rating.scores or {}).items() if name in dimensions]
    own = sum(scores) / len(scores)
    return middle(own) if rating.kind == "human" else own
