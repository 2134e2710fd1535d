"""transformers: run with 5.23.0 and 5.24.0."""

import inspect

CACHE_NAMES = ("cache", "past_key_values")
"""What `forward` calls its key-value cache: 5.24 renamed it, and a model that brings code of its own may keep the old name."""


def cache_argument(model) -> str | None:
    """The name under which `model.forward` takes a key-value cache; None where it takes none by name."""
    parameters = inspect.signature(model.forward).parameters
    return next((name for name in CACHE_NAMES if name in parameters), None)
