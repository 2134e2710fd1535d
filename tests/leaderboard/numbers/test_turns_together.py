"""The turns of a curve are tested together: scipy's t tests, corrected by statsmodels."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from leaderboard.numbers.context_gap import context_gaps


@pytest.mark.parametrize(("gap", "first"), [(0.0, None), (0.5, 3)])
def test_the_first_turn_that_differs_is_looked_for_among_corrected_tests(gap, first):
    random = np.random.default_rng(4)
    conversations, turns = 12, 9
    index = np.tile(np.arange(1, turns + 1), conversations)
    logged = SimpleNamespace(
        ids=[f"c{i}" for i in range(conversations)],
        conversation=np.repeat(np.arange(conversations), turns),
        turn=index,
        index=index,
    )
    gold = random.random(len(index))
    own = gold + random.normal(0, 0.2, len(index)) - gap * (index >= 3)
    # Turn 5 differs by chance, as one of nine may.
    own[index == 5] -= 0.14 * (gap == 0)
    (curve,) = context_gaps(logged, logged, {"score": gold}, {"score": own})
    alone = [
        scipy.stats.ttest_rel(gold[index == k], own[index == k]).pvalue for k in range(1, turns + 1)
    ]
    assert min(alone) < 0.05
    corrected = multipletests(alone, method="holm")[1]
    assert [point.p_holm for point in curve.points] == pytest.approx(list(corrected))
    assert curve.first_significant == first
