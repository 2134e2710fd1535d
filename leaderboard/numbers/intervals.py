"""Intervals (95 % unless told) and tests from an estimate: the one way in which the project makes
them.

A value of a bounded scale gets t on the logit of its place between the bounds (the log of its
distance, where there is one bound), so that an interval never leaves the scale and is as lopsided
as the value's distribution; a difference, and a value without bounds, gets t on its own scale.
Degrees of freedom come with the estimate: clusters - 1 for means, fewer for jackknifed corpus
metrics whose error rests on few conversations; the interval of such a value lies around what it is
without its bias. Where nothing varies, Clopper and Pearson's (1934)
bounds, each conversation counted once: its turns may be all alike, and data that do not vary cannot
say otherwise. How often these intervals hold the true value: benchmarks/coverage.py.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from csc_tasks.metrics import Estimate
from leaderboard.board import Method, Reason, Value

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
# Differences below this are rounding: scores are of the order of 1.
ROUNDING = 1e-12
# Conversations below which no interval that was tried held a corpus metric often enough.
FEWEST = 30
FEWEST_DIFFERENCE = 10


@dataclass(frozen=True, slots=True)
class Scale:
    """Lowest and highest value there can be, infinite where there is no bound; corpus: of a metric
    that is no mean of items. difference: of two values, low and high being what it may be.
    """

    low: float = -math.inf
    high: float = math.inf
    corpus: bool = False
    difference: bool = False

    def between(self) -> "Scale":
        """The scale of a difference of two values of this one."""
        width = self.high - self.low
        return Scale(-width, width, self.corpus, difference=True)


UNBOUNDED = Scale()
SHARE = Scale(0.0, 1.0)
COUNT = Scale(0.0, math.inf)


def with_interval(
    estimated: Estimate, scale: Scale = UNBOUNDED, confidence: float = CONFIDENCE
) -> Value:
    """An estimate as a Value: with its interval, or the reason why it has none."""
    low, high, method, reason = _interval(estimated, scale, confidence)
    return Value(
        value=estimated.value,
        stderr=estimated.stderr,
        low=low,
        high=high,
        items=estimated.items,
        clusters=estimated.clusters,
        method=method,
        reason=reason,
    )


def _interval(
    estimated: Estimate, scale: Scale, confidence: float
) -> tuple[float | None, float | None, Method, Reason | None]:
    value, stderr, clusters = estimated.value, estimated.stderr, estimated.clusters
    if value is None:
        return None, None, "none", "no value"
    if clusters < 2 or stderr is None:
        return None, None, "none", "one conversation"
    if scale.corpus and clusters < (FEWEST_DIFFERENCE if scale.difference else FEWEST):
        return None, None, "none", "few conversations"
    if stderr <= _rounding(value):
        if scale.corpus or math.isinf(scale.low) or math.isinf(scale.high):
            return None, None, "none", "no variation"
        low, high = exact(value, clusters, scale, confidence)
        return low, high, "exact", None
    half = t_quantile(0.5 + confidence / 2, estimated.degrees) * stderr
    # A bias is small beside a difference of two values that have it both.
    bias = 0.0 if scale.difference else estimated.bias
    low, high, method = _by_t(value, -bias - half, -bias + half, scale)
    return min(low, value), max(high, value), method, None


def _by_t(value: float, down: float, up: float, scale: Scale) -> tuple[float, float, Method]:
    """Bounds that lie `down` and `up` from the value on its own scale, or on the log or logit of a
    bounded one: there a step is one of as much times the slope.
    """
    above, below = value - scale.low, scale.high - value
    free = math.isinf(scale.low) and math.isinf(scale.high)
    if scale.difference or free or above <= 0 or below <= 0:
        return max(scale.low, value + down), min(scale.high, value + up), "t"
    if math.isinf(scale.high):
        return scale.low + above * _exp(down / above), scale.low + above * _exp(up / above), "log"
    if math.isinf(scale.low):
        return (
            scale.high - below * _exp(-down / below),
            scale.high - below * _exp(-up / below),
            "log",
        )
    width, odds = above + below, above / below
    slope = width / (above * below)
    low, high = (scale.low + width / (1 + _exp(-by * slope) / odds) for by in (down, up))
    return low, high, "logit"


def exact(
    value: float, clusters: int, scale: Scale, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The bounds of a mean that is `value` in every one of `clusters` conversations.

    At most a share u of all conversations is unlike those that were seen (Clopper and Pearson's
    bound for 0 of `clusters`: 1 - 0.025^(1/clusters) at 95 %), and those lie anywhere on the scale.
    """
    unlike = 1 - ((1 - confidence) / 2) ** (1 / clusters)
    return value - unlike * (value - scale.low), value + unlike * (scale.high - value)


def p_value(estimated: Estimate, scale: Scale = UNBOUNDED) -> float | None:
    """Two-sided p of the value being 0, by t with the estimate's degrees of freedom; None where
    that is undefined.

    Where nothing varies, the p at which `exact`'s bounds reach 0; without bounds that of the sign
    test over conversations, 2^(1 - clusters). Two conversations never say more than p = 0.5.
    """
    from scipy.special import stdtr

    value, stderr, clusters = estimated.value, estimated.stderr, estimated.clusters
    if value is None or stderr is None or clusters < 2:
        return None
    if scale.corpus and clusters < FEWEST_DIFFERENCE:
        return None
    if stderr <= _rounding(value):
        size = abs(value)
        if size < ROUNDING:
            return 1.0
        other = -scale.low if value > 0 else scale.high
        share = 0.5 if math.isinf(other) or scale.corpus else other / (size + other)
        return min(1.0, 2 * share**clusters)
    return float(2 * stdtr(estimated.degrees, -abs(value) / stderr))


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Whether an interval lies wholly on one side of 0; one that does not exist does not."""
    return low is not None and high is not None and (low > 0 or high < 0)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t with `freedom` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _rounding(value: float) -> float:
    return ROUNDING * max(1.0, abs(value))


def _exp(power: float) -> float:
    return math.exp(min(power, 700.0))
