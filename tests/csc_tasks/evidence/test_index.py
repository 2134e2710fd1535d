"""BM25: scores by hand, and an order that is the same everywhere."""

import sys
from math import log

import pytest

from csc_tasks.errors import MissingExtra
from csc_tasks.evidence.index import Index, terms

PASSAGES = (
    "Refund refund within five days.",
    "A coupon is valid for thirty days, a refund is not.",
    "Close the app.",
)


def by_hand(query, split):
    """Lucene's BM25, written out: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), and for each word
    tf / (tf + k1 (1 - b + b length / mean length)).
    """
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        score = 0.0
        for word in query:
            df, tf = sum(word in other for other in split), words.count(word)
            idf = log(1 + (len(split) - df + 0.5) / (df + 0.5))
            score += idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * len(words) / mean))
        scores.append(score)
    return scores


def test_scores_are_those_of_the_formula():
    split = [
        ["refund", "refund", "within", "five", "days"],
        ["a", "coupon", "is", "valid", "for", "thirty", "days", "a", "refund", "is", "not"],
        ["close", "the", "app"],
    ]
    index = Index(PASSAGES, "en")
    for query in (["refund"], ["days", "refund"], ["a", "app", "is"], ["nothing"]):
        assert index.scores(" ".join(query)) == pytest.approx(by_hand(query, split), abs=1e-9)
    # By hand, with N = 3, lengths 5, 11 and 3 (mean 19/3): of "refund", idf = ln(1 + 1.5/2.5) =
    # 0.470004; first passage 2 / (2 + 1.5 (0.25 + 0.75 * 15/19)) = 0.612903, second
    # 1 / (1 + 1.5 (0.25 + 0.75 * 33/19)) = 0.300395.
    assert index.best("Refund?", 5) == [
        (0, pytest.approx(0.470004 * 0.612903, abs=1e-6)),
        (1, pytest.approx(0.470004 * 0.300395, abs=1e-6)),
    ]


def test_a_repeated_word_counts_once_and_case_and_marks_do_not():
    index = Index(PASSAGES, "en")
    assert index.best("REFUND, refund! refund days", 3) == index.best("refund days", 3) != []
    assert index.best("?!", 3) == index.best("", 3) == []


def test_equal_passages_stand_in_their_order_and_a_passage_without_a_shared_word_nowhere():
    index = Index(("same words", "other", "same words", "same words"), "en")
    assert [position for position, _ in index.best("words", 2)] == [0, 2]
    assert [position for position, _ in index.best("words", 9)] == [0, 2, 3]


def test_chinese_is_looked_up_by_characters_and_english_sees_none_of_it():
    passages = ("退款3个工作日到账。", "优惠券有效期为30天。", "Refunds take 5 days.")
    assert terms("退款 iPhone15！", "zh") == ["退", "款", "iphone15"]
    zh, en = Index(passages, "zh"), Index(passages, "en")
    assert zh.best("退款什么时候到账？", 1)[0][0] == 0
    assert zh.best("优惠券过期了", 1)[0][0] == 1
    assert [position for position, _ in en.best("refunds in days 退款", 3)] == [2]
    assert Index(("退款到账",), "en").best("refund", 3) == []


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtra, match=r"'bm25s': pip install 'csc-tasks\[retrieval\]'"):
        Index(PASSAGES, "en")
