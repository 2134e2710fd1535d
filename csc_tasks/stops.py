"""Where a reply ends:

The mark that a chat template puts behind it, and the marks at which generation stops by itself.
"""

from collections.abc import Iterable


def special_tokens(tokenizer) -> set[str]:
    """Tokens that stand for marks and not for text."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return set(tokenizer.all_special_tokens) | {token.content for token in added if token.special}


def through_first(text: str, marks: Iterable[str]) -> str:
    """`text` through the first of `marks` in it; "" where there is none."""
    ends = [(text.find(mark), len(mark)) for mark in marks if mark and mark in text]
    return text[: sum(min(ends))] if ends else ""


def last_token(tokenizer, end: str) -> int:
    """The last token of what ends a turn."""
    return tokenizer(end, add_special_tokens=False)["input_ids"][-1]


def stop_tokens(model: str, revision: str | None, tokenizer, config) -> set[int]:
    """The tokens at which lm_eval's hf backend stops by itself:

    The tokenizer's end of text and those of the model's generation config.
    """
    from transformers import GenerationConfig

    try:
        configured = GenerationConfig.from_pretrained(model, revision=revision).eos_token_id
    except OSError:
        configured = config.get_text_config().eos_token_id
    return end_tokens(tokenizer, configured) - {None}


def end_tokens(tokenizer, configured: int | list[int] | None) -> set[int | None]:
    """The tokenizer's end of text and the `eos_token_id` of a generation config."""
    return {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
