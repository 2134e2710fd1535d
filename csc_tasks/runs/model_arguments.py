"""The arguments a model was run with: which of them say which model it is, and how
it ran."""

import json
from collections.abc import Mapping
from typing import Any

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
