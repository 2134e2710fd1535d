"""What the pilot of a build says of the whole: how many items there are, how many are kept, and the
intervals of both.

All intervals are of 95 %. A share is Wilson's. A sum over the items that are still to come is a
prediction by Student's t: M items more, of which n are known with mean m and standard deviation s,
sum to M m +- t(n - 1) s sqrt(M + M^2 / n); what the n known ones sum to is added as it is. Where
all items have a size that is known before they are asked about, such as the pairs of a
conversation, a ratio takes the mean's place: r is what the known ones sum to by their sizes, those
to come sum to r times their sizes, and s is that of what is left of each after r times its size;
any item may come to nothing, by Wilson's interval. Kept items to come are predicted by Wilson's
interval of n M / (n + M) items, which counts the chance in the M as well. Items are in an order
that depends on a hash alone, so the first n are a random sample.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    in the whole. `sizes`: item of the pilot -> its size, where it counts; `ahead` is the size of
    all others.
    """

    done: int
    whole: Range
    stages: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a pilot says of its build: `kept` of `tried` items, which are `unit` in words; the
    `rows` of the whole; its `parts`; `also` is what else is known of the whole; `dropped` is what
    the pilot lost: reason -> number.
    """

    unit: str
    tried: int
    kept: int
    rows: Range
    parts: tuple[Part, ...]
    also: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)


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


def ratio_of(values: Sequence[float], sizes: Sequence[int], whole: float, ahead: int) -> Range:
    """What the items of the whole sum to, when the first have these values and sizes, and the sizes
    of the others sum to `ahead`.
    """
    seen, n = sum(values), len(values)
    rest, known = whole - n, sum(sizes)
    if rest <= 0 or not known:
        return _sum_of(values, whole)
    rate = seen / known
    squares = sum((value - rate * size) ** 2 for value, size in zip(values, sizes, strict=True))
    half = _quantile(n - 1) * math.sqrt(squares / (n - 1) * (rest + rest**2 / n)) if n > 1 else 0.0
    more, filled = rate * ahead, sum(value > 0 for value in values)
    # Where none of the first came to nothing, their spread does not know that others may.
    least = share(filled, n, n * rest / (n + rest)).low * n / filled if filled else 1.0
    low = max(0.0, min(more - half, more * least))
    return Range(seen + low, seen + more, seen + more + half)


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
    half = _quantile(n - 1) * statistics.stdev(values) * math.sqrt(rest + rest**2 / n)
    more = rest * seen / n
    return Range(seen + max(0.0, more - half), seen + more, seen + more + half)


def _quantile(freedom: int) -> float:
    """Of Student's t."""
    special = require("scipy.special", "leaderboard", "--plan")
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def tried_in_order(
    unit: str,
    kept: int,
    dropped: Mapping[str, int],
    tried: int,
    most: int,
    limit: int | None = None,
) -> Outlook:
    """Of a build that tries `most` items one after the other, until `limit` are kept; each is kept
    or `dropped`, by reason.
    """
    rows, whole = successes_of(kept, tried, most), exactly(most)
    if limit is not None:
        rows = Range(*(min(limit, bound) for bound in rows))
        whole = _tries(kept, tried, most, limit)
    return Outlook(unit, tried, kept, rows, (Part(tried, whole),), dropped=dropped)


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
