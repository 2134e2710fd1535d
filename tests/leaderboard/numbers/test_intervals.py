"""Intervals and tests of one estimate against statsmodels, scipy and values worked out by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from csc_tasks.errors import DataError
from csc_tasks.metrics import METRICS, Estimate, jackknife
from leaderboard.numbers.inference import Clustered, paired, value_of
from leaderboard.numbers.intervals import (
    COUNT,
    FEWEST,
    SHARE,
    UNBOUNDED,
    Scale,
    exact,
    excludes_zero,
    p_value,
    with_interval,
)
from leaderboard.numbers.scales import scale_of

BLEU = Scale(0.0, 100.0, corpus=True)


def interval(estimated, scale=UNBOUNDED):
    found = with_interval(estimated, scale)
    return found.low, found.high, found.method, found.reason


@pytest.mark.parametrize("count", [2, 10, 60, 525])
def test_where_nothing_varies_the_bounds_are_those_of_clopper_and_pearson(count):
    none, all_ = (interval(Estimate(value, 0.0, 9 * count, count), SHARE) for value in (0.0, 1.0))
    expected = proportion_confint(0, count, 0.05, method="beta")
    assert none == (*map(pytest.approx, expected), "exact", None)
    expected = proportion_confint(count, count, 0.05, method="beta")
    assert all_ == (*map(pytest.approx, expected), "exact", None)


def test_a_constant_inside_the_scale_may_be_off_in_the_share_that_was_not_seen():
    # 0 of 60: up to 1 - 0.025^(1/60) = 0.0596 of the conversations are otherwise, at 0 or at 1.
    assert exact(0.4, 60, SHARE) == pytest.approx(
        (0.4 * (1 - 0.05962), 0.4 + 0.6 * 0.05962), abs=1e-5
    )


def test_a_share_is_made_on_the_logit_scale():
    """As for independent answers by the delta method: logit(p) -+ t sqrt(1 / (n p (1 - p)))."""
    n, hits = 50, 4
    share = hits / n
    stderr = math.sqrt(share * (1 - share) / n)
    half = scipy.stats.t.ppf(0.975, n - 1) * math.sqrt(1 / hits + 1 / (n - hits))
    low, high, method, _ = interval(Estimate(share, stderr, n, n), SHARE)
    assert (low, high) == pytest.approx(tuple(expit(logit(share) + np.array([-half, half]))))
    assert method == "logit"
    # BLEU lies between 0 and 100 in the same way.
    wide = interval(Estimate(100 * share, 100 * stderr, n, n, n - 1.0), BLEU)
    assert wide[:2] == pytest.approx((100 * low, 100 * high))


def test_a_count_is_made_on_the_log_scale_and_what_has_no_bounds_on_its_own():
    half = scipy.stats.t.ppf(0.975, 19) * 0.3
    low, high, method, _ = interval(Estimate(0.5, 0.3, 100, 20), COUNT)
    assert (low, high, method) == (
        pytest.approx(0.5 * math.exp(-half / 0.5)),
        pytest.approx(0.5 * math.exp(half / 0.5)),
        "log",
    )
    below = interval(Estimate(-0.5, 0.3, 100, 20), Scale(-math.inf, 0.0))
    assert below[:3] == (pytest.approx(-high), pytest.approx(-low), "log")
    assert interval(Estimate(0.5, 0.3, 100, 20))[:3] == (
        pytest.approx(0.5 - half),
        pytest.approx(0.5 + half),
        "t",
    )


@pytest.mark.parametrize("scale", [SHARE, Scale(0.0, 100.0), Scale(1.0, 5.0), COUNT, BLEU])
@pytest.mark.parametrize("place", [1e-9, 1e-4, 0.03, 0.5, 0.97])
@pytest.mark.parametrize("error", [1e-6, 0.1, 10.0])
def test_a_bounded_scale_stays_bounded(scale, place, error):
    top = scale.high if math.isfinite(scale.high) else scale.low + 1
    value = scale.low + place * (top - scale.low)
    low, high, _, _ = interval(Estimate(value, error, 300, 40), scale)
    assert scale.low <= low <= value <= high <= scale.high


def test_a_difference_is_symmetric_and_no_larger_than_can_be():
    half = scipy.stats.t.ppf(0.975, 9) * 0.1
    assert interval(Estimate(0.1, 0.1, 90, 10), SHARE.between())[:3] == (
        pytest.approx(0.1 - half),
        pytest.approx(0.1 + half),
        "t",
    )
    assert interval(Estimate(0.9, 0.1, 90, 10), SHARE.between())[1] == 1.0


@pytest.mark.parametrize(
    ("estimated", "scale", "reason"),
    [
        (Estimate(None, None, 0, 0), SHARE, "no value"),
        (Estimate(0.5, None, 9, 1), SHARE, "one conversation"),
        (Estimate(7.0, 1.0, 90, FEWEST - 1, 9.0), BLEU, "few conversations"),
        (Estimate(7.0, 1.0, 90, 9, 8.0), BLEU.between(), "few conversations"),
        (Estimate(0.0, 0.0, 900, 90), BLEU, "no variation"),
        (Estimate(0.7, 0.0, 900, 90), UNBOUNDED, "no variation"),
    ],
)
def test_what_has_no_interval_says_why(estimated, scale, reason):
    assert interval(estimated, scale) == (None, None, "none", reason)


def test_a_corpus_metric_has_an_interval_from_thirty_conversations_and_a_difference_from_ten():
    assert interval(Estimate(7.0, 1.0, 90, 30, 20.0), BLEU)[2] == "logit"
    assert interval(Estimate(7.0, 1.0, 90, 10, 7.0), BLEU.between())[2] == "t"


def test_degrees_of_freedom_are_those_of_normal_replicates_and_fewer_of_uneven_ones():
    """The variance of a sample variance is that of scipy's k-statistics, with the moments put in
    for the cumulants.
    """
    even = scipy.stats.norm.ppf((np.arange(400) + 0.5) / 400)
    for without in (even, np.array([0, 0, 0, 1.0])):
        found = jackknife(0.5, without, 7)
        freedom, size = found.freedom, len(without)
        assert found.bias == pytest.approx((size - 1) * (without.mean() - 0.5))
        assert found.stderr == pytest.approx((size - 1) * without.std(ddof=1) / np.sqrt(size))
        second, fourth = without.var(), ((without - without.mean()) ** 4).mean()
        variance = fourth / size - second**2 * (size - 3) / (size * (size - 1))
        assert freedom == pytest.approx(min(max(2 * second**2 / variance, 1), size - 1))
    assert jackknife(0.5, even, 7).freedom > 390
    assert jackknife(0.5, np.array([0.0] * 99 + [1.0]), 7).freedom < 2.1
    assert jackknife(1.0, np.ones(5), 7) == Estimate(1.0, 0.0, 7, 5)


def test_the_interval_lies_around_what_a_value_is_without_its_bias():
    half = scipy.stats.t.ppf(0.975, 7.5) * 2.0 / (7.0 * 0.93)
    low, high, _, _ = interval(Estimate(7.0, 2.0, 90, 30, 7.5, -1.0), BLEU)
    center = logit(0.07) + 1.0 / (7.0 * 0.93)
    assert (low, high) == pytest.approx(tuple(100 * expit(center + np.array([-half, half]))))
    # It never leaves out what is printed.
    assert interval(Estimate(7.0, 0.1, 90, 30, 7.5, -1.0), BLEU)[0] == 7.0
    apart = interval(Estimate(7.0, 2.0, 90, 30, 7.5, -1.0), BLEU.between())
    assert sum(apart[:2]) == pytest.approx(14.0)


def test_a_test_is_the_t_test_and_agrees_with_the_interval():
    assert p_value(Estimate(0.3, 0.1, 90, 10)) == pytest.approx(2 * scipy.stats.t.sf(3, 9))
    assert p_value(Estimate(0.3, 0.1, 90, 40, 5.5)) == pytest.approx(2 * scipy.stats.t.sf(3, 5.5))
    assert p_value(Estimate(0.5, None, 9, 1)) is None
    assert p_value(Estimate(None, None, 0, 0)) is None
    assert p_value(Estimate(3.0, 1.0, 90, 9, 8.0), BLEU.between()) is None


def test_always_better_is_a_sign_test_and_two_conversations_never_give_0():
    between = SHARE.between()
    for count in (2, 3, 6, 30):
        expected = scipy.stats.binomtest(count, count, 0.5).pvalue
        assert p_value(Estimate(1.0, 0.0, 9 * count, count), between) == pytest.approx(expected)
        low, high = with_interval(Estimate(1.0, 0.0, 9 * count, count), between).low, 1.0
        assert excludes_zero(low, high) == (expected < 0.05)
    assert p_value(Estimate(-0.2, 0.0, 20, 2), between) == 1.0
    assert p_value(Estimate(0.0, 0.0, 20, 2), between) == 1.0
    assert p_value(Estimate(1e-15, 1e-15, 20, 2), between) == 1.0
    assert p_value(Estimate(0.2, 0.0, 20, 2)) == 0.5
    # Where 0 is the bound: 2 * (1 / 1.3)^n for a constant difference of 0.3.
    for count in (14, 15):
        low = with_interval(Estimate(0.3, 0.0, 90, count), between).low
        assert excludes_zero(low, 1.0) == (2 * (1 / 1.3) ** count < 0.05)
        assert p_value(Estimate(0.3, 0.0, 90, count), between) == pytest.approx(
            2 * (1 / 1.3) ** count
        )


def test_an_interval_that_touches_zero_does_not_exclude_it():
    for low, high, excluded in (
        (0.1, 0.3, True),
        (-0.3, -0.1, True),
        (-0.1, 0.3, False),
        (0.0, 0.3, False),
        (-0.3, 0.0, False),
    ):
        assert excludes_zero(low, high) is excluded, (low, high)
    assert not excludes_zero(None, None)


def test_macro_f1_by_hand_leaving_out_one_conversation_after_the_other():
    """Every label of the corpus stays in every replicate, also the one that stands in a single
    conversation.
    """
    metric = METRICS["strategy_macro_f1"]
    random = np.random.default_rng(3)
    gold = np.concatenate([random.integers(1, 4, 179), [9]])
    ours = np.where(random.random(180) < 0.6, gold, random.integers(1, 4, 180))
    clusters = np.repeat(np.arange(60), 3)
    counts = metric.expand(np.stack([gold, ours], axis=1).tolist())
    sums = np.stack([counts[clusters == c].sum(axis=0) for c in range(60)])
    ids = tuple(map(str, range(60)))
    found = value_of(
        Clustered(ids, ids, np.full(60, 3), sums, metric.statistic, scale_of("strategy_macro_f1"))
    )

    def macro(keep):
        f1 = [
            2
            * ((gold == k) & (ours == k) & keep).sum()
            / max(1, ((gold == k) & keep).sum() + ((ours == k) & keep).sum())
            for k in (1, 2, 3, 9)
        ]
        return sum(f1) / 4

    without = np.array([macro(clusters != c) for c in range(60)])
    value, deviations = macro(clusters >= 0), without - without.mean()
    stderr = np.sqrt(59 / 60 * (deviations**2).sum())
    kurtosis = (deviations**4).mean() / (deviations**2).mean() ** 2
    freedom = max(1, 2 / ((kurtosis - 1) / 60 + 2 / (60 * 59)))
    half = scipy.stats.t.ppf(0.975, freedom) * stderr / (value * (1 - value))
    bias = 59 * (without.mean() - value) / (value * (1 - value))
    assert (found.value, found.stderr) == pytest.approx((value, stderr))
    assert (found.low, found.high) == pytest.approx(
        tuple(expit(logit(value) - bias + np.array([-half, half])))
    )


def test_a_bca_bootstrap_agrees_where_there_are_many_conversations():
    random = np.random.default_rng(5)
    scores = random.beta(2, 5, 300)
    ids = tuple(map(str, range(300)))
    found = value_of(Clustered(ids, ids, np.ones(300, dtype=int), scores, None, SHARE))
    # Not `rng`, its name since scipy 1.15: the older name is taken before and after.
    expected = scipy.stats.bootstrap(
        (scores,), np.mean, n_resamples=4000, method="BCa", random_state=np.random.default_rng(0)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.003)


def test_identical_models_differ_by_nothing_within_what_was_not_seen():
    ids = tuple(map(str, range(60)))
    one = Clustered(ids, ids, np.full(60, 3), np.arange(60) / 60, None, SHARE)
    found, p = paired(one, one)
    assert (found.value, p, found.method) == (0.0, 1.0, "exact")
    assert (found.low, found.high) == pytest.approx((-0.05962, 0.05962), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "low", "high", "corpus"),
    [
        ("strategy_acc", 0.0, 1.0, False),
        ("strategy_macro_f1", 0.0, 1.0, True),
        ("bleu_4_zh", 0.0, 100.0, True),
        ("judge_j_overall", 0.0, 100.0, False),
        ("judge_j_missing", 0.0, 1.0, False),
        ("judge_j_unsupported", 0.0, 1.0, False),
        ("human_overall", 1.0, 5.0, False),
        ("of another version", -math.inf, math.inf, False),
    ],
)
def test_the_scale_of_a_column(name, low, high, corpus):
    assert scale_of(name) == Scale(low, high, corpus)


def test_a_corpus_metric_is_not_compared_with_a_mean():
    ids = ("a", "b")
    plain = Clustered(ids, ids, np.ones(2, dtype=int), np.ones(2))
    other = Clustered(ids, ids, np.ones(2, dtype=int), np.ones((2, 2)), lambda s: s[..., 0])
    with pytest.raises(DataError, match="no paired difference"):
        paired(plain, other)
