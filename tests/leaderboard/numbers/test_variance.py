"""The split of a live metric's variance: by hand, against statsmodels, and on planted data."""

import numpy as np
import pytest

from csc_tasks.errors import DataError
from leaderboard.numbers.variance import components


def cells(table):
    """A table (conversations, customers, repeats) as cells."""
    return {
        (f"c{i}", f"k{j}"): list(own) for i, row in enumerate(table) for j, own in enumerate(row)
    }


def test_two_conversations_two_customers_and_two_repeats_by_hand():
    # Cell means 1, 2, 5, 8; means of rows 1.5 and 6.5, of columns 3 and 5, of all 4.
    made = components(cells([[[0, 2], [1, 3]], [[4, 6], [7, 9]]]))
    # MS: rows 4 * (2.5^2 * 2) = 50, columns 4 * 2 = 8, both 2 * 4 * 0.5^2 = 2, within 8 / 4 = 2.
    assert made.sampling == 2.0
    assert made.both == 0.0
    assert made.customer == (8 - 2) / 4
    assert made.conversation == (50 - 2) / 4
    assert made.total == 2.0 + 1.5 + 12.0
    assert made.share(made.conversation) == 12 / 15.5


def test_the_mean_squares_are_those_of_statsmodels():
    pandas = pytest.importorskip("pandas")
    formula = pytest.importorskip("statsmodels.formula.api")
    anova = pytest.importorskip("statsmodels.stats.anova")
    table = np.random.default_rng(7).normal(size=(9, 3, 4)) + np.arange(9)[:, None, None]
    rows = [
        (f"c{i}", f"k{j}", table[i, j, r]) for i in range(9) for j in range(3) for r in range(4)
    ]
    data = pandas.DataFrame(rows, columns=["c", "k", "y"])
    fitted = anova.anova_lm(formula.ols("y ~ C(c) * C(k)", data).fit())
    squares = fitted["mean_sq"]
    both, sampling = squares["C(c):C(k)"], squares["Residual"]
    made = components(cells(table))
    assert made.sampling == pytest.approx(sampling)
    assert made.both == pytest.approx(max(0, (both - sampling) / 4))
    assert made.customer == pytest.approx(max(0, (squares["C(k)"] - both) / (9 * 4)))
    assert made.conversation == pytest.approx((squares["C(c)"] - both) / (3 * 4))


def test_planted_components_are_found():
    draw = np.random.default_rng(1)
    conversations, customers, repeats = 400, 12, 4
    of_conversation = draw.normal(0, 2.0, (conversations, 1, 1))
    of_customer = draw.normal(0, 1.5, (1, customers, 1))
    of_both = draw.normal(0, 0.5, (conversations, customers, 1))
    chance = draw.normal(0, 1.0, (conversations, customers, repeats))
    made = components(cells(of_conversation + of_customer + of_both + chance))
    # What was drawn varies a little more or less than what it was drawn from.
    assert made.conversation == pytest.approx(np.var(of_conversation, ddof=1), rel=0.1)
    assert made.customer == pytest.approx(np.var(of_customer, ddof=1), rel=0.1)
    assert made.both == pytest.approx(np.var(of_both, ddof=1), rel=0.1)
    assert made.sampling == pytest.approx(np.var(chance, ddof=1), rel=0.1)


def test_what_cannot_be_told_apart_is_not():
    once = components(cells([[[0.0], [2.0]], [[4.0], [9.0]], [[1.0], [1.0]]]))
    assert once.both is None and once.sampling is not None and once.repeats == 1
    alone = components(cells([[[1.0, 3.0]], [[5.0, 7.0]]]))
    # Rows 1 x 2 repeats: MS rows 2 * 2 * 4 / 1 = 16, within 2.
    assert (alone.customer, alone.both) == (None, None)
    assert (alone.sampling, alone.conversation) == (2.0, 7.0)


def test_conversations_that_a_customer_lacks_are_left_out_and_counted():
    values = cells([[[0, 2], [1, 3]], [[4, 6], [7, 9]], [[1, 1], [2, 2]]])
    del values["c2", "k1"]
    made = components(values)
    assert (made.conversations, made.left_out, made.sampling) == (2, 1, 2.0)
    with pytest.raises(DataError, match="0 of 2 conversations have a value with each of 2"):
        components({("a", "x"): [1.0], ("b", "y"): [2.0]})
