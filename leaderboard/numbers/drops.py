"""Is a model worse than it was? A verdict for every metric of two runs on the same conversations.

What is tested: that a metric has dropped, by the one-sided paired t test of "it has not" (a drop is
a change in the metric's bad direction), clustered by conversation, at 5 % after Holm's correction
over all metrics that are tested together. So identical runs are called worse at most 5 times in
100, however many metrics there are.

Without a margin a metric is `worse` where it has dropped and else `not worse`, which is no proof
that nothing has changed: `detectable` is the drop that would have been seen 4 times in 5.

With a margin ("worse by 0.02") both ends are tested. `not worse`: the drop is smaller than the
margin (the one-sided test of "it is the margin or more", at 5 %, uncorrected, since all metrics
have to pass; Berger, 1982). Else `worse`: the metric has dropped. Else `cannot tell`: no drop and
one as large as the margin are both possible, and `needed` conversations would tell. A true drop of
the margin is taken for none at most 5 times in 100.

The interval is the 90 % one, whose two ends are the bounds of the two tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from csc_tasks.metrics import Estimate
from leaderboard.board import Reason
from leaderboard.numbers.inference import (
    Clustered,
    clustered_estimate,
    difference,
    holm,
    shared,
)
from leaderboard.numbers.intervals import ROUNDING, SIGNIFICANT, Scale, p_value, with_interval

Verdict = Literal["worse", "not worse", "cannot tell"]
CONFIDENCE = 1 - 2 * SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of a run, and of the one before it, on the conversations that they share.

    difference: now minus before, on the metric's own scale, with its 90 % interval. p: of no drop,
    one-sided; p_holm: corrected over all metrics of the gate. p_margin: of a drop as large as
    `margin`, None without one. spread: standard deviation of a conversation's share in the
    difference (SE * sqrt(conversations)), as `csc power` plans with. alike: every conversation has
    the score that it had. reason: why there is no interval. alone: conversations that only the
    run before, and only this one, has with these turns.
    """

    before: float | None
    now: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_margin: float | None
    margin: float | None
    spread: float | None
    conversations: int
    alike: bool
    higher_is_better: bool
    alone: tuple[int, int]
    reason: Reason | None = None
    p_holm: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What the tests say."""
        if self.p is None or self.p_holm is None:
            return "cannot tell"
        if self.alike or (self.p_margin is not None and self.p_margin < SIGNIFICANT):
            return "not worse"
        if self.p_holm < SIGNIFICANT:
            return "worse"
        return "not worse" if self.margin is None else "cannot tell"

    @property
    def drop(self) -> float | None:
        """How far it has gone in the bad direction; negative where it is better."""
        if self.difference is None:
            return None
        return -self.difference if self.higher_is_better else self.difference


def change(
    before: Clustered, now: Clustered, higher_is_better: bool, margin: float | None = None
) -> Change:
    """Compare one metric of two runs; its p is corrected by `corrected`.

    Raises DataError where the two hold different statistics.
    """
    old, new = shared(before, now)
    estimated = difference(new, old)
    scale = now.scale.between()
    value = with_interval(estimated, scale, CONFIDENCE)
    sign = 1.0 if higher_is_better else -1.0
    clusters, error = estimated.clusters, estimated.stderr
    return Change(
        before=clustered_estimate(old).value,
        now=clustered_estimate(new).value,
        difference=estimated.value,
        low=value.low,
        high=value.high,
        p=_p_below(estimated, scale, sign),
        p_margin=None if margin is None else _p_below(estimated, scale, -sign, sign * margin),
        margin=margin,
        spread=None if error is None else float(error * clusters**0.5),
        conversations=clusters,
        alike=_alike(old, new),
        higher_is_better=higher_is_better,
        alone=(len(before.ids) - len(old.ids), len(now.ids) - len(new.ids)),
        reason=value.reason,
    )


def corrected(changes: Sequence[Change]) -> list[Change]:
    """The changes with p_holm, over all of them together."""
    adjusted = holm([one.p for one in changes])
    return [replace(one, p_holm=p) for one, p in zip(changes, adjusted, strict=True)]


def _p_below(estimated: Estimate, scale: Scale, sign: float, shift: float = 0.0) -> float | None:
    """One-sided p against "sign * (value + shift) is 0 or more": small where it is clearly less."""
    if estimated.value is None:
        return None
    moved = replace(estimated, value=estimated.value + shift)
    bounds = replace(scale, low=scale.low + shift, high=scale.high + shift)
    two_sided = p_value(moved, bounds)
    if two_sided is None:
        return None
    value = sign * (estimated.value + shift)
    if abs(value) < ROUNDING:
        # Exactly in the middle; where nothing varies p_value has no more to say than 1.
        return 0.5
    return two_sided / 2 if value < 0 else 1 - two_sided / 2


def _alike(old: Clustered, new: Clustered) -> bool:
    """Whether every conversation has what it had, so that nothing is left to be tested."""
    same = old.sums.shape == new.sums.shape and (abs(old.sums - new.sums) < ROUNDING).all()
    return bool(len(old.ids) and same)
