"""Where a reply ends:

The mark that a chat template puts behind it, and the marks at which generation stops by itself.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def special_tokens(tokenizer: Any) -> set[str]:
    """Tokens that stand for marks and not for text."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return set(tokenizer.all_special_tokens) | {token.content for token in added if token.special}


def through_first(text: str, marks: Iterable[str]) -> str:
    """`text` through the first of `marks` in it; "" where there is none."""
    ends = [(text.find(mark), len(mark)) for mark in marks if mark and mark in text]
    return text[: sum(min(ends))] if ends else ""


def last_token(tokenizer: Any, end: str) -> int:
    """The last token of what ends a turn."""
    last: int = tokenizer(end, add_special_tokens=False)["input_ids"][-1]
    return last


def stop_tokens(
    model: str, revision: str | None, tokenizer: Any, config: "PreTrainedConfig"
) -> set[int]:
    """The tokens at which lm_eval's hf backend stops by itself:

    The tokenizer's end of text and those of the model's generation config.
    """
    from transformers import GenerationConfig

    try:
        configured = GenerationConfig.from_pretrained(
            model, revision=revision or "main"
        ).eos_token_id
    except OSError:
        configured = config.get_text_config().eos_token_id
    return {token for token in end_tokens(tokenizer, configured) if token is not None}


def end_tokens(tokenizer: Any, configured: int | list[int] | None) -> set[int | None]:
    """The tokenizer's end of text and the `eos_token_id` of a generation config."""
    return {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
