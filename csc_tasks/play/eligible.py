"""Which models lockstep play is for, and why it is not for the others.

What is known to need every prompt encoded from its start is named, here and in
csc_tasks/prefix_cache.py. What is not known is tried: tokens through the cache, as many as the
corpus's longest prompt has, must give the logits that the model gives without it.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs

from csc_tasks.compat.transformers import why_no_lockstep
from csc_tasks.play.attention import LEAST
from csc_tasks.play.chains import conversations
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.rows import Rows, without_adapter
from csc_tasks.prefix_cache import by_adapter, by_generation, by_model

_TRIALS: WeakKeyDictionary[Any, tuple[int, str | None]] = WeakKeyDictionary()
"""Model -> how long its longest trial was, and the reason that it gave."""

FOLLOWED = {"until", "max_gen_toks", "do_sample", "temperature", "repetition_penalty"}
"""Generation arguments of a request that lockstep play follows, as long as it is not to sample."""


def is_hf(lm: LM) -> bool:
    """Whether this is lm_eval's HF backend or a class made from it; asking does not import it."""
    return any(
        (cls.__module__, cls.__name__) == ("lm_eval.models.huggingface", "HFLM")
        for cls in type(lm).__mro__
    )


def why_plain(
    lm: LM, requests: Sequence[PlayInstance], chooses: bool, longest: int | None = None
) -> str | None:
    """Why these requests to lm_eval's HF backend need the plain way; None where lockstep play gives
    the same answers.

    `longest`: how many tokens their longest prompt has, where that is known.
    """
    return (
        _backend(lm, chooses)
        or _parallel(lm)
        or _library()
        or by_adapter(getattr(lm.model, "peft_config", {}).values())
        or by_model(without_adapter(lm.model))
        or (None if chooses else _generation(lm, requests))
        or _tried(lm, longest or longest_prompt(lm, requests))
    )


def _backend(lm: LM, chooses: bool) -> str | None:
    from lm_eval.models.huggingface import HFLM

    own = (
        "generate_until",
        "_model_generate",
        "_model_call",
        "loglikelihood",
        "_loglikelihood_tokens",
        "tok_encode",
        "tok_batch_encode",
    )
    replaced = [name for name in own if getattr(type(lm), name) is not getattr(HFLM, name)]
    if replaced:
        return f"the backend {type(lm).__name__} has a `{replaced[0]}` of its own"
    if lm.backend != "causal":
        return "this is an encoder-decoder model"
    if lm.truncation:
        return "with truncation=True the tokenizer may cut a prompt's start"
    return "the model thinks first (enable_thinking)" if chooses and lm.enable_thinking else None


def _parallel(lm: LM) -> str | None:
    from transformers import PreTrainedModel

    base = without_adapter(lm.model)
    if not isinstance(base, PreTrainedModel):
        return f"{type(base).__name__} is a wrapper, not a transformers model"
    kind = getattr(getattr(lm, "accelerator", None), "distributed_type", None)
    if kind is not None and getattr(kind, "value", kind) not in (
        "NO",
        "MULTI_CPU",
        "MULTI_GPU",
        "MULTI_NPU",
        "MULTI_XPU",
    ):
        return f"with {kind} all ranks must run the same passes"
    if getattr(base, "_tp_size", None):
        return "with tensor parallelism all ranks must run the same passes"
    return None


def _library() -> str | None:
    import transformers

    why = why_no_lockstep()
    return f"transformers {transformers.__version__} does not fit it: {why}" if why else None


def _generation(lm: LM, requests: Sequence[PlayInstance]) -> str | None:
    reason = by_generation(without_adapter(lm.model), lm.model.generation_config.to_diff_dict())
    if reason:
        return reason
    for kwargs in {
        str(request.arguments[1]): request.arguments[1] for request in requests
    }.values():
        normal = normalize_gen_kwargs(kwargs, lm.max_gen_toks)
        if normal.get("do_sample") or normal.get("temperature"):
            return "replies are sampled"
        unknown = sorted(set(normal) - FOLLOWED)
        if unknown:
            return f"the generation argument {unknown[0]} is not for it"
        if normal["max_gen_toks"] < 1:
            return f"replies have max_gen_toks={normal['max_gen_toks']}"
    return None


def longest_prompt(lm: LM, requests: Sequence[PlayInstance]) -> int:
    """How many tokens about the longest prompt has: that of a conversation's last turn, after the
    corpus's turns.
    """
    last = (asked[-1].prompt for asked in conversations(requests))
    texts = (prompt.plain(prompt.messages()) for prompt in last)
    return len(lm.tok_encode(max(texts, key=lambda text: len(text.encode()), default="")))


def _tried(lm: LM, longest: int) -> str | None:
    """What a trial has shown, once for each model: a shorter one tells nothing new."""
    tried, reason = _TRIALS.get(lm.model, (-1, None))
    if tried < longest and reason is None:
        reason = _trial(lm, longest)
        _TRIALS[lm.model] = longest, reason
    return reason


def _trial(lm: LM, longest: int) -> str | None:
    """Two rows of other lengths that start alike, one continued after its end was taken back,
    against the same tokens without a cache.

    The longer row gets `longest` tokens: windows, and factors that depend on positions, show in
    long prompts only. The other one starts alike and has few more than rows must share for
    attention.py, so that the trial costs little beside the first prompts.
    """
    import torch

    longest = max(19, min(longest, lm.max_length - 2))
    third = longest // 3
    try:
        size = min(lm.model.get_input_embeddings().num_embeddings, 1000)
        tokens = torch.randint(
            size, (longest + third + 5,), generator=torch.Generator().manual_seed(0)
        ).tolist()
        one = tokens[:third] + tokens[2 * third + 5 :]
        other = tokens[: min(third, LEAST)] + tokens[third + 5 : third + 9]
        rows = Rows(lm, 2)
        rows.encode([0, 1], [tokens[: third + 5], other])
        rows.encode([0], [one])
        rows.step([tokens[0], tokens[1]])
        actual = rows.step([tokens[2], tokens[3]]).float()
        keep = {"logits_to_keep": 1} if rows.can_keep else {}
        with torch.no_grad():
            alone = [
                lm.model(input_ids=torch.tensor([ids], device=lm.device), **keep)
                .logits[0, -1]
                .float()
                for ids in ([*one, tokens[0], tokens[2]], [*other, tokens[1], tokens[3]])
            ]
        expected = torch.stack(alone).to(actual.device)
    except Exception as error:
        return f"a trial failed ({type(error).__name__}: {error})"
    exact = lm.model.dtype in (torch.float32, torch.float64) and not lm.mixed_precision_dtype
    far = float((actual - expected).abs().max() / expected.abs().max())
    # Not `far >= bound`: a logit that is no number is too far from any.
    if not far < (1e-3 if exact else 0.1):
        return f"in a trial its logits differed by {far:.1%} from those without a cache"
    return None
