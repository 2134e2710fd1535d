"""transformers: run with 5.23.0 and 5.24.0.

- 5.24 renamed the cache argument of `forward`: `past_key_values` is `cache` now, and 5.40 drops the
  old name.
- A GGUF file's tokenizer is built by integrations/gguf/gguf_tokenizer_mapping.py since 5.23, from a
  table of how vocabularies split texts.
- Lockstep play has a cache layer of its own (play/cache_layer.py), and so depends on what
  transformers asks of one. Before 5.18 a layer needed `get_max_cache_shape` in place of
  `get_max_length`.
"""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

CACHE_NAMES = ("cache", "past_key_values")
"""What `forward` calls its key-value cache; a model that brings code of its own may keep the old
name.
"""

LAYER_METHODS = {
    "lazy_initialization",
    "update",
    "get_seq_length",
    "get_mask_sizes",
    "get_max_length",
    "batch_select_indices",
}
"""What the cache layer of lockstep play does (play/cache_layer.py)."""

_TEMPLATES = "transformers.utils.chat_template_utils"
_COMPILE = "_compile_jinja_template"
_RENDERING = threading.RLock()


def cache_argument(model: Any) -> str | None:
    """The name under which `model.forward` takes a key-value cache; None where it takes none by
    name.

    model: a model, or the class of one.
    """
    parameters = inspect.signature(model.forward).parameters
    return next((name for name in CACHE_NAMES if name in parameters), None)


@contextmanager
def pinned_date(day: date) -> Iterator[None]:
    """Chat templates that transformers renders inside take `day` for today.

    They learn the date in two ways: by the function `strftime_now`, which transformers gives them,
    and by the variable `date_string` (Llama 3), which is set here in Llama's own format. A
    `date_string` passed to `apply_chat_template` still wins. The function cannot be passed like
    that: transformers turns what is not plain data into text.

    Nothing lasts: tokenizers are not touched, and the templates that transformers compiled for
    others are not the ones used here.
    """
    # Whatever renders a chat template with transformers has imported this module already.
    module = sys.modules.get(_TEMPLATES)
    if module is None or not hasattr(module, _COMPILE):
        yield
        return
    with _RENDERING:
        original = getattr(module, _COMPILE)

        @wraps(original)
        def compile_template(template: str) -> Any:
            # Unwrapped, it compiles anew and knows of no cache, so that what is changed is our own.
            return _compiled(inspect.unwrap(original), template, day)

        setattr(module, _COMPILE, compile_template)
        try:
            yield
        finally:
            setattr(module, _COMPILE, original)


@lru_cache(maxsize=32)
def _compiled(compile_template: Callable[[str], Any], template: str, day: date) -> Any:
    """A compiled chat template of our own, in an environment in which it is always `day`."""
    compiled = compile_template(template)
    midnight = datetime(day.year, day.month, day.day)
    compiled.environment.globals["strftime_now"] = midnight.strftime
    compiled.environment.globals["date_string"] = midnight.strftime("%d %b %Y")
    return compiled


def pins_dates() -> bool:
    """Whether `pinned_date` has an effect with the installed transformers (imports it)."""
    from transformers.utils.chat_template_utils import render_jinja_template

    template = "{{ strftime_now('%Y-%m-%d') }} {{ date_string }}"
    with pinned_date(date(2001, 2, 3)):
        rendered = render_jinja_template(
            [[{"role": "user", "content": ""}]], chat_template=template
        )
    text = rendered[0][0] if isinstance(rendered, tuple) else rendered[0]
    return text == "2001-02-03 03 Feb 2001"


def why_no_pinned_date() -> str | None:
    """Why chat templates would print the real date; None where the pinned one is printed."""
    return None if pins_dates() else "chat templates are compiled in another way there"


def why_no_lockstep() -> str | None:
    """What lockstep play needs and this transformers does not give, without loading a model; None
    where all is there.
    """
    try:
        from transformers import (
            Cache,
            DynamicCache,
            GenerationMixin,
            LlamaForCausalLM,
            Qwen3ForCausalLM,
        )
        from transformers.cache_utils import CacheLayerMixin, DynamicLayer
    except ImportError as error:
        return f"{error.name or 'transformers'} has changed ({' '.join(str(error).split())[:120]})"
    needed = CacheLayerMixin.__abstractmethods__ - LAYER_METHODS
    if needed:
        return f"a cache layer must have {', '.join(sorted(needed))} there"
    for cache, argument in ((Cache, "layers"), (DynamicCache, "config")):
        if argument not in inspect.signature(cache).parameters:
            return f"{cache.__name__} takes no `{argument}` there"
    if not issubclass(DynamicLayer, CacheLayerMixin) or not hasattr(GenerationMixin, "generate"):
        return "caches and `generate` are built otherwise there"
    for cls in (LlamaForCausalLM, Qwen3ForCausalLM):
        if (
            cache_argument(cls) is None
            or "position_ids" not in inspect.signature(cls.forward).parameters
        ):
            return (
                f"{cls.__name__}.forward takes no key-value cache ({' or '.join(CACHE_NAMES)}) with"
                " position_ids there"
            )
    return None


def gguf_split(file: Path) -> str | None:
    """What a GGUF file says its byte-level vocabulary splits texts by (`tokenizer.ggml.pre`), ""
    where it does not say; None where it has another kind of vocabulary.
    """
    from transformers.integrations.gguf.reader import read_gguf_metadata

    metadata, _ = read_gguf_metadata(str(file))
    if metadata.get("tokenizer.ggml.model") != "gpt2":
        return None
    return str(metadata.get("tokenizer.ggml.pre") or "")


def gguf_ends(file: Path) -> list[int]:
    """The tokens that end a reply by a GGUF file: end of text, of a turn, of a message."""
    from transformers.integrations.gguf.reader import read_gguf_metadata

    metadata, _ = read_gguf_metadata(str(file))
    ends = (metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom"))
    return sorted({int(token) for token in ends if token is not None})


def learn_gguf_split(name: str, pattern: str) -> None:
    """Have transformers split texts by `pattern` for files that say `name`, unless it knows the
    name itself.
    """
    _gguf_splits().setdefault(name, pattern)


def knows_gguf_split(name: str) -> bool:
    """Whether transformers splits texts for files that say `name` in another way than GPT-2's."""
    return name in _gguf_splits()


def why_no_gguf_splits() -> str | None:
    """Why no way of splitting can be added for tokenizers of GGUF files; None where it can."""
    try:
        splits = _gguf_splits()
    except (ImportError, AttributeError) as error:
        return f"its table of them has moved ({error})"
    return None if isinstance(splits, dict) else "its table of them is no dictionary"


def _gguf_splits() -> dict[str, str]:
    from transformers.integrations.gguf import gguf_tokenizer_mapping

    splits: dict[str, str] = gguf_tokenizer_mapping.GGUF_PRE_TOKENIZER_SPLITS
    return splits
