"""What the pilot of a build says of the whole: how many items there are, how many are kept, and the
intervals of both.

All intervals are of 95 %. A share is Wilson's. A sum over the items that are still to come is a
prediction by Student's t: M items more, of which n are known with mean m and standard deviation s,
sum to M m +- t(n - 1) s sqrt(M + M^2 / n); what the n known ones sum to is added as it is. Kept
items to come are predicted by Wilson's interval of n M / (n + M) items, which counts the chance in
the M as well. Items are in an order that depends on a hash alone, so the first n are a random
sample.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from csc_tasks.errors import DataError, require

LEVEL = 0.95
_Z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


class NothingKept(DataError):
    """Nothing is left to write."""


class Range(NamedTuple):
    """An estimate between its bounds."""

    low: float
    middle: float
    high: float


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Part:
    """The stages (none: all) that are asked for each of the same units: so many in the pilot, and
    in the whole.
    """

    done: int
    whole: Range
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a pilot says of its build: `kept` of `tried` items, which are `unit` in words; the
    `rows` of the whole; its `parts`.
    """

    unit: str
    tried: int
    kept: int
    rows: Range
    parts: tuple[Part, ...]


def exactly(number: float) -> Range:
    """A number that is known."""
    return Range(number, number, number)


def added(one: Range, other: Range) -> Range:
    """The sum; its bounds are those of the worst case."""
    return Range(one.low + other.low, one.middle + other.middle, one.high + other.high)


def share(successes: int, trials: float, of: float | None = None) -> Range:
    """Wilson's interval of a share; `of` is the number of trials that gives its width, where that
    is another.
    """
    if not trials:
        return Range(0.0, 0.0, 1.0)
    p, n = successes / trials, trials if of is None else of
    scale = 1 + _Z**2 / n
    centre = (p + _Z**2 / (2 * n)) / scale
    half = _Z / scale * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Range(max(0.0, min(p, centre - half)), p, min(1.0, max(p, centre + half)))


def successes_of(successes: int, trials: int, whole: float) -> Range:
    """How many succeed in the whole, when so many of the first trials did."""
    rest = whole - trials
    if rest <= 0:
        return exactly(successes)
    rate = share(successes, trials, trials * rest / (trials + rest) if trials else None)
    return Range(*(successes + rest * bound for bound in rate))


def sum_of(values: Sequence[float], whole: Range) -> Range:
    """What the items of the whole sum to, when the first have these values."""
    low, middle, high = (_sum_of(values, number) for number in whole)
    return Range(low.low, middle.middle, high.high)


def _sum_of(values: Sequence[float], whole: float) -> Range:
    seen, n = sum(values), len(values)
    rest = whole - n
    if rest <= 0 or not n:
        return exactly(seen)
    if n == 1:
        return Range(seen, seen * whole, math.inf)
    quantile = require("scipy.special", "leaderboard", "--plan").stdtrit(n - 1, (1 + LEVEL) / 2)
    half = float(quantile) * statistics.stdev(values) * math.sqrt(rest + rest**2 / n)
    more = rest * seen / n
    return Range(seen + max(0.0, more - half), seen + more, seen + more + half)


def tried_in_order(
    unit: str, kept: int, tried: int, most: int, limit: int | None = None
) -> Outlook:
    """Of a build that tries `most` items one after the other, until `limit` are kept; each is kept
    or not.
    """
    rows, whole = successes_of(kept, tried, most), exactly(most)
    if limit is not None:
        rows = Range(*(min(limit, bound) for bound in rows))
        whole = _tries(kept, tried, most, limit)
    return Outlook(unit, tried, kept, rows, (Part(tried, whole),))


def _tries(kept: int, tried: int, most: int, limit: int) -> Range:
    """How many items are tried until `limit` are kept."""
    missing, rest = limit - kept, most - tried
    if missing <= 0 or rest <= 0 or not tried:
        return exactly(tried if missing <= 0 else most)
    expected = min(rest, missing * tried / kept) if kept else rest
    rate = share(kept, tried, tried * expected / (tried + expected))

    def tries(rate: float) -> float:
        return tried + min(rest, math.ceil(missing / rate)) if rate else most

    return Range(tries(rate.high), tries(rate.middle), tries(rate.low))


def rows_of_each(unit: str, rows: Sequence[int], most: int) -> Outlook:
    """Of a build whose `most` items give any number of rows each; `rows` are those of the first."""
    whole = exactly(most)
    kept = sum(number > 0 for number in rows)
    return Outlook(unit, len(rows), kept, sum_of(rows, whole), (Part(len(rows), whole),))
