"""The arguments a model was run with: which of them say which model it is, and which are secret."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

NAMES = frozenset({"pretrained", "peft", "delta", "model", "path", "engine"})
"""Model arguments that a model is called after."""

HOW_IT_RAN = frozenset(
    {
        "device",
        "batch_size",
        "max_batch_size",
        "base_url",
        "num_concurrent",
        "max_retries",
        "timeout",
        "tokenized_requests",
        "tokenizer_backend",
        "parallelize",
        "device_map",
        "trust_remote_code",
        "gpu_memory_utilization",
        "tensor_parallel_size",
        "data_parallel_size",
        "swap_space",
        "verify_certificate",
    }
)
"""Model arguments that say how a model was run, not which it is."""

CREDENTIALS = frozenset(
    {"api_key", "token", "hf_token", "auth_token", "access_token", "header", "headers", "password"}
)
"""Model arguments that open a door and change nothing behind it."""

SECRET = re.compile(r"key|token(?!iz)|secret|passw|auth|header|credential", re.IGNORECASE)
"""Names of arguments whose values are secret."""


def secrets(value: Any, secret: bool = False) -> Iterable[str]:
    """The secret texts in a model argument, however deep. secret: whether a name above it says that
    it is one.
    """
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from secrets(below, secret or bool(SECRET.search(str(name))))
    elif isinstance(value, list):
        for below in value:
            yield from secrets(below, secret)
    elif isinstance(value, str) and secret and value:
        yield value
    elif isinstance(value, str) and "://" in value:
        try:
            parts = urlsplit(value)
        except ValueError:
            return
        yield from filter(None, (parts.netloc.rpartition("@")[0], parts.query))


def model_arguments(given: Mapping[str, Any] | str | None) -> dict[str, str]:
    """model_args as text by name, whichever way lm_eval wrote them down."""
    if isinstance(given, Mapping):
        return {str(name): as_text(value) for name, value in given.items()}
    parts = (part.partition("=") for part in (given or "").split(",") if part)
    return {name.strip(): value for name, equals, value in parts if equals}


def as_text(value: object) -> str:
    """Text as it is, anything else as JSON."""
    return (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
