"""Clustered standard errors: against the formulas written out as loops, and against answers worked
out by hand.
"""

import json
import math
import random

import numpy as np
import pytest

from csc_tasks.errors import DataError
from csc_tasks.metrics import METRICS, Estimate, estimate


def by_loops(items, clusters):
    """SE of a mean straight from the formula."""
    n, mean = len(items), sum(items) / len(items)
    names = sorted(set(clusters))
    squares = 0.0
    for name in names:
        inside = 0.0
        for x, cluster in zip(items, clusters, strict=True):
            if cluster == name:
                inside += x - mean
        squares += inside**2
    return math.sqrt(len(names) / (len(names) - 1) * squares) / n


def jackknife_by_loops(items, clusters, value_of):
    """SE from recomputing the corpus value of the items that are left, one cluster out at a
    time.
    """
    names = sorted(set(clusters))
    thetas = [
        value_of([x for x, cluster in zip(items, clusters, strict=True) if cluster != name])
        for name in names
    ]
    mean = sum(thetas) / len(thetas)
    return math.sqrt((len(names) - 1) / len(names) * sum((theta - mean) ** 2 for theta in thetas))


def ratio(sums):
    return sums[..., 0] / np.maximum(sums[..., 1], 1)


def drawn(seed, n, g):
    random.seed(seed)
    clusters = [f"c{random.randrange(g)}" for _ in range(n)]
    level = {c: random.random() for c in clusters}
    return [level[c] + random.gauss(0, 0.2) for c in clusters], clusters


# mean 0.5, deviations +-0.5. One item a cluster: sum of squares 1, sqrt(4/3 * 1)/4. Two clusters of
# equal pairs: (+-1)^2 * 2 = 2, sqrt(2/1 * 2)/4 = 0.5. Clusters that cancel inside: 0, and that 0 is
# a measured one.
@pytest.mark.parametrize(
    ("items", "clusters", "expected"),
    [
        ([1, 1, 0, 0], "abcd", Estimate(0.5, math.sqrt(4 / 3) / 4, 4, 4)),
        ([1, 1, 0, 0], "aabb", Estimate(0.5, 0.5, 4, 2)),
        ([1, 0, 1, 0], "aabb", Estimate(0.5, 0.0, 4, 2)),
        ([1, 1, 0, 0], "aaaa", Estimate(0.5, None, 4, 1)),
        ([0.25], "a", Estimate(0.25, None, 1, 1)),
        ([], "", Estimate(None, None, 0, 0)),
        ([True, False], "ab", Estimate(0.5, 0.5, 2, 2)),
        # Unequal clusters: the value is the mean over items (2/3), not over clusters (1/2). a: 2 *
        # 1/3, b: -2/3: sqrt(2 * 8/9)/3.
        ([1, 1, 0], "aab", Estimate(2 / 3, math.sqrt(2 * 8 / 9) / 3, 3, 2)),
    ],
)
def test_means_by_hand(items, clusters, expected):
    found = estimate(items, list(clusters))
    assert (found.items, found.clusters) == (expected.items, expected.clusters)
    assert found.value == pytest.approx(expected.value, abs=1e-15)
    assert found.stderr == pytest.approx(expected.stderr, abs=1e-15)
    json.dumps([found.value, found.stderr])  # plain Python numbers


@pytest.mark.parametrize("seed", range(5))
def test_means_equal_the_formula_in_loops(seed):
    items, clusters = drawn(seed, 200, 17)
    found = estimate(items, clusters)
    assert found.value == pytest.approx(sum(items) / 200, abs=1e-12)
    assert found.stderr == pytest.approx(by_loops(items, clusters), abs=1e-12)


def test_one_item_a_cluster_is_the_ordinary_standard_error():
    items, _ = drawn(1, 50, 5)
    found = estimate(items, [f"c{i}" for i in range(50)])
    assert found.stderr == pytest.approx(np.std(items, ddof=1) / math.sqrt(50), abs=1e-12)


def test_copies_inside_a_cluster_add_no_certainty():
    items, _ = drawn(2, 40, 5)
    ids = [f"c{i}" for i in range(40)]
    once, five_times = estimate(items, ids), estimate(items * 5, ids * 5)
    assert five_times.stderr == pytest.approx(once.stderr, abs=1e-12)
    assert five_times.clusters == once.clusters == 40


def test_the_order_of_the_items_does_not_matter():
    items, clusters = drawn(3, 300, 20)
    pairs = [[int(10 * abs(x)), 12] for x in items]
    order = random.Random(0).sample(range(300), 300)
    for some, statistic in ((items, None), (pairs, ratio)):
        straight = estimate(some, clusters, statistic)
        mixed = estimate([some[i] for i in order], [clusters[i] for i in order], statistic)
        assert mixed.value == pytest.approx(straight.value, abs=1e-12)
        assert mixed.stderr == pytest.approx(straight.stderr, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_jackknife_equals_leaving_each_cluster_out(seed):
    random.seed(seed)
    pairs = [[random.randrange(10), random.randrange(1, 20)] for _ in range(120)]
    clusters = [f"c{random.randrange(9)}" for _ in range(120)]

    def value_of(rows):
        return sum(a for a, _ in rows) / sum(b for _, b in rows)

    found = estimate(pairs, clusters, ratio)
    assert found.value == pytest.approx(value_of(pairs), abs=1e-12)
    assert found.stderr == pytest.approx(jackknife_by_loops(pairs, clusters, value_of), abs=1e-12)
    assert (found.items, found.clusters) == (120, 9)


def test_the_jackknife_of_a_mean_is_the_standard_error_of_that_mean_when_clusters_are_equal():
    # For a mean over equal clusters both formulas are the same number; a wrong factor (G-1)/G or
    # G/(G-1) in either would show.
    items = [random.Random(4).random() + i % 7 for i in range(84)]
    clusters = [f"c{i // 6}" for i in range(84)]
    jackknife = estimate([[x, 1] for x in items], clusters, ratio)
    assert jackknife.stderr == pytest.approx(estimate(items, clusters).stderr, abs=1e-12)


def test_the_standard_error_is_the_spread_of_repeated_corpora():
    # 400 corpora of 40 conversations with a shared level: the mean estimated error is the real
    # spread, the unclustered one is far off.
    random.seed(6)
    means, errors, naive = [], [], []
    for _ in range(400):
        items, clusters = [], []
        for g in range(40):
            level = random.gauss(0, 1)
            items += [level + random.gauss(0, 0.5) for _ in range(8)]
            clusters += [f"c{g}"] * 8
        found = estimate(items, clusters)
        means.append(found.value)
        errors.append(found.stderr)
        naive.append(np.std(items, ddof=1) / math.sqrt(len(items)))
    assert np.mean(errors) == pytest.approx(np.std(means, ddof=1), rel=0.12)
    assert np.mean(naive) < 0.5 * np.std(means, ddof=1)


def test_without_clusters_enough_or_items_a_statistic_is_undefined_too():
    assert estimate([], [], ratio) == Estimate(None, None, 0, 0)
    assert estimate([[1, 2], [3, 4]], ["a", "a"], ratio) == Estimate(4 / 6, None, 2, 1)
    assert METRICS["strategy_macro_f1"].estimate([], []) == Estimate(None, None, 0, 0)
    assert METRICS["bleu_4"].estimate([], []) == Estimate(None, None, 0, 0)


@pytest.mark.parametrize(
    ("items", "clusters", "statistic", "names"),
    [
        ([1, 2], ["a"], None, "2 scored items but 1 cluster ids"),
        ([1, 2], ["a", ""], None, "item 1: the cluster id is ''"),
        ([1, 2], ["a", None], None, "item 1: the cluster id is None"),
        ([1, 2], ["a", 7], None, "item 1: the cluster id is 7"),
        ([1, float("nan")], ["a", "b"], None, "item 1 is nan"),
        ([1, None], ["a", "b"], None, "item 1 is None"),
        ([float("inf"), 1], ["a", "b"], None, "item 0 is inf"),
        ([[1, 2], [1, float("nan")]], ["a", "b"], ratio, r"item 1 is \[1, nan\]"),
        ([[1, 2], [1]], ["a", "b"], ratio, "all of one length"),
        ([[1, 2], [1, 2]], ["a", "b"], None, "one number per item"),
        ([1, 2], ["a", "b"], ratio, "one list of numbers per item"),
        (["x", "y"], ["a", "b"], None, "the first is 'x'"),
    ],
)
def test_bad_input_is_named(items, clusters, statistic, names):
    with pytest.raises(DataError, match=names):
        estimate(items, clusters, statistic)


def test_a_paired_difference_of_two_systems_is_an_estimate():
    # Two systems' statistics side by side: the error of the difference, by leaving conversations
    # out of both at once.
    random.seed(8)
    rows = [[random.randrange(10), 10, random.randrange(10), 10] for _ in range(60)]
    clusters = [f"c{i % 11}" for i in range(60)]

    def difference(some):
        return sum(r[0] for r in some) / sum(r[1] for r in some) - sum(r[2] for r in some) / sum(
            r[3] for r in some
        )

    found = estimate(rows, clusters, lambda sums: ratio(sums[..., :2]) - ratio(sums[..., 2:]))
    assert found.value == pytest.approx(difference(rows), abs=1e-12)
    assert found.stderr == pytest.approx(jackknife_by_loops(rows, clusters, difference), abs=1e-12)


def test_as_many_items_and_clusters_as_the_real_corpus():
    # 25,000 turns in 1,855 conversations; what is asserted is that a size like this works at all,
    # not a time.
    random.seed(9)
    clusters = [f"c{random.randrange(1855)}" for _ in range(25_000)]
    golds = [[random.randrange(1, 13), random.randrange(13)] for _ in range(25_000)]
    found = METRICS["strategy_macro_f1"].estimate(golds, clusters)
    assert found.clusters == 1855
    assert 0 < found.stderr < 0.01
