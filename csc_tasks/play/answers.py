"""What an API server sent -> the reply's text, or why there is none. Here a raw message becomes
text, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval.api.model import LM

from csc_tasks.play.failures import Failure
from csc_tasks.refusals import shortened
from csc_tasks.timing import LARGEST

LENGTH = {"length", "max_tokens"}
"""Reasons for the end of a reply that say that the token limit cut it: OpenAI and all who follow
it, Anthropic.
"""
REFUSED = {"content_filter", "refusal"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of a reply ("" where the server sent null), and whether the token limit cut it."""

    text: str
    cut: bool


def read_answer(lm: LM, outputs: object) -> Answer | Failure:
    """The first choice of a response, read by the backend's own `parse_generations`."""
    choice: dict[str, Any] = {}
    # OpenAI's form, Anthropic's, SGLang's own.
    if not isinstance(outputs, Mapping) or not outputs.keys() & {"choices", "content", "text"}:
        return _odd("not a response", outputs)
    if "choices" in outputs:
        choices = outputs["choices"]
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return _odd("no choices in the response", outputs)
        choice = choices[0]
        message = choice.get("message")
        if not isinstance(message, dict) and not isinstance(choice.get("text"), str):
            return _odd("no message in the response", outputs)
        message = message if isinstance(message, dict) else {}
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal and not message.get("content"):
            return Failure("item", "refused", f"the model refused: {shortened(refusal, 200)}")
        _complete(choice, message)
        outputs = {**outputs, "choices": [choice]}
    reason = _finish(outputs, choice)
    if reason in REFUSED:
        return Failure("item", "content filter", f"the server stopped the reply ({reason})")
    try:
        text = lm.parse_generations(outputs=outputs)[0]
    except Exception as error:  # whatever a backend makes of a response that is none
        return _odd(f"not a response ({type(error).__name__})", outputs)
    return Answer("" if text is None else str(text), reason in LENGTH)


def read_likelihood(
    lm: LM, outputs: object, tokens: list[list[int]], lengths: list[int]
) -> tuple[float, bool] | Failure:
    """(log-likelihood of the tokens after the first `lengths[0]`, whether each was the likeliest)
    of an echoed prompt.
    """
    try:
        value, greedy = lm.parse_logprobs(outputs=outputs, tokens=tokens, ctxlens=lengths)[0]
        return float(value), bool(greedy)
    except Exception as error:  # whatever a backend makes of a response that is none
        return _odd(f"no log-probabilities in the response ({type(error).__name__})", outputs)


def tokens(outputs: object) -> tuple[int | None, int | None]:
    """The tokens of prompt and reply as a server counted them, None where it did not say."""
    stated: dict[str, Any] = {}
    for name in ("meta_info", "usage"):  # SGLang's own form; OpenAI's and Anthropic's
        part = outputs.get(name) if isinstance(outputs, Mapping) else None
        stated |= part if isinstance(part, Mapping) else {}

    def count(*names: str) -> int | None:
        values = [stated[name] for name in names if type(stated.get(name)) is int]
        return values[0] if values and 0 <= values[0] <= LARGEST["tokens_in"] else None

    return count("prompt_tokens", "input_tokens"), count("completion_tokens", "output_tokens")


def _complete(choice: dict[str, Any], message: dict[str, Any]) -> None:
    """What lm_eval's parser relies on and not every server sends."""
    choice["index"] = 0
    if "text" in choice and not message:
        return
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    choice["message"] = {**message, "content": content if isinstance(content, str) else None}


def _finish(outputs: Mapping[str, Any], choice: Mapping[str, Any]) -> str | None:
    """Why the reply ended."""
    if choice:
        return choice.get("finish_reason")
    meta = outputs.get("meta_info")
    reason = meta.get("finish_reason") if isinstance(meta, Mapping) else outputs.get("stop_reason")
    return reason.get("type") if isinstance(reason, Mapping) else reason


def _odd(reason: str, outputs: object) -> Failure:
    return Failure("odd", reason.partition(" (")[0], f"{reason}: {shortened(str(outputs), 200)}")
