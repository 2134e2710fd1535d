"""Metrics against the labels of several raters, and the ceiling: by hand, and by other libraries
and formulas than the code's own.
"""

import random
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.metrics import METRICS, select
from csc_tasks.metrics.rater_labels import CEILINGS, acceptable, ceiling
from csc_tasks.metrics.result_names import labels_in, signed_with, without_data

THREE = [["PS", "ID"], ["ID"], ["PS"]]
NAMES = ["strategy_in_set", "strategy_agreement", "strategy_set_f1"]


def items(name, named, raters):
    return METRICS[name].score([named], [raters], "en").items


@pytest.mark.parametrize(
    ("named", "in_set", "agreement", "set_f1"),
    [
        # PS is the first of two of three raters, ID of one; both are named by two of three.
        # F1 of {PS}: 2/3 with {PS, ID}, 0 with {ID}, 1 with {PS}.
        (["PS"], 1, 2 / 3, (2 / 3 + 0 + 1) / 3),
        (["ID"], 1, 1 / 3, (2 / 3 + 1 + 0) / 3),
        (["PS", "ID"], 1, 2 / 3, (1 + 2 / 3 + 2 / 3) / 3),
        (["ID", "PS"], 1, 1 / 3, (1 + 2 / 3 + 2 / 3) / 3),
        (["RC", "PS"], 0, 0, (2 / 4 + 0 + 2 / 3) / 3),
        (["GT"], 0, 0, 0),
        ([], 0, 0, 0),
    ],
)
def test_by_hand(named, in_set, agreement, set_f1):
    got = [items(name, named, THREE)[0] for name in NAMES]
    assert got == pytest.approx([in_set, agreement, set_f1])


@pytest.mark.parametrize(
    ("raters", "names"),
    [
        ([["PS"], ["PS"], ["ID"]], {"PS", "ID"}),
        ([["PS"], ["PS"], ["PS"], ["ID"]], {"PS"}),
        ([["PS"], ["PS"], ["ID"], ["ID"], ["RC"], ["RC"], ["GT"]], {"PS", "ID", "RC"}),
        ([["PS"], ["ID"], ["RC"], ["GT"]], {"PS", "ID", "RC", "GT"}),
        ([["PS"]], {"PS"}),
    ],
)
def test_a_third_of_the_raters_makes_a_strategy_acceptable(raters, names):
    """2 of 7 is less than a third; where none has a third, those that most name."""
    assert acceptable(raters) == names


def drawn(seed, turns=60, raters=4):
    """Turns with up to three strategies a rater, and a reply with up to three, at random."""
    rng = random.Random(seed)

    def some(least):
        return rng.sample(STRATEGY_IDS, rng.randint(least, 3))

    return [some(0) for _ in range(turns)], [[some(1) for _ in range(raters)] for _ in range(turns)]


@pytest.mark.parametrize("seed", range(3))
def test_set_f1_is_that_of_sklearn(seed):
    replies, references = drawn(seed)
    coder = MultiLabelBinarizer(classes=STRATEGY_IDS).fit([])
    ours = METRICS["strategy_set_f1"].score(replies, references, "en").items
    for named, raters, own in zip(replies, references, ours, strict=True):
        gold = coder.transform(raters)
        same = np.repeat(coder.transform([named]), len(raters), axis=0)
        theirs = f1_score(gold, same, average="samples", zero_division=0)
        assert own == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_agreement_and_set_by_counting_in_numpy(seed):
    replies, references = drawn(seed)
    first = np.array([[STRATEGY_IDS.index(rater[0]) for rater in raters] for raters in references])
    main = np.array([STRATEGY_IDS.index(named[0]) if named else -1 for named in replies])
    agreement = (first == main[:, None]).mean(axis=1)
    ours = METRICS["strategy_agreement"].score(replies, references, "en").items
    assert ours == pytest.approx(agreement.tolist())
    votes = np.zeros((len(references), 12))
    for i, raters in enumerate(references):
        for rater in raters:
            votes[i, [STRATEGY_IDS.index(name) for name in rater]] += 1
    enough = np.where((votes >= 4 / 3).any(axis=1, keepdims=True), votes >= 4 / 3, votes > 0)
    inside = [bool(m >= 0 and enough[i, m]) for i, m in enumerate(main)]
    assert METRICS["strategy_in_set"].score(replies, references, "en").items == inside


def test_the_ceiling_by_hand():
    """THREE: each rater against the two others.

    anna [PS, ID] against [ID], [PS]: a tie, which PS (6) has before ID (7): right. Both are named
    by a half: in the set. Agrees with one of two. F1 2/3 with both.
    ben [ID] against [PS, ID], [PS]: most say PS: wrong. ID is named by a half: in the set. Agrees
    with none. F1 2/3 and 0.
    model [PS] against [PS, ID], [ID]: PS and ID, a tie: PS, right. In the set. One of two. F1 2/3
    and 0.
    """
    assert ceiling(CEILINGS["strategy_acc"], THREE) == pytest.approx((1 + 0 + 1) / 3)
    assert ceiling(CEILINGS["strategy_in_set"], THREE) == 1
    assert ceiling(CEILINGS["strategy_agreement"], THREE) == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert ceiling(CEILINGS["strategy_set_f1"], THREE) == pytest.approx((2 / 3 + 1 / 3 + 1 / 3) / 3)


def test_raters_who_agree_reach_everything():
    for score in CEILINGS.values():
        assert ceiling(score, [["PS", "ID"]] * 3) == 1


@pytest.mark.parametrize("seed", range(2))
def test_agreement_among_raters_is_that_of_their_pairs(seed):
    """The mean over raters of their agreement with the others is the share of agreeing pairs."""
    _, references = drawn(seed, raters=5)
    for raters in references:
        firsts = [rater[0] for rater in raters]
        pairs = [a == b for i, a in enumerate(firsts) for b in firsts[i + 1 :]]
        ours = ceiling(CEILINGS["strategy_agreement"], raters)
        assert ours == pytest.approx(np.mean(pairs))


def test_what_cannot_be_scored_is_an_error():
    score = METRICS["strategy_in_set"].score
    with pytest.raises(DataError, match="scored item 1: strategy 'XX' is not one of"):
        score([["PS"], ["XX"]], [THREE, THREE], "en")
    with pytest.raises(DataError, match="scored item 0: a rater names no strategy"):
        score([["PS"]], [[["PS"], []]], "en")
    with pytest.raises(DataError, match=r"scored item 0: .*there is no rater"):
        score([["PS"]], [[]], "en")
    with pytest.raises(DataError, match="1 replies but labels of 2 turns"):
        score([["PS"]], [THREE, THREE], "en")


def test_they_are_defaults_where_there_are_labels_and_asked_for_elsewhere():
    plain = [metric.name for metric in select(None, "turn")]
    labelled = [metric.name for metric in select(None, "turn", labelled=True)]
    assert [name for name in labelled if name not in plain] == NAMES
    assert [name for name in labelled if name in plain] == plain
    assert not {*NAMES} & {metric.name for metric in select("bleu_4", "turn", labelled=True)}
    assert [metric.name for metric in select("strategy_set_f1", "turn")] == ["strategy_set_f1"]
    assert {*NAMES} <= {metric.name for metric in select("all", "turn")}
    orders = [METRICS[name].order for name in ["stage_overlap", *NAMES, "failed"]]
    assert all(a < b for a, b in pairwise(orders))


def test_signatures_name_the_labels():
    plain = {name: METRICS[name].score([], [], "en").signature for name in ["strategy_acc", *NAMES]}
    signed = signed_with("0123abcd", plain)
    assert signed["strategy_acc"] == plain["strategy_acc"]
    for name in NAMES:
        assert signed[name] == f"{plain[name]}|raters:0123abcd"
        assert labels_in(signed[name]) == "0123abcd"
        assert without_data(signed[name]) == plain[name]
    assert signed_with(None, plain) == plain
    assert labels_in(plain["strategy_in_set"]) is None
