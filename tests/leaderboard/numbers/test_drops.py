"""Verdicts about two runs: against scipy's one-sided paired t test, and by what was planted."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from csc_tasks.metrics.strategy import macro_f1
from leaderboard.baseline_scores import baselines
from leaderboard.numbers.drops import change, corrected
from leaderboard.numbers.inference import Clustered, clustered
from leaderboard.numbers.intervals import SHARE, UNBOUNDED
from leaderboard.numbers.paired_power import Plan, detectable_difference


def column(sums, turns=4, scale=SHARE):
    """Conversations of equally many turns, whose clustered error is the plain one of their sums."""
    ids = tuple(map(str, range(len(sums))))
    return Clustered(ids, ids, np.full(len(sums), turns), np.asarray(sums, float), None, scale)


BEFORE = column([3, 4, 2, 3, 4, 1, 3, 2, 4, 3])
NOW = column([2, 3, 2, 3, 2, 1, 2, 2, 3, 3])


@pytest.mark.parametrize("margin", [0.05, 0.15, 0.4])
def test_both_tests_are_scipys_paired_t_test(margin):
    shares = (NOW.sums - BEFORE.sums) / 4
    made = change(BEFORE, NOW, True, margin)
    # By hand: the sums fall from 29 to 23 of 40.
    assert (made.before, made.now) == (29 / 40, 23 / 40)
    assert made.difference == pytest.approx(-6 / 40)
    assert made.p == pytest.approx(scipy.stats.ttest_1samp(shares, 0, alternative="less").pvalue)
    assert made.p_margin == pytest.approx(
        scipy.stats.ttest_1samp(shares, -margin, alternative="greater").pvalue
    )
    bounds = scipy.stats.ttest_1samp(shares, 0).confidence_interval(0.90)
    assert (made.low, made.high) == pytest.approx(tuple(bounds))
    assert made.spread == pytest.approx(shares.std(ddof=1))


def test_a_metric_that_is_better_when_lower_is_the_mirror_image():
    up, down = change(BEFORE, NOW, True, 0.2), change(NOW, BEFORE, False, 0.2)
    assert (up.p, up.p_margin, up.drop) == pytest.approx((down.p, down.p_margin, down.drop))
    assert up.difference == pytest.approx(-down.difference)
    better = change(BEFORE, NOW, False)
    assert better.p == pytest.approx(1 - up.p)
    assert better.drop == pytest.approx(-up.drop)


def verdict(before, now, margin=None, tests=1):
    """The verdict where it is one of several tests, the others of which say nothing."""
    made = change(before, now, True, margin)
    others = [replace(made, p=1.0)] * (tests - 1)
    return corrected([made, *others])[0].verdict


def test_a_significant_drop_is_worse_unless_it_is_shown_to_be_smaller_than_the_margin():
    assert verdict(BEFORE, NOW) == "worse"
    assert verdict(BEFORE, NOW, 0.15) == "worse"
    # The drop of 0.15 is at most 0.2513: SE = sqrt(0.275 / 9 / 10), t(0.95, 9) = 1.833.
    assert verdict(BEFORE, NOW, 0.25) == "worse"
    assert verdict(BEFORE, NOW, 0.26) == "not worse"
    assert verdict(NOW, BEFORE) == "not worse"
    # p is 0.0119 (t = 2.71): of four tests the strictest asks for less than 0.0125, of five 0.01.
    assert verdict(BEFORE, NOW, tests=4) == "worse"
    assert verdict(BEFORE, NOW, tests=5) == "not worse"
    assert verdict(BEFORE, NOW, 0.15, tests=5) == "cannot tell"


def test_too_few_conversations_for_a_margin_cannot_tell():
    few, same = column([3, 4, 2, 3]), column([3, 3, 3, 3])
    assert verdict(few, same) == "not worse"
    assert verdict(few, same, 0.02) == "cannot tell"
    assert verdict(few, same, 0.9) == "not worse"


def test_one_conversation_is_never_told():
    assert verdict(column([3]), column([0])) == "cannot tell"
    nothing = Clustered(("x",), ("x",), np.array([4]), np.array([3.0]), None, SHARE)
    assert verdict(BEFORE, nothing) == "cannot tell"


def test_the_same_scores_pass_whatever_the_margin():
    assert verdict(BEFORE, BEFORE, 0.001) == "not worse"
    assert change(BEFORE, BEFORE, True).alike


def test_a_drop_everywhere_alike_is_worse():
    # Nothing varies: the p of the exact test, 1 - unlike = 0.5 / 0.75 in each of 10 conversations.
    made = change(column([4] * 10), column([2] * 10), True)
    assert made.p == pytest.approx((1 / 1.5) ** 10)
    assert verdict(column([4] * 10), column([2] * 10)) == "worse"
    unbounded = column([4] * 10, scale=UNBOUNDED), column([2] * 10, scale=UNBOUNDED)
    assert change(*unbounded, True).p == pytest.approx(0.5**10)


def test_conversations_that_only_one_run_has_are_counted():
    made = change(BEFORE, BEFORE.rows([0, 1, 2, 5]), True)
    assert (made.conversations, made.alone) == (4, (6, 0))


@pytest.fixture(scope="module")
def demo():
    """How often each turn of the demo is got right: by how many of its six strategy baselines, in
    their conversations. Hard turns and hard conversations are those of a real corpus.
    """
    records = [
        result.records
        for name, results in baselines("demo").items()
        for result in results
        if name != "echo" and result.task == "csc_conv_ref"
    ]
    right = np.mean([[r["strategy"] == r["gold_strategy"] for r in own] for own in records], axis=0)
    ids = [record["conversation_id"] for record in records[0]]
    order = list(dict.fromkeys(ids))
    return 0.05 + 0.8 * right, np.array([order.index(id_) for id_ in ids]), order


def test_reruns_rarely_fail_and_promised_drops_are_found(demo):
    """1,000 reruns and 1,000 drops on the demo's 60 conversations. With 5 % the count is at most 62
    in 95 of 100 tries, with 80 % at least 779.
    """
    rates, codes, ids = demo
    draw = np.random.default_rng(5)

    def run(rates):
        return clustered(draw.random(len(rates)) < rates, codes, ids, ids, scale=SHARE)

    def worse(by):
        return [
            corrected([change(run(rates), run(rates * by), True)])[0].verdict for _ in range(1000)
        ]

    spread = np.median([change(run(rates), run(rates * 0.9), True).spread for _ in range(50)])
    promised = detectable_difference(Plan(float(spread)), 60)
    assert worse(1.0).count("worse") <= 62
    assert worse(1 - promised / rates.mean()).count("worse") >= 779


def test_few_conversations_have_no_test_of_a_corpus_metric():
    counts = np.array([[3.0, 1.0, 1.0]] * 9)
    ids = tuple(map(str, range(9)))
    f1 = Clustered(ids, ids, np.ones(9), counts, macro_f1, replace(SHARE, corpus=True))
    made = change(f1, replace(f1, sums=counts * [0.5, 1, 1]), True)
    assert (made.p, made.reason) == (None, "few conversations")
    assert corrected([made])[0].verdict == "cannot tell"
