"""pass^k and worst-of-k against every choice of k runs, and numbers worked out by hand."""

from itertools import combinations

import numpy as np
import pytest

from csc_tasks.metrics.consistency import Consistency, consistency, pass_k, worst_of_k
from csc_tasks.runs.task_record import SHIPPED
from leaderboard.columns import column, columns

# Four runs of five turns: right 4, 3, 2, 1 and 0 times.
RIGHT = np.array(
    [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
    dtype=float,
)


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [1, 3 / 4, 2 / 4, 1 / 4, 0]),
        (2, [1, 3 / 6, 1 / 6, 0, 0]),
        (3, [1, 1 / 4, 0, 0, 0]),
        (4, [1, 0, 0, 0, 0]),
    ],
)
def test_pass_k_is_the_share_of_choices_of_k_runs_that_are_all_right(k, expected):
    assert pass_k(RIGHT, k) == pytest.approx(expected)
    chosen = [RIGHT[list(own)].min(axis=0) for own in combinations(range(4), k)]
    assert pass_k(RIGHT, k) == pytest.approx(np.mean(chosen, axis=0))


def test_worst_of_k_is_the_mean_of_the_lowest_over_all_choices_of_k_runs():
    accuracies = np.array([[0.5, 1.0], [1.0, 0.25], [1.0, 0.75], [0.0, 0.5]])
    # Of 0, 0.5, 1, 1 the lowest of two is 0 in three of six choices, 0.5 in two, 1 in one.
    assert worst_of_k(accuracies, 2)[0] == pytest.approx((3 * 0 + 2 * 0.5 + 1 * 1) / 6)
    assert worst_of_k(accuracies, 4) == pytest.approx([0.0, 0.25])
    for k in range(1, 5):
        chosen = [accuracies[list(own)].min(axis=0) for own in combinations(range(4), k)]
        assert worst_of_k(accuracies, k) == pytest.approx(np.mean(chosen, axis=0))


@pytest.mark.parametrize("kind", ["pass", "worst"])
def test_a_name_says_what_it_is(kind):
    made = Consistency("strategy_acc", kind, 12)
    assert consistency(made.name) == made
    assert "k:12" in made.signature and "12" in made.label


@pytest.mark.parametrize(
    "name",
    ["strategy_acc", "strategy_acc_pass_0", "strategy_acc_pass_", "no_metric_pass_3", "bleu_4_en"],
)
def test_other_names_are_other_things(name):
    assert consistency(name) is None


def test_its_columns_stand_behind_the_metric_that_they_are_of():
    measured = ["bleu_2", "strategy_acc_worst_3", "strategy_macro_f1", "strategy_acc_pass_3"]
    signed = {name: "" for name in [*measured, "strategy_acc"]}
    made = columns(
        "conversations", {"csc_conv_ref": signed}, {"csc_conv_ref": SHIPPED["csc_conv_ref"]}
    )
    assert [one.metric for one in made[:3]] == [
        "strategy_acc",
        "strategy_acc_pass_3",
        "strategy_acc_worst_3",
    ]
    first = column("csc_conv_ref", "strategy_acc", "")
    assert (made[1].label, made[1].scale, made[1].digits, made[1].ranked) == (
        "Strategy accuracy pass^3",
        first.scale,
        first.digits,
        True,
    )
