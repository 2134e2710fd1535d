"""Who leads a table, by how much, and who is not significantly different from whom, as data.

One rule holds here and for the marks of the tables: two rows are significantly different where the
95 % interval of their paired difference excludes 0. A row leads where it is significantly better
than every other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from leaderboard.board import Column, Comparison, Model, Table, Value
from leaderboard.columns import leading_column
from leaderboard.numbers.intervals import excludes_zero


@dataclass(frozen=True, slots=True)
class Gap:
    """How far one row is ahead of another in their paired difference, on the metric's own scale:
    positive where it is better, whatever the metric's direction. low, high: the interval.
    """

    ahead: float
    low: float | None
    high: float | None

    @property
    def significant(self) -> bool:
        return excludes_zero(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the rows of a table stand in its leading column.

    order: slug -> Value of the rows with a number, best first, by slug where they are the same.
    missing: slugs without a number. claimed: those with one that was not computed again here, which
    is never ranked. leads: whether the first is significantly better than every
    other. gap: the first before the second, None where they were not compared. model: where the
    first two are baselines, the best that is none. model_gap: the first before it. alike: groups of
    slugs in which no two are significantly different. unknown: slugs that the first was not
    compared with. uncompared: how many pairs have no interval.
    """

    column: Column
    order: dict[str, Value]
    missing: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    leads: bool = False
    gap: Gap | None = None
    model: str | None = None
    model_gap: Gap | None = None
    alike: tuple[tuple[str, ...], ...] = ()
    unknown: tuple[str, ...] = ()
    uncompared: int = 0


def standing(table: Table, models: Mapping[str, Model]) -> Standing | None:
    """How the measured rows of a table stand (reported ones are never ranked); None where no column
    is ranked.
    """
    column = leading_column(table.columns)
    if column is None:
        return None
    sign = 1 if column.higher_is_better else -1
    numbers = {}
    claimed = []
    for row in table.rows:
        value = row.values.get(column.key)
        if value is None or value.value is None:
            continue
        if row.ranks(column):
            numbers[row.model] = (-sign * value.value, value)
        else:
            claimed.append(row.model)
    order = sorted(numbers, key=lambda slug: (numbers[slug][0], slug))
    gaps = _gaps(order, [c for c in table.comparisons if c.column == column.key], sign)
    model = None
    if order and all(models[slug].kind == "baseline" for slug in order[:2]):
        model = next((slug for slug in order if models[slug].kind != "baseline"), None)
    ahead = [gaps.get((order[0], other)) for other in order[1:]]
    return Standing(
        column=column,
        order={slug: numbers[slug][1] for slug in order},
        missing=tuple(row.model for row in table.rows if row.model not in {*numbers, *claimed}),
        claimed=tuple(claimed),
        leads=bool(ahead) and all(gap and gap.significant and gap.ahead > 0 for gap in ahead),
        gap=ahead[0] if ahead else None,
        model=model,
        model_gap=gaps.get((order[0], model)) if model else None,
        alike=_alike(order, {pair for pair, gap in gaps.items() if not gap.significant}),
        unknown=tuple(slug for slug in order[1:] if (order[0], slug) not in gaps),
        uncompared=len(order) * (len(order) - 1) // 2 - len(gaps),
    )


def described(stands: Standing | None, models: Mapping[str, Model]) -> dict[str, Any]:
    """A standing as JSON, its numbers in full on the metric's own scale."""
    if stands is None:
        return {"column": None, "order": [], "leads": False}
    column = stands.column
    return {
        "column": column.key,
        "task": column.task,
        "metric": column.metric,
        "higher_is_better": column.higher_is_better,
        "scale": column.scale,
        "order": [
            {"model": slug, "name": models[slug].name} | value.model_dump(mode="json")
            for slug, value in stands.order.items()
        ],
        "leads": stands.leads,
        "gap": asdict(stands.gap) if stands.gap else None,
        "missing": stands.missing,
        "claimed": stands.claimed,
        "alike": stands.alike,
    }


def _gaps(
    order: Sequence[str], comparisons: Sequence[Comparison], sign: int
) -> dict[tuple[str, str], Gap]:
    """(a row, one that stands below it) -> how far it is ahead, of all pairs that have an
    interval.
    """
    place = {slug: number for number, slug in enumerate(order)}
    gaps = {}
    for c in comparisons:
        if c.low is None or c.high is None or not {c.a, c.b} <= place.keys():
            continue
        turned = sign if place[c.a] < place[c.b] else -sign
        low, high = sorted((turned * c.low, turned * c.high))
        pair = (c.a, c.b) if place[c.a] < place[c.b] else (c.b, c.a)
        gaps[pair] = Gap(turned * c.difference, low, high)
    return gaps


def _alike(order: Sequence[str], same: set[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Groups in which no two are significantly different, with every such pair in one of them: runs
    of neighbours as long as can be, then the pairs that no run holds.
    """
    groups: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and all((slug, order[end]) in same for slug in order[start:end]):
            end += 1
        # A run that ends where an earlier one does lies within it.
        if end - start > 1 and end > reached:
            groups.append(tuple(order[start:end]))
            reached = end
    held = {pair for group in groups for pair in combinations(group, 2)}
    return (*groups, *(pair for pair in combinations(order, 2) if pair in same - held))
