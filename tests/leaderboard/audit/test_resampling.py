"""Distances and their resampling, against the same by loops, and against other libraries."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leaderboard.audit import resampling as re
from leaderboard.audit.classifier import auc, held_out_scores, wording

RANDOM = np.random.default_rng(5)
IDS = np.asarray(["a", "b", "c", "d", "a", "b", "c", "d"])
PLAYED = np.asarray([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)


def mean_of_pairs(matrix, rows, columns, ids):
    pairs = [(i, j) for i, j in product(rows, columns) if ids[i] != ids[j]]
    return np.mean([matrix[i, j] for i, j in pairs])


def by_loops(apart, played, ids):
    own, others = np.flatnonzero(played), np.flatnonzero(~played)
    return (
        2 * mean_of_pairs(apart, own, others, ids)
        - mean_of_pairs(apart, own, own, ids)
        - mean_of_pairs(apart, others, others, ids)
    )


def test_energy_is_a_mean_over_pairs_of_different_conversations():
    values = re.standardised(RANDOM.normal(size=(8, 3)))
    apart = re.distances(values)
    assert apart[1, 2] == pytest.approx(np.linalg.norm(values[1] - values[2]) / 3**0.5, abs=1e-6)
    divisions = re.random_divisions(8, 4, 20, np.random.default_rng(0))
    assert (divisions.sum(axis=1) == 4).all()
    sides = re.Sides.of(divisions, 1 - divisions, IDS)
    expected = [by_loops(apart, row > 0, IDS) for row in divisions]
    assert re.energy(apart, sides) == pytest.approx(expected, abs=1e-5)


def test_two_sides_that_say_the_same_are_0_apart_in_every_draw():
    half = RANDOM.normal(size=(4, 2))
    apart = re.distances(re.standardised(np.concatenate([half, half])))
    weights = re.random_weights(IDS, 50, np.random.default_rng(1))
    # Both sides of a conversation are drawn together.
    assert (weights[:, :4] == weights[:, 4:]).all()
    assert (weights.sum(axis=1) == 8).all()
    drawn = weights[[len(set(row[:4])) > 1 for row in weights]]
    sides = re.Sides.of(drawn * PLAYED, drawn * ~PLAYED, IDS)
    assert re.energy(apart, sides) == pytest.approx(0, abs=1e-5)


def test_shift_is_the_difference_of_means_in_the_worse_direction():
    values = RANDOM.normal(size=(8, 2))
    sides = re.Sides.of(PLAYED[None], ~PLAYED[None], IDS)
    expected = values[:4].mean(axis=0) - values[4:].mean(axis=0)
    assert re.shift(values, sides)[0] == pytest.approx(expected, abs=1e-6)
    assert re.shift(values, sides, -1)[0] == pytest.approx(-expected, abs=1e-6)


def test_what_a_conversation_says_nothing_of_is_the_mean():
    values = re.standardised(np.asarray([[1.0, 7.0], [3.0, 7.0], [np.nan, 7.0]]))
    assert values[:, 0].tolist() == pytest.approx([-1.0, 1.0, 0.0])
    assert values[:, 1].tolist() == [0, 0, 0]


def test_p_counts_the_division_itself_and_ties():
    others = np.asarray([0.1, 0.5, 0.5, 0.9])
    assert re.p_of(0.5, others) == pytest.approx(4 / 5)
    assert re.p_of(2.0, others) == pytest.approx(1 / 5)


def test_the_area_under_the_curve_with_ties():
    labels = RANDOM.integers(0, 2, size=(40, 6)).astype(float)
    scores = RANDOM.normal(size=(40, 6)).round(1)
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(6)]
    assert auc(scores, labels) == pytest.approx(expected)
    ones = np.ones((1, 40))
    sides = re.Sides.of(ones * labels[:, 0], ones * (1 - labels[:, 0]), np.arange(40))
    assert re.weighted_auc(scores[:, 0], sides)[0] == pytest.approx(expected[0], abs=1e-6)


def test_held_out_scores_learn_from_other_conversations_alone():
    words = ["thank you so much", "i want a refund now", "where is my parcel", "book a table"]
    texts = [f"{text} {number}" for text in words for number in range(5)]
    ids = np.asarray([f"c{i // 2}" for i in range(20)])
    matrix = held_out_scores(wording(texts), ids)
    assert not matrix[ids[:, None] == ids[None, :]].any()
    # Linear in the labels, and a constant label says nothing.
    assert matrix @ np.ones(20) == pytest.approx(np.zeros(20), abs=1e-9)
    polite = np.asarray([text.startswith("thank") for text in texts], dtype=float)
    assert auc((matrix @ polite)[:, None], polite[:, None])[0] == 1
