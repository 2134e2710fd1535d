"""Which replies did the token limit cut? lm_eval's models return text only; this watches them
finish.

HF models are watched where they generate (an end-of-text token or a stop string says the reply
ended by itself), API models where they parse the server's `finish_reason`, vLLM by its outputs'
`finish_reason`. With `--use_cache` the fact is cached beside the reply. Other backends cannot tell,
and None says so.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM, CachingLM, hash_args

from csc_tasks.stops import end_tokens

if TYPE_CHECKING:
    from torch import Tensor

MARK = "csc_cut"


class _Hook:
    """Stands in for lm_eval's cache hook, which every backend calls once per finished reply, in
    order.
    """

    def __init__(
        self, hook: Any, flags: deque[bool], on_reply: Callable[[], object] | None
    ) -> None:
        self.hook = hook
        self.flags = flags
        self.on_reply = on_reply
        self.cut: dict[str, bool] = {}
        self.by_prompt: dict[Any, bool] = {}

    def add_partial(self, attr: str, request: Any, result: object) -> None:
        cut = bool(self.flags and self.flags.popleft())
        self.cut[hash_args(attr, request)] = self.by_prompt[request[0]] = cut
        self.hook.add_partial(attr, request, result)
        if cut:
            self.hook.add_partial(MARK, request, True)
        if self.on_reply:
            self.on_reply()


@contextmanager
def cut_replies(
    lm: LM, on_reply: Callable[[], object] | None = None
) -> Iterator[Callable[[Any], bool | None]]:
    """Watch `lm` generate; yields a function from a request's arguments to True, False or None
    (cannot tell).

    `on_reply` is called for every finished reply that can be watched.
    """
    model, cache = (lm.lm, lm.dbdict) if isinstance(lm, CachingLM) else (lm, None)
    watch = _watch(model)
    hook = None
    if watch:
        name, wrapped, flags = watch
        hook = _Hook(model.cache_hook, flags, on_reply)
        model.cache_hook = hook
        # Play may have put something of its own in the method's place, and that has to be there
        # again afterwards.
        before = vars(model).get(name)
        setattr(model, name, wrapped)

    def was_cut(arguments: Any) -> bool | None:
        if hook is None:
            return None
        key = hash_args("generate_until", arguments)
        if key in hook.cut:
            return hook.cut[key]
        prompt = arguments[0]
        if prompt in hook.by_prompt:
            # vLLM's backend reports a reply with the arguments that it made of the request's, so
            # the fact is cached under the request's own here.
            if hook.by_prompt[prompt]:
                hook.hook.add_partial(MARK, arguments, True)
            return hook.by_prompt[prompt]
        return None if cache is None else hash_args(MARK, arguments) in cache

    try:
        yield was_cut
    finally:
        if hook is not None:
            model.cache_hook = hook.hook
            delattr(model, name)
            if before is not None:
                setattr(model, name, before)


def _watch(model: LM) -> tuple[str, Callable[..., Any], deque[bool]] | None:
    """(method to stand in for, its wrapper, flags the wrapper leaves in order of the replies)."""
    flags: deque[bool] = deque()
    if hasattr(model, "parse_generations"):
        parse = model.parse_generations

        def parsed(outputs: Any, **kwargs: Any) -> list[str]:
            # For a null answer to a request that goes out alone lm_eval reports no finished reply;
            # for an empty one it does.
            texts = ["" if text is None else text for text in parse(outputs=outputs, **kwargs)]
            reasons = _finish_reasons(outputs) + [None] * len(texts)
            flags.extend(reason == "length" for _, reason in zip(texts, reasons, strict=False))
            return texts

        return "parse_generations", parsed, flags
    if hasattr(model, "_model_generate"):
        generate = model._model_generate

        def generated(*args: Any, **kwargs: Any) -> Any:
            output = generate(*args, **kwargs)
            if isinstance(output, list):
                flags.extend(reply.outputs[0].finish_reason == "length" for reply in output)
            else:
                flags.extend(_cut_rows(model, output, kwargs))
            return output

        return "_model_generate", generated, flags
    return None


def _finish_reasons(outputs: Any) -> list[str | None]:
    outputs = outputs if isinstance(outputs, list) else [outputs]
    reasons: list[str | None] = []
    for output in outputs:
        choices = output.get("choices") or [] if isinstance(output, dict) else []
        reasons += [
            choice.get("finish_reason")
            for choice in sorted(choices, key=lambda choice: choice.get("index", 0))
        ]
    return reasons


def _cut_rows(model: LM, output: "Tensor", kwargs: dict[str, Any]) -> list[bool]:
    """For each row of an HF model's output: full length, and neither an end token nor a stop string
    in it.
    """
    start = kwargs["context"].shape[1] if model.backend == "causal" else 1
    ends = end_tokens(model.tokenizer, getattr(model.model.generation_config, "eos_token_id", None))
    full = output.shape[1] >= kwargs["max_length"]
    rows = []
    for tokens in output[:, start:].tolist():
        ended = not full or any(token in ends for token in tokens)
        if not ended and kwargs.get("stop"):
            text = model.tok_decode(tokens, skip_special_tokens=False)
            ended = any(stop and stop in text for stop in kwargs["stop"])
        rows.append(not ended)
    return rows
