"""The power of a paired comparison of two models: how many conversations it needs, and how small a
difference it can find.

The test is the paired t test over conversations of `csc collect` (clusters - 1 degrees of freedom,
two-sided).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csc_tasks.errors import SettingError

if TYPE_CHECKING:
    from leaderboard.board import Comparison

MOST = 10_000_000
"""Conversations beyond which none are counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison to be made. spread: standard deviation of a conversation's share in the
    difference, so that SE = spread / sqrt(n).
    """

    spread: float
    alpha: float = 0.05
    power: float = 0.8


def achieved_power(plan: Plan, conversations: int, difference: float) -> float:
    """The chance that the paired t test over `conversations` rejects at plan.alpha when the true
    difference is `difference`.

    By the noncentral t distribution with conversations - 1 degrees of freedom, both tails. 0 with
    fewer than two conversations.
    """
    from scipy.special import nctdtr, ndtr, stdtrit

    if conversations < 2:
        return 0.0
    if plan.spread == 0:
        return 1.0 if difference else plan.alpha
    freedom, shift = conversations - 1, abs(difference) / plan.spread * math.sqrt(conversations)
    critical = stdtrit(freedom, 1 - plan.alpha / 2)
    # The lower tail by symmetry: asked for it directly, the series gives up where the shift is
    # large.
    upper, lower = 1 - nctdtr(freedom, shift, critical), 1 - nctdtr(freedom, -shift, critical)
    if math.isnan(upper + lower):
        # Beyond a shift of about 37 the series underflows; there the normal approximation of the
        # noncentral t is exact enough.
        upper, lower = (
            ndtr(
                (shift - critical * (1 - 1 / (4 * freedom)))
                / math.sqrt(1 + critical**2 / (2 * freedom))
            ),
            0.0,
        )
    return float(upper + lower)


def conversations_needed(plan: Plan, difference: float) -> int:
    """The fewest conversations with which the test has plan.power. Raises SettingError where even
    ten million are too few.
    """
    if difference == 0:
        raise SettingError(
            "a difference of 0: no number of conversations shows a difference that is not there"
        )
    low, high = 1, 2
    while achieved_power(plan, high, difference) < plan.power:
        low, high = high, high * 2
        if high > MOST:
            raise SettingError(
                f"a difference of {difference:g}: more than {MOST:,} conversations would be needed"
                " to show it"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if achieved_power(plan, middle, difference) >= plan.power
            else (middle, high)
        )
    return high


def detectable_difference(plan: Plan, conversations: int) -> float:
    """The smallest difference that the test finds with plan.power."""
    return _smallest(
        lambda difference: achieved_power(plan, conversations, difference) >= plan.power,
        plan.spread,
    )


def half_width(plan: Plan, conversations: int) -> float:
    """Half the width of the interval of a difference, at level 1 - plan.alpha."""
    from scipy.special import stdtrit

    return float(
        stdtrit(conversations - 1, 1 - plan.alpha / 2) * plan.spread / math.sqrt(conversations)
    )


def assumed_spread(rate: float, turns: float, icc: float, correlation: float) -> float:
    """The spread of a paired difference of two accuracies `rate` whose hits on one turn correlate
    by `correlation`.

    The variance of one turn's difference, 2 rate (1 - rate) (1 - correlation), times the design
    effect 1 + (turns - 1) icc over turns.
    """
    return math.sqrt(2 * rate * (1 - rate) * (1 - correlation) * (1 + (turns - 1) * icc) / turns)


def _smallest(is_enough: Callable[[float], bool], scale: float) -> float:
    """The smallest positive number that is enough, to a millionth of `scale`."""
    low, high = 0.0, scale
    if scale == 0:
        return 0.0
    while not is_enough(high):
        low, high = high, high * 2
    while high - low > scale * 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class Ranking:
    """When two models can be ranked. difference: the first minus the second, with its 95 %
    interval. power: the chance to find it with as many conversations. fewest, most: the
    conversations that the ends of the interval would take, None where there is no bound.
    """

    models: tuple[str, ...]
    difference: float
    low: float
    high: float
    conversations: int
    ranked: bool
    power: float
    fewest: int
    most: int | None


def ranking_of(plan: Plan, comparison: "Comparison", models: Sequence[str]) -> Ranking:
    """What two models' paired comparison says of when they can be ranked. Raises SettingError where
    they do not differ at all.
    """
    first, second = models
    low, high, count = comparison.low, comparison.high, comparison.clusters
    if not comparison.difference or low is None or high is None:
        raise SettingError(
            f"--rank {first} {second}: they do not differ on the {count:,} conversations of the"
            " board, so no number of conversations can be named"
        )
    ranked = low > 0 or high < 0
    near, far = sorted((low, high), key=abs)
    return Ranking(
        models=tuple(models),
        difference=comparison.difference,
        low=low,
        high=high,
        conversations=count,
        ranked=ranked,
        power=achieved_power(plan, count, comparison.difference),
        fewest=conversations_needed(plan, far),
        most=conversations_needed(plan, near) if ranked else None,
    )
