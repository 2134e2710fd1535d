"""How often a model that samples its replies is right every time: pass^k and worst-of-k of a metric
that is right or wrong turn by turn.

Both need repeats: of one run (`csc_repeats`) or runs that differ in their seed
(csc_tasks/runs/conditions.py). pass^k is the chance that k replies
to one turn are all right, as in tau-bench (arXiv 2406.12045): with c of n repeats right,
C(c, k) / C(n, k) is its unbiased estimate for the turn. worst-of-k is the lowest of the k
accuracies of a conversation; with more than k repeats, its mean over all choices of k of them.
Turns count equally in the one, conversations in the other.
"""

import re
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from csc_tasks.metrics import METRICS

OF = "strategy_acc"
"""The metric that a run of several repeats says this of."""

_NAME = re.compile(r"(?P<metric>\w+?)_(?P<kind>pass|worst)_(?P<k>[1-9]\d{0,3})")


@dataclass(frozen=True, slots=True)
class Consistency:
    """A column over repeats: of which metric, which kind ("pass" or "worst"), of how many."""

    metric: str
    kind: str
    k: int

    @property
    def name(self) -> str:
        """Its result name, as `strategy_acc_pass_3`."""
        return f"{self.metric}_{self.kind}_{self.k}"

    @property
    def label(self) -> str:
        """Its heading."""
        what = METRICS[self.metric].label
        return f"{what} pass^{self.k}" if self.kind == "pass" else f"{what} worst of {self.k}"

    @property
    def signature(self) -> str:
        """What exactly it is."""
        kind = "pass^k" if self.kind == "pass" else "worst-of-k"
        unit = "turn" if self.kind == "pass" else "conversation"
        return f"{kind}|k:{self.k}|of:{self.metric}|per:{unit}|estimate:unbiased"


def consistency(name: str) -> Consistency | None:
    """What a result name says, None where it is no name of this kind."""
    parts = _NAME.fullmatch(name)
    if parts is None or parts["metric"] not in METRICS:
        return None
    return Consistency(parts["metric"], parts["kind"], int(parts["k"]))


def pass_k(right: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """C(c, k) / C(n, k) of each item; right (n, items) is 1 where a repeat was right, else 0."""
    repeats = len(right)
    counts = np.rint(right.sum(axis=0)).astype(int)
    return np.array([comb(c, k) / comb(repeats, k) for c in counts.tolist()], dtype=float)


def worst_of_k(accuracies: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The lowest of k accuracies of each conversation, its mean over all choices of k of the n
    repeats; accuracies (n, conversations).
    """
    repeats = len(accuracies)
    # The i-th lowest is the lowest of those choices that take it and k - 1 of the higher ones.
    chances = [comb(repeats - 1 - i, k - 1) / comb(repeats, k) for i in range(repeats)]
    return np.asarray(chances) @ np.sort(accuracies, axis=0)
