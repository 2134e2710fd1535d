"""Which models lockstep play is for, and why it is not for the others.

What is known to need every prompt encoded from its start is named. What is not known is tried: tokens through the cache, as many as the
corpus's longest prompt has, must give the logits that the model gives without it.
"""

import inspect
from collections.abc import Sequence

from lm_eval.models.utils import normalize_gen_kwargs

from csc_tasks.compat.transformers import CACHE_NAMES, cache_argument, why_no_lockstep
from csc_tasks.play.chains import conversations
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.rows import Rows, without_adapter

HARMLESS = {
    *("do_sample", "temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"),
    *("length_penalty", "early_stopping", "diversity_penalty"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "repetition_penalty", "max_length", "use_cache"),
    *("transformers_version", "_from_model_config", "return_dict_in_generate"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits"),
}
"""Settings of a model's generation_config that leave the likeliest token what it is, or that lockstep play follows too."""
NEUTRAL = {
    **{"num_beams": 1, "num_beam_groups": 1, "num_return_sequences": 1, "encoder_repetition_penalty": 1.0, "min_length": 0},
    **{"no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "remove_invalid_values": False, "renormalize_logits": False},
}
"""Values that switch a setting of generation_config off; some models write them out."""
FOLLOWED = {"until", "max_gen_toks", "do_sample", "temperature", "repetition_penalty"}
"""Generation arguments of a request that lockstep play follows, as long as it is not to sample."""


def is_hf(lm) -> bool:
    """Whether this is lm_eval's HF backend or a class made from it; asking does not import it."""
    return any((cls.__module__, cls.__name__) == ("lm_eval.models.huggingface", "HFLM") for cls in type(lm).__mro__)


def why_plain(lm, requests: Sequence[PlayInstance], chooses: bool) -> str | None:
    """Why these requests to lm_eval's HF backend need the plain way; None where lockstep play gives the same answers."""
    return (
        _backend(lm, chooses)
        or _parallel(lm)
        or _adapter(lm)
        or _library()
        or _model(lm)
        or (None if chooses else _generation(lm, requests))
        or _trial(lm, _longest(lm, requests))
    )


def _backend(lm, chooses: bool) -> str | None:
    from lm_eval.models.huggingface import HFLM

    own = ("generate_until", "_model_generate", "_model_call", "loglikelihood", "_loglikelihood_tokens", "tok_encode", "tok_batch_encode")
    replaced = [name for name in own if getattr(type(lm), name) is not getattr(HFLM, name)]
    if replaced:
        return f"the backend {type(lm).__name__} has a `{replaced[0]}` of its own"
    if lm.backend != "causal":
        return "this is an encoder-decoder model"
    if lm.truncation:
        return "with truncation=True the tokenizer may cut a prompt's start"
    return "the model thinks first (enable_thinking)" if chooses and lm.enable_thinking else None


def _parallel(lm) -> str | None:
    from transformers import PreTrainedModel

    base = without_adapter(lm.model)
    if not isinstance(base, PreTrainedModel):
        return f"{type(base).__name__} is a wrapper, not a transformers model"
    kind = getattr(getattr(lm, "accelerator", None), "distributed_type", None)
    if kind is not None and getattr(kind, "value", kind) not in ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_NPU", "MULTI_XPU"):
        return f"with {kind} all ranks must run the same passes"
    if getattr(base, "_tp_size", None):
        return "with tensor parallelism all ranks must run the same passes"
    return None


def _adapter(lm) -> str | None:
    for config in getattr(lm.model, "peft_config", {}).values():
        if config.is_prompt_learning:
            return "the adapter puts virtual tokens before the prompt"
        if getattr(config, "alora_invocation_tokens", None):
            return "the adapter looks for its invocation tokens in the whole prompt"
        if getattr(config.peft_type, "value", config.peft_type) == "XLORA":
            return "the adapter weighs its experts by the whole prompt"
    return None


def _library() -> str | None:
    import transformers

    why = why_no_lockstep()
    return f"transformers {transformers.__version__} does not fit it: {why}" if why else None


def _model(lm) -> str | None:
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    base = without_adapter(lm.model)
    config = base.config.get_text_config(decoder=True)
    if getattr(base, "_is_stateful", False):
        return "the model keeps a recurrent state, which cannot be put back"
    try:
        layers = DynamicCache(config=config).layers
    except Exception as error:
        return f"its cache is unknown ({type(error).__name__}: {error})"
    other = next((layer for layer in layers if type(layer) is not DynamicLayer), None)
    if other is not None:
        what = "attention over a sliding window" if getattr(other, "is_sliding", False) else "layers that do not keep every token by itself"
        return f"it has {what} ({type(other).__name__})"
    if "local" in str(getattr(config, "attention_layers", "")) or getattr(config, "attention_type", None) == "block_sparse":
        return "which tokens its attention sees depends on how long the whole pass is (a window or blocks of its own)"
    implementation = base.config._attn_implementation
    if implementation not in ("sdpa", "eager"):
        return f"attention by {implementation} takes no mask of its own for each row (attn_implementation=sdpa does)"
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = {inner.get("rope_type") for inner in (rope, *rope.values()) if isinstance(inner, dict)}
    if kinds & {"dynamic", "longrope"}:
        return "its positions change with the length of the prompt (dynamic RoPE)"
    if "position_ids" not in inspect.signature(base.forward).parameters:
        return "its forward pass takes no position_ids"
    return None if cache_argument(base) else f"its forward pass takes no key-value cache ({' or '.join(CACHE_NAMES)})"


def _generation(lm, requests: Sequence[PlayInstance]) -> str | None:
    from transformers import GenerationMixin

    base = without_adapter(lm.model)
    if getattr(getattr(base, "generate", None), "__func__", None) is not GenerationMixin.generate:
        return "the model has a `generate` of its own"
    settings = lm.model.generation_config.to_diff_dict()
    cache = settings.pop("cache_implementation", None)
    if cache not in (None, "dynamic"):
        return f"its generation_config wants the cache {cache!r}"
    unknown = sorted(name for name, value in settings.items() if name not in HARMLESS and value not in (None, NEUTRAL.get(name)))
    if unknown:
        return f"its generation_config sets {unknown[0]}={settings[unknown[0]]!r}"
    for kwargs in {str(request.arguments[1]): request.arguments[1] for request in requests}.values():
        normal = normalize_gen_kwargs(kwargs, lm.max_gen_toks)
        if normal.get("do_sample") or normal.get("temperature"):
            return "replies are sampled"
        unknown = sorted(set(normal) - FOLLOWED)
        if unknown:
            return f"the generation argument {unknown[0]} is not for it"
        if normal["max_gen_toks"] < 1:
            return f"replies have max_gen_toks={normal['max_gen_toks']}"
    return None


def _longest(lm, requests: Sequence[PlayInstance]) -> int:
    """How many tokens about the longest prompt has: that of a conversation's last turn, after the corpus's turns."""
    last = (asked[-1].prompt for asked in conversations(requests))
    texts = (prompt.plain(prompt.messages()) for prompt in last)
    return len(lm.tok_encode(max(texts, key=lambda text: len(text.encode()), default="")))


def _trial(lm, longest: int) -> str | None:
    """Two rows of other lengths, one continued after its end was taken back, against the same tokens without a cache.

    The longer row gets `longest` tokens: windows, and factors that depend on positions, show in long prompts only.
    """
    import torch

    longest = max(19, min(longest, lm.max_length - 2))
    third = longest // 3
    try:
        size = min(lm.model.get_input_embeddings().num_embeddings, 1000)
        tokens = torch.randint(size, (longest + third + 5,), generator=torch.Generator().manual_seed(0)).tolist()
        one, other = tokens[:third] + tokens[2 * third + 5 :], tokens[third : 2 * third]
        rows = Rows(lm, 2)
        rows.encode([0, 1], [tokens[: third + 5], other])
        rows.encode([0], [one])
        rows.step([tokens[0], tokens[1]])
        found = rows.step([tokens[2], tokens[3]]).float()
        keep = {"logits_to_keep": 1} if rows.can_keep else {}
        with torch.no_grad():
            expected = [
                lm.model(input_ids=torch.tensor([ids], device=lm.device), **keep).logits[0, -1].float()
                for ids in ([*one, tokens[0], tokens[2]], [*other, tokens[1], tokens[3]])
            ]
        expected = torch.stack(expected).to(found.device)
    except Exception as error:
        return f"a trial failed ({type(error).__name__}: {error})"
    exact = lm.model.dtype in (torch.float32, torch.float64) and not lm.mixed_precision_dtype
    far = float((found - expected).abs().max() / expected.abs().max())
    return f"in a trial its logits differed by {far:.1%} from those without a cache" if not far < (1e-3 if exact else 0.1) else None
