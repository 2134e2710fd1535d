"""lm_eval's API backends: which they are, how many requests they send at once, how long a prompt
may be by `max_length`.
"""

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from lm_eval.api.model import LM

from csc_tasks.errors import SettingError

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

OWN = (
    "generate_until",
    "model_call",
    "amodel_call",
    "get_batched_requests",
    "_loglikelihood_tokens",
    "batch_loglikelihood_requests",
)
UNSET = 2047
"""The length these backends have where the user gave no `max_length` (2048, less one)."""


def is_api(lm: LM) -> bool:
    """Whether this is one of lm_eval's API backends, with lm_eval's own way of sending; asking does
    not import them.
    """
    bases = _bases(lm)
    return bool(bases) and all(getattr(type(lm), name) is getattr(bases[0], name) for name in OWN)


def sends_its_own_way(lm: LM) -> bool:
    """Whether this is an API backend that replaces lm_eval's way of sending, as LiteLLM's does."""
    return bool(_bases(lm)) and not is_api(lm)


def _bases(lm: LM) -> list[type]:
    return [
        cls
        for cls in type(lm).__mro__
        if (cls.__module__, cls.__name__) == ("lm_eval.models.api_models", "TemplateAPI")
    ]


def connections(lm: LM) -> int:
    """How many requests go out at once: a batch is so many requests of one prompt, and one bad
    prompt spoils no other.
    """
    parallel: int = max(1, lm._concurrent) * max(1, lm._batch_size)
    return parallel


def address(lm: LM) -> str:
    """The server's address without anything that may be secret. SettingError for one that is
    none.
    """
    try:
        parts = urlsplit(str(lm.base_url or ""))
    except ValueError as error:
        raise SettingError(f"base_url in --model_args is no address: {error}") from None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def chat_length(lm: LM, prompt: "str | JsonChatStr") -> int | None:
    """Tokens of a prompt that is sent as messages or text, where `max_length` was given; None where
    it was not.

    Counted with the backend's tokenizer where it has one. Else estimated from above: a token for
    every three ASCII characters and one for every other character.
    """
    if not is_api(lm) or lm.max_length == UNSET:
        return None
    messages = None if isinstance(prompt, str) else json.loads(prompt.prompt)
    if messages is not None and lm.tokenizer_backend == "huggingface":
        return len(
            lm.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=False
            )
        )
    text: str = prompt if messages is None else "\n\n".join(m["content"] for m in messages)
    ascii_characters = sum(character.isascii() for character in text)
    return len(text) - ascii_characters + -(-ascii_characters // 3)
