"""lm_eval's own vLLM backend over an engine that needs no vLLM: what it is asked stands in `calls`,
and replies come from a function, cut where vLLM would cut them.
"""

import importlib.metadata
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

BACKEND = "lm_eval.models.vllm_causallms"


class Sampling(SimpleNamespace):
    """vLLM's SamplingParams."""


class Engine:
    """vLLM's LLM: `answer(prompt)` is the text of a reply; a token is a byte in tests' models.

    Every prompt of every call is kept in `calls`, as text.
    """

    answer: Callable[[str], str]

    def __init__(self, model: str, max_model_len: int | None = None, **arguments: Any) -> None:
        from transformers import AutoTokenizer

        self.arguments = arguments
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.length = max_model_len
        self.calls: list[list[str]] = []
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=self.length))

    def generate(self, prompts, sampling_params, use_tqdm, lora_request):
        """A reply a prompt, in their order."""
        tokens = [prompt["prompt_token_ids"] for prompt in prompts]
        self.calls.append([self.tokenizer.decode(ids) for ids in tokens])
        return [
            self._reply(ids, text, sampling)
            for ids, text, sampling in zip(tokens, self.calls[-1], sampling_params, strict=True)
        ]

    def _reply(self, ids: list[int], prompt: str, sampling: Sampling) -> SimpleNamespace:
        assert len(ids) + sampling.max_tokens <= self.length, "vLLM refuses such a request"
        text = type(self).answer(prompt)
        cut = len(text) > sampling.max_tokens
        reason = "length" if cut else "stop"
        reply = SimpleNamespace(text=text[: sampling.max_tokens], finish_reason=reason)
        return SimpleNamespace(outputs=[reply])


def vllm_backend(monkeypatch, answer: Callable[[str], str]):
    """lm_eval's VLLM class, imported over the engine above for this test alone."""
    from lm_eval.api.registry import model_registry
    from transformers import AutoTokenizer

    engine = type("LLM", (Engine,), {"answer": staticmethod(answer)})
    contents = {
        "vllm": {"LLM": engine, "SamplingParams": Sampling, "TokensPrompt": dict},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": object},
        "vllm.renderers": {},
        "vllm.renderers.hf": {"resolve_chat_template": lambda tokenizer, **_: None},
        "vllm.tokenizers": {
            "get_tokenizer": lambda name, tokenizer_mode, **how: AutoTokenizer.from_pretrained(name)
        },
    }
    for name, parts in contents.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        vars(module).update(parts)
        monkeypatch.setitem(sys.modules, name, module)
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "0.32.0" if name == "vllm" else version(name),
    )
    monkeypatch.delitem(sys.modules, BACKEND, raising=False)
    # lm_eval's placeholder, which the import replaces, and again in the next test.
    monkeypatch.setitem(model_registry._objs, "vllm", f"{BACKEND}:VLLM")
    backend = importlib.import_module(BACKEND)
    # Nothing of it may be left for a test after this one.
    monkeypatch.setitem(sys.modules, BACKEND, backend)
    return backend.VLLM
