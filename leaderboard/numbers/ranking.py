"""Paired comparisons between all rows of a table, and which are best and second where the paired
intervals say so.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from leaderboard.board import Column, Comparison, Value
from leaderboard.numbers.inference import Clustered, holm, paired
from leaderboard.numbers.intervals import excludes_zero


def compare(column: str, rows: Mapping[str, Clustered]) -> list[Comparison]:
    """Every pair of rows (slug -> sums) of one column, paired on shared conversations; p corrected
    by Holm over all these pairs.

    A pair without two shared conversations is not compared.
    """
    pairs = []
    for a, b in combinations(rows, 2):
        apart, p = paired(rows[a], rows[b])
        if apart.value is None or apart.stderr is None:
            continue
        pairs.append((a, b, apart.value, apart, p))
    corrected = holm([p for *_, p in pairs])
    return [
        Comparison(
            column=column,
            a=a,
            b=b,
            difference=value,
            stderr=apart.stderr,
            low=apart.low,
            high=apart.high,
            p=p,
            p_holm=adjusted,
            items=apart.items,
            clusters=apart.clusters,
        )
        for (a, b, value, apart, p), adjusted in zip(pairs, corrected, strict=True)
    ]


def best_and_second(
    column: Column, values: Mapping[str, Value], comparisons: Sequence[Comparison]
) -> tuple[str | None, str | None]:
    """The slugs to mark: the best is separated from every other row by its paired interval, the
    second is next and so from all below.

    None where one of these intervals includes 0 or does not exist, and of two rows none is second:
    the last of a table is no runner-up. To be best, all tests must come out, so they need no
    correction.
    """
    rows = {slug: value.value for slug, value in values.items() if value.value is not None}
    if not column.ranked or len(rows) < 2:
        return None, None
    ordered = sorted(rows, key=rows.__getitem__, reverse=column.higher_is_better)
    apart = {frozenset((c.a, c.b)) for c in comparisons if excludes_zero(c.low, c.high)}

    def leads(place: int) -> bool:
        return all(frozenset((ordered[place], other)) in apart for other in ordered[place + 1 :])

    if not leads(0):
        return None, None
    return ordered[0], ordered[1] if len(rows) > 2 and leads(1) else None
