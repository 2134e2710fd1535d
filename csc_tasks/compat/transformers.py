"""transformers: run with 5.18.0, 5.23.0 and 5.24.0.

- 5.24 renamed the cache argument of `forward`: `past_key_values` is `cache` now, and 5.40 drops the old name.
- Lockstep play has a cache layer of its own (play/rows.py), and so depends on what transformers asks of one. Before 5.18 a layer
  needed `get_max_cache_shape` in place of `get_max_length`.
"""

import inspect

CACHE_NAMES = ("cache", "past_key_values")
"""What `forward` calls its key-value cache; a model that brings code of its own may keep the old name."""

LAYER_METHODS = {"lazy_initialization", "update", "get_seq_length", "get_mask_sizes", "get_max_length", "batch_select_indices"}
"""What the cache layer of lockstep play does (play/rows.py)."""


def cache_argument(model) -> str | None:
    """The name under which `model.forward` takes a key-value cache; None where it takes none by name.

    model: a model, or the class of one.
    """
    parameters = inspect.signature(model.forward).parameters
    return next((name for name in CACHE_NAMES if name in parameters), None)


def why_no_lockstep() -> str | None:
    """What lockstep play needs and this transformers does not give, without loading a model; None where all is there."""
    try:
        from transformers import Cache, DynamicCache, GenerationMixin, LlamaForCausalLM, Qwen3ForCausalLM
        from transformers.cache_utils import CacheLayerMixin, DynamicLayer
    except ImportError as error:
        return f"{error.name or 'transformers'} has changed ({' '.join(str(error).split())[:120]})"
    needed = CacheLayerMixin.__abstractmethods__ - LAYER_METHODS
    if needed:
        return f"a cache layer must have {', '.join(sorted(needed))} there"
    for cls, argument in ((Cache, "layers"), (DynamicCache, "config")):
        if argument not in inspect.signature(cls).parameters:
            return f"{cls.__name__} takes no `{argument}` there"
    if not issubclass(DynamicLayer, CacheLayerMixin) or not hasattr(GenerationMixin, "generate"):
        return "caches and `generate` are built otherwise there"
    for cls in (LlamaForCausalLM, Qwen3ForCausalLM):
        if cache_argument(cls) is None or "position_ids" not in inspect.signature(cls.forward).parameters:
            return f"{cls.__name__}.forward takes no key-value cache ({' or '.join(CACHE_NAMES)}) with position_ids there"
    return None
