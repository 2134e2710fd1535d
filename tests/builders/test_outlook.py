"""Intervals of a pilot, against numbers made by hand and from tables."""

import random
import statistics

import pytest

from builders.outlook import exactly, ratio_of, share, successes_of, sum_of, tried_in_order


def near(*numbers):
    return pytest.approx(numbers, rel=1e-4)


def test_a_share_is_wilson_s():
    # 8 of 10: 0.4902 to 0.9433; none of 10: 0 to 3.8415 / 13.8415.
    assert share(8, 10) == near(0.49016, 0.8, 0.94332)
    assert share(0, 10) == near(0.0, 0.0, 0.27753)
    assert share(10, 10) == near(0.72247, 1.0, 1.0)
    assert share(0, 0) == (0, 0, 1)


def test_a_sum_is_a_prediction_by_student_s_t():
    # Mean 3, s = 1.4142, t(1) = 12.7062; two more: 6 +- 12.7062 * 1.4142 * sqrt(2 + 4 / 2).
    assert sum_of([2, 4], exactly(4)) == near(6.0, 12.0, 12 + 35.9385)
    # Mean 4, s = 2, t(2) = 4.30265; six more: 24 +- 4.30265 * 2 * sqrt(6 + 36 / 3).
    assert sum_of([2, 4, 6], exactly(9)) == near(36 - 36.5090 + 12.5090, 36.0, 36 + 36.5090)
    # Nothing is left to predict.
    assert sum_of([2, 4], exactly(2)) == (6, 6, 6)
    assert sum_of([5, 5, 5], exactly(10)) == near(50, 50, 50)


def test_successes_to_come_have_a_chance_of_their_own():
    # 5 of 10, and 10 more: Wilson's interval of 10 * 10 / 20 = 5 trials is 0.1704 to 0.8296.
    assert successes_of(5, 10, 20) == near(6.7042, 10, 13.2958)
    assert successes_of(5, 10, 10) == (5, 5, 5)


def test_a_limit_is_reached_after_more_tries_where_fewer_are_kept():
    # Five more are missing: 5 / 0.8296, 5 / 0.5 and 5 / 0.1704 tries, each rounded up.
    outlook = tried_in_order("items", 5, {}, 10, 100, limit=10)
    assert outlook.parts[0].whole == (17, 20, 40)
    # 90 more would keep 34 at least: the limit stands.
    assert outlook.rows == (10, 10, 10)
    assert tried_in_order("items", 5, {}, 10, 30, limit=10).parts[0].whole == (17, 20, 30)
    assert tried_in_order("items", 0, {}, 10, 30, limit=10).parts[0].whole[1:] == (30, 30)
    assert tried_in_order("items", 10, {}, 12, 30, limit=10).parts[0].whole == (12, 12, 12)


def test_known_sizes_make_a_ratio_of_the_mean():
    # 12 for a size of 8: 1.5 each, and 15 for the 10 ahead. What is left is 0.5, -0.5 and 0, so
    # s = 0.5, t(2) = 4.30265 and three more: 15 +- 4.30265 * 0.5 * sqrt(3 + 9 / 3).
    assert ratio_of([2, 4, 6], [1, 3, 4], 6, 10) == near(16.2123, 27, 27 + 5.26965)
    # The lower bound is Wilson's: of 3 of 3, as if of 3 * 3 / 6 trials, 0.28082 at least come to
    # something. With one that came to nothing (s = 2.3848), it is that of the spread.
    assert ratio_of([2, 4, 6], [1, 2, 3], 6, 10) == near(12 + 20 * 0.28082, 32, 32)
    assert ratio_of([0, 4, 6], [2, 3, 3], 6, 10)[:2] == near(10, 22.5)
    assert ratio_of([2, 4], [1, 2], 2, 0) == (6, 6, 6)


@pytest.mark.parametrize("kind", ["sum", "successes"])
def test_the_whole_lies_in_its_interval_about_as_often_as_it_says(kind):
    draw = random.Random(1)
    hits = []
    for _ in range(400):
        if kind == "sum":
            values = [draw.gammavariate(4, 2) for _ in range(80)]
            low, _, high = sum_of(values[:20], exactly(80))
        else:
            values = [float(draw.random() < 0.7) for _ in range(80)]
            low, _, high = successes_of(int(sum(values[:20])), 20, 80)
        hits.append(low <= sum(values) <= high)
    assert 0.92 <= statistics.mean(hits) <= 0.98
