"""Servers that are made to write one of a few texts, for a forced choice where there are no
log-likelihoods.

Servers differ in what they take, and many ignore in silence what they do not know. So each way is
tried, before anything is asked, on texts that no model would write by itself. What a server is made
to write is greedy: at each token the likeliest of those that still lead to one of the names.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM

from csc_tasks.errors import ModelError
from csc_tasks.play.answers import Answer, read_answer, read_likelihood
from csc_tasks.play.api import address
from csc_tasks.play.failures import Failure
from csc_tasks.play.forced import LIKELIHOOD, NAMED, PREFIX
from csc_tasks.play.server import Server
from csc_tasks.prompts import label_written
from csc_tasks.thinking import Thinking

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

PROBES = ("csc 17", "csc 42")
"""What no model replies to a greeting, unless it is made to."""


@dataclass(frozen=True, slots=True)
class Guide:
    """One way to make a server choose. `parameters(names)` go into the request; `begins`: the
    parameters with which it goes on with a message that was begun for it, None where it is not
    known to.
    """

    name: str
    parameters: Callable[[Sequence[str]], dict[str, Any]]
    begins: dict[str, Any] | None = None


def _choice(names: Sequence[str]) -> dict[str, Any]:
    return {"structured_outputs": {"choice": [f"[{name}]" for name in names]}}


def _grammar(names: Sequence[str]) -> dict[str, Any]:
    texts = (json.dumps(f"[{name}]", ensure_ascii=False) for name in names)
    return {"grammar": f"root ::= {' | '.join(texts)}"}


def _schema(names: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"strategy": {"type": "string", "enum": list(names)}},
        "required": ["strategy"],
        "additionalProperties": False,
    }
    form = {"name": "strategy", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


GUIDES = (
    # vLLM
    Guide(
        "structured_outputs",
        _choice,
        {"add_generation_prompt": False, "continue_final_message": True},
    ),
    # llama.cpp, which goes on with a last message of the assistant's by itself
    Guide("grammar", _grammar, {}),
    # OpenAI, and most others
    Guide("json_schema", _schema),
)
BY_NAME = {guide.name: guide for guide in GUIDES}


def settings(kwargs: dict[str, Any], guide: Guide, names: Sequence[str]) -> dict[str, Any]:
    """The generation arguments of a choice among names, from those of the reply: greedy, without
    stop strings, and long enough.
    """
    length = max(len(name.encode()) for name in names) + 32
    limit = max(int(kwargs.get("max_gen_toks") or 0), length)
    return {
        **kwargs,
        **{"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": limit},
        **guide.parameters(names),
    }


def reader(
    lm: LM, names: Sequence[str], thinking: Thinking
) -> Callable[[object], tuple[int, str] | Failure]:
    """What reads a response: the position of the name that was chosen, and what was written."""

    def read(outputs: object) -> tuple[int, str] | Failure:
        answer = read_answer(lm, outputs)
        if isinstance(answer, Failure):
            return answer
        written, label = label_written(answer.text, thinking)
        if label not in names:
            return Failure(
                "odd", "no choice", f"it wrote none of the names it was to choose from: {written!r}"
            )
        return names.index(label), written

    return read


async def find_way(
    server: Server,
    kwargs: dict[str, Any],
    message: Callable[..., Any],
    thinking: Thinking,
    chat: bool,
) -> dict[str, str]:
    """How this server chooses, and how a reply follows its choice (`PlayInstance.forcing`).

    kwargs: the generation arguments of a reply. message: a prompt as the backend sends it. chat:
    whether prompts are messages. Raises ModelError where the server takes none of the ways.
    """
    lm, tried = server.lm, []
    if not chat:
        tried.append(LIKELIHOOD)
        if await _has_likelihoods(server):
            return {"choice": LIKELIHOOD, "reply": PREFIX}
    prompt = _greeting(chat)
    for guide in GUIDES:
        tried.append(guide.name)
        own = settings(kwargs, guide, PROBES)
        body = server.payload(message(lm, prompt, own), own)
        outcome = await server.ask(body, lambda outputs: read_answer(lm, outputs))
        _check_reached(lm, outcome)
        if not isinstance(outcome, Answer):
            continue
        if label_written(outcome.text, thinking)[1] not in PROBES:
            continue
        if not chat:
            return {"choice": guide.name, "reply": PREFIX}
        if guide.begins is None:
            return {"choice": guide.name, "reply": NAMED}
        begun = _greeting(chat, f"[{PROBES[0]}]")
        short = {**kwargs, "max_gen_toks": 1}
        body = server.payload(message(lm, begun, short), {**short, **guide.begins})
        outcome = await server.ask(body, lambda outputs: read_answer(lm, outputs))
        _check_reached(lm, outcome)
        if isinstance(outcome, Answer):
            return {"choice": guide.name, "reply": PREFIX}
    raise ModelError(
        f"{address(lm)}: the forced tasks cannot be asked here: the server obeyed none of"
        f" {', '.join(tried)}; take one that does (vLLM, llama.cpp's server, OpenAI), or --model hf"
    )


async def _has_likelihoods(server: Server) -> bool:
    """Whether the server gives the log-likelihoods of a prompt."""
    lm = server.lm
    if lm.tokenizer is None:
        return False
    try:
        pair = lm._encode_pair("Hello", " there")
        tokens, lengths, _ = lm.batch_loglikelihood_requests([[(("Hello", " there"), *pair)]])
    except (NotImplementedError, AssertionError):
        return False

    def read(outputs: object) -> tuple[float, bool] | None:
        answer = read_likelihood(lm, outputs, tokens, lengths)
        return None if isinstance(answer, Failure) else answer

    outcome = await server.ask(server.payload(tokens[0], None, generate=False), read)
    _check_reached(lm, outcome)
    return isinstance(outcome, tuple)


def _check_reached(lm: LM, outcome: object) -> None:
    """Raise ModelError where no way at all could be tried: nothing answers, or the key is wrong."""
    if not isinstance(outcome, Failure):
        return
    # An error 500 may be all that a server says of a parameter it does not know.
    lost = outcome.kind == "server" and not outcome.reason.startswith("HTTP")
    if lost or outcome.kind in ("final", "busy"):
        raise ModelError(f"{address(lm)}: {outcome.detail}; no request was answered")


def _greeting(chat: bool, begun: str = "") -> "str | JsonChatStr":
    from lm_eval.models.api_models import JsonChatStr

    if not chat:
        return "Hello"
    messages = [{"role": "user", "content": "Hello"}]
    messages += [{"role": "assistant", "content": begun}] if begun else []
    return JsonChatStr(json.dumps(messages))
