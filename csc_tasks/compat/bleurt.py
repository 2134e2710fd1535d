"""bleurt-pytorch on today's transformers: importing it, loading its weights, and its vocabularies.

Run with bleurt-pytorch 0.0.1 on transformers 5.23.0 and 5.24.0.

bleurt-pytorch 0.0.1, its only release, was written for transformers 4:
- it imports `find_pruneable_heads_and_indices` and `BertTokenizerFast` from places where they no
  longer are: ImportError;
- its model calls `get_extended_attention_mask` and `get_head_mask`, which models no longer have,
  and holds buffers that transformers 5 leaves unset after loading;
- `BleurtTokenizer` takes a SentencePiece model (BLEURT-20) for a WordPiece one and silently builds
  a vocabulary of five tokens, in which every text is unknown.

`package` adds what is missing, and only that, to bleurt-pytorch itself; transformers stays as it
is. `vocabulary` does without BleurtTokenizer. Logits equal those of transformers 4.57.
"""

import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from csc_tasks.errors import require

if TYPE_CHECKING:
    import torch


@cache
def package() -> ModuleType:
    """bleurt_pytorch, imported in a way that works."""
    transformers = require("transformers", "learned", "bleurt")
    from transformers import pytorch_utils

    moved = "transformers.models.bert.tokenization_bert_fast"
    lent = moved not in sys.modules and not _exists(moved)
    if lent:
        sys.modules[moved] = ModuleType(moved)
        vars(sys.modules[moved])["BertTokenizerFast"] = transformers.BertTokenizer
    pruning = not hasattr(pytorch_utils, "find_pruneable_heads_and_indices")
    if pruning:
        # Named on import and called only when attention heads are pruned, which nothing here does.
        vars(pytorch_utils)["find_pruneable_heads_and_indices"] = None
    try:
        bleurt_pytorch = require("bleurt_pytorch", "learned", "bleurt")
        from bleurt_pytorch.bleurt import modeling_bleurt
    finally:
        if lent:
            del sys.modules[moved]
        if pruning:
            del vars(pytorch_utils)["find_pruneable_heads_and_indices"]

    base = modeling_bleurt.BleurtPreTrainedModel
    for name, method in (
        ("get_extended_attention_mask", _extended_attention_mask),
        ("get_head_mask", _head_mask),
    ):
        if not hasattr(base, name):
            setattr(base, name, method)
    return bleurt_pytorch


def why_no_bleurt() -> str | None:
    """Why bleurt-pytorch cannot be helped with the versions installed; None where it can."""
    try:
        package()
    except Exception as error:  # whatever two libraries raise that do not fit each other
        return (
            f"it cannot be imported ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        )
    return None


def _exists(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _extended_attention_mask(
    self: Any, attention_mask: "torch.Tensor", input_shape: object, *_: object, **__: object
) -> "torch.Tensor":
    """(batch, length) of ones and zeros -> (batch, 1, 1, length), added to attention scores: 0
    where attended to, else the lowest float.
    """
    import torch

    dtype = next(self.parameters()).dtype
    return (1.0 - attention_mask[:, None, None, :].to(dtype)) * torch.finfo(dtype).min


def _head_mask(
    self: Any, head_mask: object, num_hidden_layers: int, *_: object, **__: object
) -> list[None]:
    """No head is masked in any layer."""
    return [None] * num_hidden_layers


def load(place: str) -> tuple[Any, dict[str, Any]]:
    """(model, loading info) of a BLEURT model in 32-bit floats, on the CPU and in evaluation mode.

    Raises ValueError for a model that is something else, and what transformers raises.
    """
    import torch
    from transformers import PretrainedConfig

    kind = PretrainedConfig.get_config_dict(place)[0].get("model_type")
    if kind not in (None, "bleurt"):
        raise ValueError(f"it is a {kind} model, not a bleurt model")
    model, info = package().BleurtForSequenceClassification.from_pretrained(
        place, dtype=torch.float32, output_loading_info=True
    )
    embeddings = model.bleurt.embeddings
    embeddings.position_ids = torch.arange(model.config.max_position_embeddings).expand((1, -1))
    embeddings.token_type_ids = torch.zeros_like(embeddings.position_ids)
    return model.eval(), info


def vocabulary(place: str, longest: int) -> tuple[str, Callable[[str], list[int]], int, int]:
    """(kind, text -> ids without special tokens, id of [CLS], id of [SEP]) of the model's own
    vocabulary.

    kind is "sentencepiece" where the model carries a SentencePiece model, whatever its tokenizer
    configuration says, else "wordpiece". Texts are cut to `longest` tokens, or not at all. Raises
    ValueError for a vocabulary without [CLS] and [SEP].
    """
    from transformers import BertTokenizer
    from transformers.utils.hub import cached_file

    quiet = {
        "_raise_exceptions_for_missing_entries": False,
        "_raise_exceptions_for_gated_repo": False,
    }
    # The names that bleurt-pytorch and the original BLEURT give it.
    for name in ("spm.model", "sent_piece.model"):
        file = cached_file(place, name, **quiet)
        if file:
            import sentencepiece

            pieces = sentencepiece.SentencePieceProcessor(model_file=file)
            if pieces.unk_id() in (pieces.piece_to_id("[CLS]"), pieces.piece_to_id("[SEP]")):
                raise ValueError(f"{name} has no pieces [CLS] and [SEP]")
            return (
                "sentencepiece",
                pieces.encode,
                pieces.piece_to_id("[CLS]"),
                pieces.piece_to_id("[SEP]"),
            )

    tokenizer = BertTokenizer.from_pretrained(place)
    if len(tokenizer) <= 5:
        raise ValueError("neither spm.model nor a WordPiece vocabulary is there")

    def ids(text: str) -> list[int]:
        encoded: list[int] = tokenizer.encode(
            text, add_special_tokens=False, truncation=True, max_length=longest
        )
        return encoded

    return "wordpiece", ids, tokenizer.cls_token_id, tokenizer.sep_token_id
