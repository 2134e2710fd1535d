"""Learned metrics and today's libraries: where a library has to be helped."""

import shutil
import sys

import pytest

from csc_tasks.compat import bert_score as compat_bert_score
from csc_tasks.compat import bleurt as compat_bleurt
from csc_tasks.metrics import (
    LearnedSettings,
    bertscore,
)
from tests.support.learned_metrics import score

pytestmark = pytest.mark.xdist_group("learned")


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
