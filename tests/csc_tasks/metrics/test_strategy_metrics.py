"""Strategy metrics and shares: known answers, and the same numbers from scikit-learn."""

import math
import random

import numpy as np
import pytest
import sklearn.metrics

from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID, STRATEGY_IDS
from csc_tasks.measuring import measure
from csc_tasks.metrics import METRICS
from tests.support.metric_values import value


@pytest.mark.parametrize(
    ("predicted", "gold", "acc", "stages"),
    [
        ("GT", "GT", 1, 1),
        ("GT", "IV", 0, 1),  # both Connecting only
        ("GT", "RI", 0, 0),  # Connecting; Resolving
        ("RP", "PR", 0, 1 / 2),  # Identifying; Identifying, Exploring
        ("EM", "PR", 0, 2 / 4),  # four stages, two of them PR's
        ("PR", "PS", 0, 1 / 3),  # Identifying, Exploring; Exploring, Resolving
        ("FR", "RC", 0, 1 / 2),  # Resolving, Maintaining; Maintaining
        ("EM", "GT", 0, 0),  # everything but Connecting
        ("Others", "Others", 1, 1),
        ("Others", "EM", 0, 0),
        ("EM", "Others", 0, 0),
        (None, "EM", 0, 0),
        (None, "Others", 0, 0),
    ],
)
def test_one_turn(predicted, gold, acc, stages):
    assert METRICS["strategy_acc"].function([predicted], [gold], "zh").items == [acc]
    assert METRICS["stage_overlap"].function([predicted], [gold], "zh").items == pytest.approx(
        [stages]
    )


def test_stage_overlap_is_symmetric_and_one_only_for_equal_stage_sets():
    for one in STRATEGY_IDS:
        for other in STRATEGY_IDS:
            there, back = METRICS["stage_overlap"].function([one, other], [other, one], "en").items
            assert there == back
            assert (there == 1) == (set(BY_ID[one].stages) == set(BY_ID[other].stages))


def test_macro_f1_by_hand():
    # GT: 1 of 2 found, 1 wrong guess: F1 = 2*1/(2*1+1+1) = 1/2. PS: 1 of 1, nothing wrong: 1. ID: 0
    # of 1: 0. "Others" is guessed once but has no gold turn, and one GT turn is unparsed: neither
    # adds a label. (1/2 + 1 + 0) / 3 = 1/2.
    predicted = ["GT", None, "PS", "GT"]
    gold = ["GT", "GT", "PS", "ID"]
    assert METRICS["strategy_macro_f1"].function(predicted, gold, "zh").items == [
        [1, 1],
        [1, 0],
        [6, 6],
        [7, 1],
    ]
    assert value("strategy_macro_f1", predicted, gold).value == pytest.approx(1 / 2, abs=1e-15)
    assert value("strategy_macro_f1", ["GT", "Others"], ["GT", "GT"]).value == pytest.approx(
        2 / 3, abs=1e-15
    )
    assert value("strategy_macro_f1", [None, None], ["GT", "Others"]).value == 0
    assert value("strategy_macro_f1", list(STRATEGY_IDS), list(STRATEGY_IDS)).value == 1


@pytest.mark.parametrize(
    ("seed", "labels"),
    [(0, STRATEGY_IDS), (1, STRATEGY_IDS[:5]), (2, ("GT", "Others")), (3, ("EM",))],
)
def test_macro_f1_and_its_error_equal_scikit_learn_with_fixed_labels(seed, labels):
    random.seed(seed)
    gold = random.choices(labels, k=150)
    predicted = [random.choice([g, g, random.choice(STRATEGY_IDS), None]) for g in gold]
    clusters = [f"c{random.randrange(13)}" for _ in gold]
    # A label that one conversation alone supports: it must stay a label when that conversation is
    # left out.
    gold.append("RC")
    predicted.append("RC")
    clusters.append("c0")
    support = sorted(set(gold))

    def f1(keep):
        return sklearn.metrics.f1_score(
            [g for g, k in zip(gold, keep, strict=True) if k],
            [p or "unparsed" for p, k in zip(predicted, keep, strict=True) if k],
            labels=support,
            average="macro",
            zero_division=0,
        )

    found = value("strategy_macro_f1", predicted, gold, clusters=clusters)
    names = sorted(set(clusters))
    thetas = [f1([cluster != name for cluster in clusters]) for name in names]
    assert found.value == pytest.approx(f1([True] * len(gold)), abs=1e-12)
    expected = math.sqrt(
        (len(names) - 1) / len(names) * sum((t - np.mean(thetas)) ** 2 for t in thetas)
    )
    assert found.stderr == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["strategy_acc", "strategy_macro_f1", "stage_overlap"])
def test_strategy_metrics_refuse_what_is_no_strategy(name):
    for predicted, gold, text in [
        (["情感管理"], ["EM"], "item 0: predicted strategy '情感管理'"),
        (["EM", ""], ["EM", "EM"], "item 1: predicted strategy ''"),
        (["EM"], [""], "item 0: gold strategy '' .*unlabelled turn is not scored"),
        (["EM"], [None], "item 0: gold strategy None"),
        (["EM"], ["EM", "GT"], "1 predicted strategies but 2 gold"),
    ]:
        with pytest.raises(DataError, match=text):
            METRICS[name].function(predicted, gold, "zh")


def test_logged_macro_f1_items_are_checked():
    for items in ([[0, 1]], [[1, 13]], [[1, 2, 3]], [1.0]):
        with pytest.raises(DataError, match="gold number"):
            METRICS["strategy_macro_f1"].estimate(items, ["a"])


@pytest.mark.parametrize("name", ["failed", "unparsed", "truncated", "history_truncated", "empty"])
def test_flags_are_shares(name):
    assert METRICS[name].function([1.0, 0.0, True, False, 0, 7], None, "zh").items == [
        1.0,
        0.0,
        1.0,
        0.0,
        0.0,
        1.0,
    ]
    for bad in (None, "yes", float("nan"), -1):
        with pytest.raises(DataError, match=f"item 1: {name} is"):
            METRICS[name].function([0, bad], None, "zh")


def test_accuracy_where_parsed_and_format_rate_by_hand():
    """Conversation a: right, unparsed, wrong; b: unparsed, right.

    Parsed: 1, 0 | 1, mean 2/3, sums of deviations -1/3 and 1/3, SE = sqrt(2 * 2/9) / 3 = 2/9.
    Format: 1, 0, 1 | 0, 1, mean 3/5, sums 1/5 and -1/5, SE = sqrt(2 * 2/25) / 5 = 2/25.
    """
    turns = [("a", "GT", "GT"), ("a", None, "RP"), ("a", "PR", "PS"), ("b", None, "EM")]
    turns.append(("b", "EM", "EM"))
    records = [
        {"strategy": ours, "gold_strategy": gold, "language": "en"} for _, ours, gold in turns
    ]
    clusters = [cluster for cluster, _, _ in turns]
    names = ("strategy_acc", "strategy_acc_parsed", "format_rate")

    def estimates(rows):
        columns = measure(rows, [METRICS[name] for name in names], ["en"])
        return [columns[name].estimate(clusters[: len(rows)]) for name in names]

    asked, parsed, kept = estimates(records)
    assert (parsed.value, parsed.stderr) == pytest.approx((2 / 3, 2 / 9))
    assert (parsed.items, parsed.clusters) == (3, 2)
    assert (kept.value, kept.stderr) == pytest.approx((3 / 5, 2 / 25))
    assert asked.value == pytest.approx(parsed.value * kept.value) == 2 / 5
    # Nothing parsed: the accuracy is not defined, and not 0.
    asked, parsed, kept = estimates([one | {"strategy": None} for one in records])
    assert (asked.value, parsed.value, parsed.stderr, kept.value) == (0, None, None, 0)
    assert not METRICS["strategy_acc_parsed"].ranked and not METRICS["format_rate"].ranked


def test_format_rate_and_accuracy_where_parsed_are_of_the_turns_whose_gold_is_known():
    """Their product is the accuracy, also of a corpus that holds some gold strategies out."""
    chosen = [("GT", "GT"), ("", None), ("", "GT"), ("EM", None), ("PS", "ID")]
    records = [
        {"language": "en", "gold_strategy": gold, "strategy": ours, "unparsed": ours is None}
        for gold, ours in chosen
    ]
    names = ("strategy_acc", "strategy_acc_parsed", "format_rate", "unparsed")
    columns = measure(records, [METRICS[name] for name in names], ["en"])
    assert columns["strategy_acc"].items == [1.0, None, None, 0.0, 0.0]
    assert columns["strategy_acc_parsed"].items == [1.0, None, None, None, 0.0]
    assert columns["format_rate"].items == [1.0, None, None, 0.0, 1.0]
    assert columns["unparsed"].items == [0.0, 1.0, 0.0, 1.0, 0.0]
