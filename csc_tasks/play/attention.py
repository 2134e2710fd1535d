"""Attention of lockstep play's decoding steps where all rows start with the same tokens.

Instructions and few-shot examples are the larger part of most prompts. One product of all rows'
queries with the keys that they share reads those once, where row by row reads them once a row. The
heads that share keys (grouped queries) are kept together in both parts. One softmax goes over
shared and own slots, so the result is that of usual attention but for the order of sums.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

NAME = "csc_shared_prefix"
LEAST = 64
"""It takes so many tokens that all rows share."""
NOT_MEANT = ("softcap", "s_aux", "position_bias", "sliding_window")
"""Arguments of attention functions that this one does not follow."""


@dataclass(slots=True)
class _Shared:
    """The first `length` slots of all rows are those of `row`."""

    row: int = 0
    length: int = 0


_now = _Shared()


@contextmanager
def sharing(config: Any, row: int, length: int) -> Iterator[None]:
    """While this is open, a model of this configuration takes the first `length` slots of all rows
    for those of `row`, in passes of one token a row.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    before = config._attn_implementation
    config._attn_implementation = NAME
    _now.row, _now.length = row, length
    try:
        yield
    finally:
        config._attn_implementation = before


def can_share(model: Any) -> bool:
    """Whether attention of this transformers model may be ours: in float32 on a CPU, where reading
    keys and values takes the time and the order of sums changes next to nothing.
    """
    import torch

    return (
        model.device.type == "cpu"
        and model.dtype == torch.float32
        and model.config._attn_implementation == "sdpa"
        and bool(getattr(model, "_supports_attention_backend", False))
    )


def _attention(
    module: Any,
    query: "Tensor",
    key: "Tensor",
    value: "Tensor",
    attention_mask: "Tensor",
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> "tuple[Tensor, None]":
    """As transformers' attention functions. query: (rows, heads, 1, size). key, value: (rows, key
    heads, slots, size). attention_mask: (rows, 1, 1, slots), True where a row looks.
    """
    import torch
    from transformers import AttentionInterface

    if any(others.get(name) is not None for name in NOT_MEANT):
        usual = AttentionInterface()["sdpa"]
        both: tuple[Tensor, None] = usual(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return both
    rows, heads, _, size = query.shape
    groups, shared, row = key.shape[1], _now.length, _now.row
    each = heads // groups
    query = query.view(rows, groups, each, size) * (scaling or size**-0.5)
    together = query.transpose(0, 1).reshape(groups, rows * each, size)
    # (groups, rows * each, shared) and (rows, groups, each, own).
    first = together @ key[row, :, :shared].transpose(1, 2)
    own = query @ key[:, :, shared:].transpose(2, 3)
    own = own.masked_fill(~attention_mask[..., shared:], torch.finfo(own.dtype).min)
    scores = torch.cat([first.view(groups, rows, each, shared).transpose(0, 1), own], -1)
    weights = scores.softmax(-1)
    first = weights[..., :shared].transpose(0, 1).reshape(groups, rows * each, shared)
    output = (first @ value[row, :, :shared]).view(groups, rows, each, -1).transpose(0, 1)
    output = output + weights[..., shared:] @ value[:, :, shared:]
    return output.reshape(rows, 1, heads, -1), None
