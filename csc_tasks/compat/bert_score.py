"""bert-score on today's transformers: a text's tokens and a model's layers.

Run with bert-score 0.3.13 on transformers 5.23.0 and 5.24.0.

bert-score 0.3.13, its last release, relies on what transformers 5 no longer does:
- the empty text calls a tokenizer method that is gone: AttributeError;
- texts are cut to the tokenizer's `model_max_length`, which is 10^30 where its files name none:
  OverflowError;
- `encode(..., add_prefix_space=True)` for RoBERTa and GPT-2: ignored without a word, so the first
  word becomes another token and every score changes.
And whatever transformers: a model with "t5" anywhere in its name or path is loaded as a T5, and
weights that are not there are made up.

`encoder` tries bert-score's own function on the tokenizer at hand and stands in for it only where
it fails one of these.
"""

from collections.abc import Callable
from typing import Any

# In transformers 4 these had tokenizers of their own, so bert-score put no space before their
# texts; now they share RoBERTa's.
_WITHOUT_SPACE = {"bart", "led", "lilt", "longformer", "mvp"}


Encode = Callable[[str], list[int]]


def why_no_bertscore() -> str | None:
    """What BERTScore needs of bert-score and this version does not give; None where all is
    there.
    """
    try:
        from bert_score import utils
    except Exception as error:  # whatever a bert-score raises that does not fit its transformers
        return (
            f"it cannot be imported ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        )
    needed = (
        "AutoModel",
        "GPT2Tokenizer",
        "RobertaTokenizer",
        "bert_encode",
        "get_model",
        "get_tokenizer",
        "model2layers",
        "sent_encode",
    )
    absent = [name for name in needed if not hasattr(utils, name)]
    return f"bert_score.utils has no {', '.join(absent)} there" if absent else None


def encoder(tokenizer: Any, model_type: str) -> Encode:
    """text -> token ids with special tokens, at most `tokenizer.model_max_length`, as bert-score on
    transformers 4 made them.

    tokenizer: its `model_max_length` must be one that the model can take. model_type: of the
    model's configuration.
    """
    from bert_score import utils

    spaced = (
        isinstance(tokenizer, (utils.GPT2Tokenizer, utils.RobertaTokenizer))
        and model_type not in _WITHOUT_SPACE
    )

    def encode(text: str) -> list[int]:
        text = text.strip()
        ids: list[int] = tokenizer.encode(
            f" {text}" if spaced and text else text,
            max_length=tokenizer.model_max_length,
            truncation=True,
        )
        return ids

    def upstream(text: str) -> list[int]:
        ids: list[int] = utils.sent_encode(tokenizer, text)
        return ids

    return upstream if _agree(upstream, encode, tokenizer.model_max_length) else encode


def _agree(upstream: Encode, ours: Encode, longest: int) -> bool:
    try:
        return all(upstream(text) == ours(text) for text in ("", " a", "a a", "a " * (longest + 1)))
    except (AttributeError, OverflowError, TypeError, ValueError):
        return False


def cut(model: Any, layers: int) -> Any:
    """`model` (an encoder, or the encoder of an encoder-decoder) without the layers above `layers`,
    as bert-score cuts it.
    """
    from bert_score import utils

    class Loaded:
        @staticmethod
        def from_pretrained(name: str) -> Any:
            return model

    # get_model loads and cuts in one go; here it is handed what is already loaded, under a name
    # that it reads nothing into.
    original, utils.AutoModel = utils.AutoModel, Loaded
    try:
        return utils.get_model("loaded", layers)
    finally:
        utils.AutoModel = original
