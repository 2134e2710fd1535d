"""Learned metrics on odd, long and repeated texts: what moves a score and what does not."""

import logging
import math
import random

import numpy as np
import pytest

from csc_tasks.errors import DataError
from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
    Scores,
    bartscore,
    bertscore,
    bleurt,
)
from csc_tasks.metrics.batching import Work, score_once
from tests.support import scorers
from tests.support.learned_metrics import LEARNED, ODD, drawn_texts, score

pytestmark = pytest.mark.xdist_group("learned")


@pytest.mark.parametrize("name", LEARNED)
def test_batch_size_order_and_repeats_move_nothing(settings, name):
    replies, references = ODD + drawn_texts(1, 25), (ODD + drawn_texts(2, 25))[::-1]
    alone = score(name, replies, references, settings, batch_size=1)
    for batch_size in (3, 100):
        assert score(name, replies, references, settings, batch_size=batch_size) == pytest.approx(
            alone, abs=1e-5
        )
    order = list(range(len(replies))) * 2
    random.Random(3).shuffle(order)
    shuffled = score(name, [replies[i] for i in order], [references[i] for i in order], settings)
    assert shuffled == pytest.approx([alone[i] for i in order], abs=1e-5)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_odd_texts_have_a_score(settings, name, language):
    replies, references = [a for a in ODD for _ in ODD], ODD * len(ODD)
    scores = METRICS[name].score(replies, references, language, settings)
    assert len(scores.items) == len(replies)
    assert all(type(item) is float and math.isfinite(item) for item in scores.items)
    low, high = METRICS[name].range
    assert low - 1e-6 <= min(scores.items) and max(scores.items) <= high + 1e-6
    assert METRICS[name].score([], [], language, settings) == Scores([], scores.signature)
    for wrong, text in (
        ([None], "the reply is None"),
        ([1], "the reply is 1"),
        (["a", "b"], "2 replies but 1 references"),
    ):
        with pytest.raises(DataError, match=text):
            METRICS[name].score(wrong, ["a"], language, settings)


def test_empty_texts_score_zero_in_bertscore(settings):
    assert (
        score(
            "bertscore",
            ["", " ", "a", "", "\u200b", "[SEP]"],
            ["a", "a", "", "", "a", "a"],
            settings,
        )
        == [0.0] * 6
    )


def test_padding_matches_nothing():
    """bert-score counts padding as similarity 0: beside a longer text, similarities that are all
    negative would then become 0.
    """
    import torch
    from bert_score.utils import greedy_cos_idf

    unit, long = torch.eye(2)[:1].repeat(3, 1), torch.eye(2)[:1].repeat(5, 1)
    marks = [np.array([False, True, False]), np.array([False, True, True, True, False])]
    assert bertscore._f1([unit], marks[:1], [-unit], marks[:1]) == [-1.0]
    assert bertscore._f1([unit, long], marks, [-unit, long], marks) == [-1.0, 1.0]

    def upstream(replies, references):
        # As bert-score pads: rows of 2.0 that its mask turns to 0.
        def side(rows):
            mask = torch.tensor([[1.0] * len(row) + [0.0] * (5 - len(row)) for row in rows])
            padded = torch.stack(
                [torch.cat([row, torch.full((5 - len(row), 2), 2.0)]) for row in rows]
            )
            return padded, mask, mask.clone()

        return greedy_cos_idf(*side(references), *side(replies))[2].tolist()

    assert upstream([long], [-long]) == [-1.0]
    assert upstream([unit, long], [-unit, long])[0] == 0.0


def test_long_texts_are_cut_to_what_the_model_takes(models, settings):
    """A cut text scores as its own beginning does: 62 word pieces and two special tokens are 64
    positions.
    """
    for folder in (models.bert, models.roberta):
        made = LearnedSettings(bertscore_model=str(folder), bertscore_layer=1)
        assert bertscore.load(str(folder), 1).longest == 64
        long, cut = score("bertscore", ["card " * 1000, "card " * 62], ["I am sorry."] * 2, made)
        assert long == cut
    made = settings
    assert score("cosine", ["card " * 1000], ["I am"], made) == score(
        "cosine", ["card " * 62], ["I am"], made
    )
    words = bleurt.load(str(models.wordpiece))
    # 61 places for both texts: the longer one is cut first, then both; the odd place is the
    # reference's.
    for lengths, kept in [
        ((100, 10), (51, 10)),
        ((10, 100), (10, 51)),
        ((100, 100), (31, 30)),
        ((31, 100), (31, 30)),
        ((30, 31), (30, 31)),
        ((0, 99), (0, 61)),
    ]:
        ids, segments = words.encode("card " * lengths[0], "card " * lengths[1])
        assert (len(ids), int((segments == 0).sum()) - 2, int((segments == 1).sum()) - 1) == (
            sum(kept) + 3,
            *kept,
        )
    assert bartscore.load(str(models.bart), "en").longest == 64


def test_equal_pairs_are_scored_once_and_padding_is_little(settings, caplog):
    given = []
    work = []

    def count(pairs, into):
        given.append(pairs)
        work.append(into)
        return [float(len(reply)) for reply, _ in pairs]

    assert score_once("m", ["a", "bb", "a", "a"], ["x", "x", "x", "y"], 8, count) == [
        1.0,
        2.0,
        1.0,
        1.0,
    ]
    assert given == [[("a", "x"), ("bb", "x"), ("a", "y")]]
    assert (work[0].items, work[0].pairs) == (4, 3)
    replies, references = drawn_texts(5, 600), drawn_texts(6, 600)
    for name in LEARNED:
        with caplog.at_level(logging.INFO, "lm_eval.csc_tasks"):
            caplog.clear()
            score(name, replies * 2, references * 2, settings, batch_size=16)
        lines = [record.args for record in caplog.records if "of the model's work" in record.msg]
        # bartscore tells of both its directions.
        assert [(items, pairs) for _, items, pairs, _ in lines] == [
            (1200, len(set(zip(replies, references, strict=True))))
        ] * len(lines)
        assert lines and all(percent < 10 for *_, percent in lines)


def test_each_text_of_a_block_is_embedded_once(settings):
    """One reference against forty replies is read once, not forty times."""
    work = Work()
    replies = [f"card {word}" for word in sorted(scorers.wordpieces())[:40]]
    scorer = bertscore.load(settings.bertscore_model, 2)
    scorer.score([(reply, "I am sorry.") for reply in replies], "cpu", 8, work)
    assert work.tokens == sum(len(scorer.encode(text)) for text in [*replies, "I am sorry."])
