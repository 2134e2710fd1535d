"""lm_eval: run with 0.4.13.

The tasks send requests of their own types, so LM and CachingLM are given methods
(play/__init__.py). The backends' own parts are used where play batches or sends by itself
(play/lockstep.py, play/concurrent.py, play/server.py) and where replies are watched as they end
(observe.py).
`USED` lists them by module.
"""

import importlib
import logging
from typing import Any

log = logging.getLogger("lm_eval.csc_tasks")

USED: dict[str, dict[str, list[str]]] = {
    "lm_eval.api.model": {"LM": ["set_cache_hook"], "CachingLM": ["__getattr__"], "hash_args": []},
    "lm_eval.api.task": {
        "ConfigurableTask": [
            "apply_filters",
            "build_all_requests",
            "doc_iterator",
            "fewshot_context",
        ]
    },
    "lm_eval.models.utils": {
        "handle_stop_sequences": [],
        "normalize_gen_kwargs": [],
        "postprocess_generated_text": [],
    },
    "lm_eval.models.api_models": {
        "TemplateAPI": [
            "_create_payload",
            "create_message",
            "header",
            "parse_generations",
            "batch_loglikelihood_requests",
            "_encode_pair",
        ]
    },
    "lm_eval.models.huggingface": {
        "HFLM": [
            "_detect_batch_size",
            "_model_generate",
            "_model_call",
            "tok_batch_encode",
            "tok_decode",
        ]
    },
}
"""module -> name -> attributes that must be there."""


def why_no_tasks() -> str | None:
    """What the tasks need and this lm_eval does not give; None where all is there. The HF backend
    is left out where torch is absent.
    """
    for module, names in USED.items():
        try:
            library = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] in ("torch", "transformers", "accelerate", "peft"):
                continue
            return f"{module} cannot be imported (no module {error.name})"
        except Exception as error:  # whatever a half-installed library raises
            return (
                f"{module} cannot be imported ({type(error).__name__}:"
                f" {' '.join(str(error).split())[:120]})"
            )
        for name, attributes in names.items():
            absent = [
                attribute
                for attribute in attributes
                if not hasattr(getattr(library, name, None), attribute)
            ]
            if not hasattr(library, name) or absent:
                return f"{module} has no {'.'.join([name, *absent[:1]])} there"
    return None


class SteadyBatchSize:
    """`--batch_size auto` measures the model in every call; play makes many calls, so within this
    it is measured once a model.
    """

    def __init__(self, lm: Any) -> None:
        self.lm = lm

    def __enter__(self) -> None:
        self.measured = getattr(self.lm, "batch_size", None) == "auto" and hasattr(
            self.lm, "_detect_batch_size"
        )
        if self.measured:
            self.before = self.lm.batch_size_per_gpu
            if not hasattr(self.lm, "csc_batch_size"):
                self.lm.csc_batch_size = self.lm._detect_batch_size()
                log.info("batch size %s, measured once", self.lm.csc_batch_size)
            self.lm.batch_size_per_gpu = self.lm.csc_batch_size

    def __exit__(self, *_: object) -> None:
        if self.measured:
            self.lm.batch_size_per_gpu = self.before
