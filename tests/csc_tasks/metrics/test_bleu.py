"""BLEU: known answers, and the same numbers from sacrebleu."""

import math
import random

import numpy as np
import pytest
import sacrebleu

from csc_tasks.metrics import METRICS
from csc_tasks.metrics.overlap import corpus_bleu
from tests.support.metric_values import ODD, drawn_texts, value


# 我想查余额 / 我想查询余额: 5 of 5 characters, 3 of 4 pairs (我想 想查 余额), length 5 against 6.
# The 3-grams: 我想查 of 我想查 想查余 查余额: 1 of 3; the 4-grams: 0 of 2, smoothed to a half
# match: 1/(2*2). "the card is lost" / "the card was lost": 3 of 4 words, 1 of 3 pairs, 0 of 2, 0 of
# 1: a half and a quarter match.
@pytest.mark.parametrize(
    ("name", "language", "reply", "reference", "expected"),
    [
        (
            "bleu_2",
            "zh",
            "我想查余额",
            "我想查询余额",
            100 * math.exp(1 - 6 / 5) * (1 * 3 / 4) ** (1 / 2),
        ),
        (
            "bleu_4",
            "zh",
            "我想查余额",
            "我想查询余额",
            100 * math.exp(1 - 6 / 5) * (1 * 3 / 4 * 1 / 3 * 1 / 4) ** (1 / 4),
        ),
        ("bleu_2", "en", "the card is lost", "the card was lost", 100 * (3 / 4 * 1 / 3) ** (1 / 2)),
        (
            "bleu_4",
            "en",
            "the card is lost",
            "the card was lost",
            100 * (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** (1 / 4),
        ),
        ("bleu_4", "zh", "您好，请问有什么可以帮您", "您好，请问有什么可以帮您", 100),
        ("bleu_2", "zh", "你们", "您好", 0),  # no match at all is 0, not a smoothed something
        (
            "bleu_4",
            "zh",
            "您好",
            "您好",
            0,
        ),  # too short for 4-grams: sacrebleu's corpus score without effective order
        ("bleu_2", "zh", "您好", "您好", 100),
        ("bleu_2", "zh", "", "您好", 0),
        (
            "bleu_2",
            "en",
            "Hello there",
            "hello there",
            100 * (1 / 2 * 1 / 2) ** (1 / 2),
        ),  # case counts
    ],
)
def test_bleu_by_hand(name, language, reply, reference, expected):
    assert value(name, [reply], [reference], language).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(("language", "tokenizer"), [("zh", "zh"), ("en", "13a")])
@pytest.mark.parametrize("alike", [True, False])
def test_bleu_and_every_leave_one_out_equal_sacrebleu(order, language, tokenizer, alike):
    references = drawn_texts(order, 40, language) + ODD
    predictions = drawn_texts(99, 40, language) + ODD[::-1]
    if alike:  # cut or keep references, so that all orders match; the unlike corpora need smoothing
        predictions = [reference[: random.randrange(5, 60)] for reference in references]
    clusters = [f"c{i % 7}" for i in range(len(references))]
    bleu = sacrebleu.BLEU(tokenize=tokenizer, max_ngram_order=order)

    def corpus(without=None):
        keep = [i for i, cluster in enumerate(clusters) if cluster != without]
        return bleu.corpus_score(
            [predictions[i] for i in keep], [[references[i] for i in keep]]
        ).score

    metric = METRICS[f"bleu_{order}"]
    scores = metric.function(predictions, references, language)
    found = metric.estimate(scores.items, clusters)
    assert found.value == pytest.approx(corpus(), abs=1e-9)
    assert found.value > 0
    thetas = [corpus(without=f"c{g}") for g in range(7)]
    items = np.array(scores.items)
    without = np.array([items[[c != f"c{g}" for c in clusters]].sum(axis=0) for g in range(7)])
    assert corpus_bleu(without) == pytest.approx(thetas, abs=1e-9)
    assert found.stderr == pytest.approx(
        math.sqrt(6 / 7 * sum((t - np.mean(thetas)) ** 2 for t in thetas)), abs=1e-9
    )


def test_corpus_bleu_equals_sacrebleu_on_any_statistics():
    # Counts no small corpus shows together: orders without matches in the middle, empty replies,
    # replies far too short or long.
    random.seed(5)
    rows = []
    for _ in range(500):
        totals = sorted((random.choice([0, 1, 7, 50]) for _ in range(4)), reverse=True)
        correct = [random.choice([0, random.randint(0, total)]) for total in totals]
        rows.append([totals[0], random.choice([0, 3, 40, 4000]), *correct, *totals])
    expected = [
        sacrebleu.BLEU.compute_bleu(r[2:6], r[6:], r[0], r[1], smooth_method="exp").score
        for r in rows
    ]
    found = corpus_bleu(np.array(rows).reshape(5, 100, 10))
    assert found.shape == (5, 100)
    assert found.ravel() == pytest.approx(expected, abs=1e-9)
    assert 50 < sum(e == 0 for e in expected) < 450
