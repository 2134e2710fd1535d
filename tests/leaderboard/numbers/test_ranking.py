"""Which rows of a column are marked, and the pairs behind the marks: small columns whose order and
intervals are known.
"""

import numpy as np
import pytest
import scipy.stats

from leaderboard.board import Column, Comparison, Value
from leaderboard.numbers.inference import clustered
from leaderboard.numbers.ranking import best_and_second, compare


def column(higher=True, ranked=True):
    return Column(
        key="task/metric",
        task="task",
        group="Task",
        metric="metric",
        label="Metric",
        higher_is_better=higher,
        scale=100.0,
        digits=1,
        signature="metric|version:1",
        headline=True,
        ranked=ranked,
    )


def values(**numbers):
    return {
        slug: Value(value=number, items=10, clusters=10, method="none")
        for slug, number in numbers.items()
    }


def pair(a, b, low, high):
    return Comparison(
        column="task/metric",
        a=a,
        b=b,
        difference=0.0,
        stderr=0.1,
        low=low,
        high=high,
        p=0.5,
        p_holm=0.5,
        items=10,
        clusters=10,
    )


APART, TOGETHER = (0.1, 0.3), (-0.1, 0.3)


def marks(first, second, third, higher=True, **numbers):
    """The marks where the pairs a-b, a-c and b-c have these intervals. A pair is named in either
    order.
    """
    comparisons = [pair("a", "b", *first), pair("c", "a", *second), pair("b", "c", *third)]
    return best_and_second(
        column(higher), values(**(numbers or {"b": 0.5, "c": 0.4, "a": 0.6})), comparisons
    )


def test_the_second_is_underlined_only_where_its_intervals_exclude_zero():
    assert marks(APART, APART, APART) == ("a", "b")
    # b is next, and not significantly different from c: nothing is underlined.
    assert marks(APART, APART, TOGETHER) == ("a", None)
    assert marks(APART, APART, (None, None)) == ("a", None)


def test_the_best_is_bold_only_where_it_is_apart_from_every_other_row():
    assert marks(TOGETHER, APART, APART) == (None, None)
    assert marks(APART, TOGETHER, APART) == (None, None)
    # An interval that ends at 0 includes it; one below 0 is as good as one above, which only says
    # in which order a pair is named.
    assert marks((0.0, 0.2), APART, APART) == (None, None)
    assert marks((-0.2, 0.0), APART, APART) == (None, None)
    assert marks((-0.3, -0.1), APART, APART) == ("a", "b")


def test_a_pair_that_was_not_compared_is_not_apart():
    assert best_and_second(column(), values(a=0.6, b=0.5), []) == (None, None)
    assert best_and_second(
        column(), values(a=0.6, b=0.5, c=0.4), [pair("a", "b", *APART), pair("b", "c", *APART)]
    ) == (None, None)


def test_the_marks_go_by_the_direction_of_the_metric():
    assert marks(APART, APART, APART, higher=False) == ("c", "b")


def test_of_two_rows_one_may_be_best_and_none_is_second():
    assert best_and_second(column(), values(a=0.5, b=0.6), [pair("a", "b", *APART)]) == ("b", None)


def test_what_is_not_ranked_or_not_there_has_no_marks():
    both = [pair("a", "b", *APART)]
    assert best_and_second(column(ranked=False), values(a=0.5, b=0.6), both) == (None, None)
    # One row alone is not the best of anything, and a row without a value is no row.
    assert best_and_second(column(), values(a=0.5), []) == (None, None)
    assert best_and_second(column(), values(a=0.5, b=None), both) == (None, None)
    assert best_and_second(column(), values(a=0.5, b=0.6, c=None), both) == ("b", None)


def summed(*scores, ids="uvwx"):
    """One item per conversation."""
    return clustered(
        np.asarray(scores, dtype=float), np.arange(len(scores)), list(ids[: len(scores)])
    )


def test_pairs_are_tested_as_scipy_does_and_corrected_over_all_of_them():
    rows = {
        "a": summed(0.9, 0.7, 0.8, 0.9),
        "b": summed(0.1, 0.3, 0.1, 0.2),
        "c": summed(0.5, 0.4, 0.9, 0.1),
    }
    found = compare("task/metric", rows)
    assert [(c.a, c.b) for c in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    for one in found:
        first, second = rows[one.a].sums, rows[one.b].sums
        expected = scipy.stats.ttest_rel(first, second)
        assert one.column == "task/metric" and (one.items, one.clusters) == (4, 4)
        assert one.difference == pytest.approx(np.mean(first - second))
        assert one.p == pytest.approx(expected.pvalue)
        assert (one.low, one.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    # Holm: the smallest p times 3, the next times 2, never falling.
    smallest, middle, largest = sorted(one.p for one in found)
    adjusted = [
        min(1.0, 3 * smallest),
        min(1.0, max(3 * smallest, 2 * middle)),
        min(1.0, max(3 * smallest, 2 * middle, largest)),
    ]
    assert [one.p_holm for one in sorted(found, key=lambda one: one.p)] == pytest.approx(adjusted)


def test_a_pair_with_fewer_than_two_shared_conversations_is_left_out_of_the_correction():
    rows = {
        "a": summed(0.9, 0.7, 0.8),
        "b": summed(0.1, 0.3, 0.1),
        "c": summed(0.5, 0.6, ids="wx"),
        "d": summed(0.5, 0.6, ids="yz"),
    }
    # a and c share only conversation w, which gives no standard error; nobody shares anything with
    # d.
    found = compare("task/metric", rows)
    assert [(c.a, c.b) for c in found] == [("a", "b")]
    assert found[0].p_holm == found[0].p < 0.05
