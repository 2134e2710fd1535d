"""Means, paired differences and Holm against statsmodels, scipy and values worked out by hand."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from csc_tasks.errors import DataError
from csc_tasks.metrics import METRICS
from leaderboard.numbers import inference
from leaderboard.numbers.intervals import p_value

RANDOM = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def drawn_from_the_start():
    """Every test sees the same numbers, whichever tests ran before it."""
    global RANDOM
    RANDOM = np.random.default_rng(7)


def column(values, clusters, statistic=None, members=None):
    ids = sorted(set(clusters))
    codes = np.asarray([ids.index(cluster) for cluster in clusters])
    return inference.clustered(np.asarray(values, dtype=float), codes, ids, members, statistic)


def random_column(sizes=(1, 5, 3, 8, 2, 2, 4), shift=0.0):
    clusters = [f"c{i}" for i, size in enumerate(sizes) for _ in range(size)]
    return (
        RANDOM.normal(size=len(clusters))
        + np.repeat(RANDOM.normal(size=len(sizes)), sizes)
        + shift,
        clusters,
    )


def statsmodels_mean(values, clusters):
    """Mean, standard error, interval and p by OLS on a constant with cluster-robust errors and t
    with clusters - 1.
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    fit = OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    return fit.params[0], fit.bse[0], *fit.conf_int(0.05)[0], fit.pvalues[0]


def test_a_mean_and_its_interval_are_those_of_statsmodels():
    for _ in range(5):
        values, clusters = random_column()
        found = inference.value_of(column(values, clusters))
        mean, error, low, high, p = statsmodels_mean(values, clusters)
        assert (found.value, found.stderr, found.low, found.high) == pytest.approx(
            (mean, error, low, high)
        )
        assert (found.items, found.clusters, found.method) == (25, 7, "t")
        assert p_value(inference.clustered_estimate(column(values, clusters))) == pytest.approx(p)


def test_clusters_of_one_give_the_ordinary_t_interval():
    values = RANDOM.normal(size=12)
    found = inference.value_of(column(values, [f"c{i:02}" for i in range(12)]))
    assert (found.low, found.high) == pytest.approx(
        scipy.stats.t.interval(0.95, 11, values.mean(), scipy.stats.sem(values))
    )


def test_by_hand():
    # Conversations (1, 1, 0) and (0, 0): mean 0.4, deviations 0.8 and -0.8, SE = sqrt(2 * (0.64 +
    # 0.64)) / 5 = 0.32.
    found = inference.value_of(column([1, 1, 0, 0, 0], ["a", "a", "a", "b", "b"]))
    assert (found.value, found.stderr) == pytest.approx((0.4, 0.32))
    # t with 1 degree of freedom: 12.706.
    assert found.high == pytest.approx(0.4 + 12.7062 * 0.32, abs=1e-4)


def test_undefined_is_none_and_never_zero():
    one = inference.value_of(column([1.0, 0.0], ["a", "a"]))
    assert (one.value, one.stderr, one.low, one.high, one.method) == (0.5, None, None, None, "none")
    assert one.reason == "one conversation"
    empty = inference.value_of(inference.clustered(np.zeros(0), np.zeros(0, dtype=int), []))
    assert (empty.value, empty.items, empty.reason) == (None, 0, "no value")
    with pytest.raises(DataError, match="not a finite number"):
        column([1.0, float("nan")], ["a", "b"])


def test_columns_of_different_kinds_have_no_difference():
    def total(sums):
        return sums[..., 0]

    plain = column([1.0, 0.0], ["a", "b"])
    narrow, wide = (column(np.ones((2, width)), ["a", "b"], total) for width in (2, 3))
    for one, other in ((plain, narrow), (narrow, plain), (narrow, wide)):
        with pytest.raises(DataError, match="no paired difference"):
            inference.difference(one, other)


def test_a_paired_difference_is_that_of_statsmodels_and_of_scipy():
    ours, clusters = random_column(shift=0.3)
    theirs = ours + RANDOM.normal(size=len(ours)) * 0.4
    found, tested = inference.paired(column(ours, clusters), column(theirs, clusters))
    mean, error, low, high, p = statsmodels_mean(ours - theirs, clusters)
    assert (found.value, found.stderr) == pytest.approx((mean, error))
    assert (found.low, found.high, found.method) == (*map(pytest.approx, (low, high)), "t")
    assert tested == pytest.approx(p)
    single = [f"c{i:02}" for i in range(len(ours))]
    _, tested = inference.paired(column(ours, single), column(theirs, single))
    assert tested == pytest.approx(scipy.stats.ttest_rel(ours, theirs).pvalue)


def test_only_shared_conversations_are_compared():
    a = column([1, 1, 0, 1], ["a", "b", "c", "d"])
    b = column([0, 1, 1, 9], ["d", "c", "b", "x"])
    found = inference.difference(a, b)
    # b: 1 - 1, c: 0 - 1, d: 1 - 0.
    assert (found.value, found.items, found.clusters) == (pytest.approx(0.0), 3, 3)
    # A conversation whose items are not the same ones is not shared.
    ids, codes = ["a", "b"], np.asarray([0, 0, 1])
    other = inference.clustered(np.asarray([1.0, 0.0, 1.0]), codes, ids, ["1,3", "1"])
    mine = inference.clustered(np.asarray([1.0, 1.0, 0.0]), codes, ids, ["1,5", "1"])
    assert inference.difference(mine, other).clusters == 1
    assert inference.difference(mine, other).value == -1.0


def test_corpus_metrics_pair_by_their_statistics():
    """BLEU of two systems: value and jackknife recomputed by leaving out one conversation after the
    other.
    """
    import sacrebleu

    words = [
        "the",
        "cat",
        "sat",
        "on",
        "a",
        "mat",
        "and",
        "saw",
        "one",
        "dog",
        "that",
        "ran",
        "far",
        "away",
    ]
    clusters = [f"c{i // 3}" for i in range(18)]
    references, ours, theirs = (
        [" ".join(RANDOM.choice(words, size=8)) for _ in clusters] for _ in range(3)
    )
    ours = [
        " ".join([*r.split()[:5], *o.split()[5:]]) for r, o in zip(references, ours, strict=True)
    ]
    theirs = [
        " ".join([*r.split()[:4], *t.split()[4:]]) for r, t in zip(references, theirs, strict=True)
    ]
    metric = METRICS["bleu_2"]
    columns = [
        column(metric.score(texts, references, "en").items, clusters, metric.statistic)
        for texts in (ours, theirs)
    ]
    bleu = sacrebleu.BLEU(max_ngram_order=2, tokenize="13a")

    def gap(keep):
        kept, *systems = (
            [text for text, k in zip(texts, keep, strict=True) if k]
            for texts in (references, ours, theirs)
        )
        first, second = (bleu.corpus_score(texts, [kept]).score for texts in systems)
        return first - second

    without = np.asarray([gap([cluster != f"c{i}" for cluster in clusters]) for i in range(6)])
    found = inference.difference(*columns)
    assert found.value == pytest.approx(gap([True] * 18))
    assert found.stderr == pytest.approx(np.sqrt(5 / 6 * np.sum((without - without.mean()) ** 2)))
    with pytest.raises(DataError, match="different statistics"):
        inference.difference(columns[0], column([1.0] * 18, clusters))


def test_a_group_is_tested_against_the_rest_as_statsmodels_does():
    """Least squares on a dummy with cluster-robust errors; its correction for few clusters has one
    factor more, (n - 1) / (n - 2).
    """
    values, clusters = random_column(sizes=(5, 7, 3, 8, 4, 6, 9, 5))
    codes = np.unique(clusters, return_inverse=True)[1]
    chosen = RANDOM.random(len(values)) < 0.4
    fit = OLS(values, np.stack([np.ones(len(values)), chosen], axis=1).astype(float)).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    size = len(values)
    error = fit.bse[1] * np.sqrt((size - 2) / (size - 1))
    # Both sides have items of all 8 conversations.
    expected = 2 * scipy.stats.t.sf(abs(fit.params[1]) / error, 7)
    assert inference.apart_from(values, codes, chosen) == pytest.approx(expected)
    assert inference.apart_from(values, codes, codes == 0) is None, "a group of one conversation"
    assert inference.apart_from(np.ones(size), codes, chosen) is None, "nothing varies"


def test_holm_is_that_of_statsmodels_and_of_a_worked_example():
    # Holm (1979): 0.01, 0.04, 0.03, 0.005 -> 0.03, 0.06, 0.06, 0.02.
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    values = RANDOM.uniform(size=30) ** 3
    assert inference.holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1])
    assert inference.holm([0.01, None, 0.04]) == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert inference.holm([]) == []
