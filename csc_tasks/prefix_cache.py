"""What a model's code, configuration and adapter tell about lockstep play, without its weights.

Lockstep play computes once what consecutive prompts share. What is known to need every prompt
encoded from its start is named here. Each function returns the reason, or None where it knows of
none; what is not known is tried when the model runs (play/eligible.py).
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from csc_tasks.compat.transformers import CACHE_NAMES, cache_argument

HARMLESS = {
    *(
        "do_sample",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "top_h",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
    ),
    *("length_penalty", "early_stopping", "diversity_penalty"),
    *(
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "decoder_start_token_id",
        "repetition_penalty",
        "max_length",
        "use_cache",
    ),
    *("transformers_version", "_from_model_config", "return_dict_in_generate"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits"),
}
"""Settings of a generation_config that leave the likeliest token what it is, or that lockstep play
follows too."""
NEUTRAL = {
    **{
        "num_beams": 1,
        "num_beam_groups": 1,
        "num_return_sequences": 1,
        "encoder_repetition_penalty": 1.0,
        "min_length": 0,
    },
    **{
        "no_repeat_ngram_size": 0,
        "encoder_no_repeat_ngram_size": 0,
        "remove_invalid_values": False,
        "renormalize_logits": False,
    },
}
"""Values that switch a setting of generation_config off; some models write them out."""


def by_adapter(configs: Iterable[Any]) -> str | None:
    """Why not with adapters of these peft configurations."""
    for config in configs:
        if config.is_prompt_learning:
            return "the adapter puts virtual tokens before the prompt"
        if getattr(config, "alora_invocation_tokens", None):
            return "the adapter looks for its invocation tokens in the whole prompt"
        if getattr(config.peft_type, "value", config.peft_type) == "XLORA":
            return "the adapter weighs its experts by the whole prompt"
    return None


def by_model(base: Any) -> str | None:
    """Why not with this transformers model, which may be on the meta device."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    config = base.config.get_text_config(decoder=True)
    if getattr(base, "_is_stateful", False):
        return "the model keeps a recurrent state, which cannot be put back"
    try:
        layers = DynamicCache(config=config).layers
    except Exception as error:
        return f"its cache is unknown ({type(error).__name__}: {error})"
    other = next((layer for layer in layers if type(layer) is not DynamicLayer), None)
    if other is not None:
        what = (
            "attention over a sliding window"
            if getattr(other, "is_sliding", False)
            else "layers that do not keep every token by itself"
        )
        return f"it has {what} ({type(other).__name__})"
    if (
        "local" in str(getattr(config, "attention_layers", ""))
        or getattr(config, "attention_type", None) == "block_sparse"
    ):
        return (
            "which tokens its attention sees depends on how long the whole pass is "
            "(a window or blocks of its own)"
        )
    implementation = base.config._attn_implementation
    if implementation not in ("sdpa", "eager"):
        return (
            f"attention by {implementation} takes no mask of its own for each row "
            "(attn_implementation=sdpa does)"
        )
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = {inner.get("rope_type") for inner in (rope, *rope.values()) if isinstance(inner, dict)}
    if kinds & {"dynamic", "longrope"}:
        return "its positions change with the length of the prompt (dynamic RoPE)"
    if "position_ids" not in inspect.signature(base.forward).parameters:
        return "its forward pass takes no position_ids"
    return (
        None
        if cache_argument(base)
        else f"its forward pass takes no key-value cache ({' or '.join(CACHE_NAMES)})"
    )


def by_generation(base: Any, settings: Mapping[str, object]) -> str | None:
    """Why not with this model's own way to generate.

    `settings` are those of its generation_config that are no defaults.
    """
    from transformers import GenerationMixin

    if getattr(getattr(base, "generate", None), "__func__", None) is not GenerationMixin.generate:
        return "the model has a `generate` of its own"
    cache = settings.get("cache_implementation")
    if cache not in (None, "dynamic"):
        return f"its generation_config wants the cache {cache!r}"
    unknown = sorted(
        name
        for name, value in settings.items()
        if name not in HARMLESS
        and name != "cache_implementation"
        and value not in (None, NEUTRAL.get(name))
    )
    return f"its generation_config sets {unknown[0]}={settings[unknown[0]]!r}" if unknown else None
