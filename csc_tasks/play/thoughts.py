"""Models that think aloud, in play: what is done about the thinking, and how a backend's text keeps
the marks that tell it apart.

Without `csc_think_tokens` thinking is switched off where the chat template has a switch for it and
the user did not set that switch: replies stay comparable, `max_gen_toks` means the same for every
model, and greedy decoding is nothing thinking models are made for. A model that thinks all the same
gets THINK_TOKENS more tokens for it. One line says which, and so do the results.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs

from csc_tasks import thinking
from csc_tasks.play.eligible import is_hf
from csc_tasks.play.requests import PlayInstance
from csc_tasks.prompts import Apply
from csc_tasks.thinking import CUT, Thinking

log = logging.getLogger("lm_eval.csc_tasks")

THINK_TOKENS = 2048
"""What a model that thinks gets in addition to max_gen_toks, where `csc_think_tokens` does not say
otherwise.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done about a model's thinking.

    thinking: how it thinks, with the switch set. switch: the template arguments that were set to
    switch it off. tokens: how many more tokens a reply may have. line: what the user is told; ""
    where there is nothing to tell. strips: the backend itself takes the thinking out of its text.
    """

    thinking: Thinking
    switch: Mapping[str, object]
    tokens: int
    line: str
    strips: bool = False

    def stated(self) -> dict[str, Any]:
        """What the results say."""
        family = self.thinking.family.name if self.thinking.family else None
        return {
            "family": family,
            "thinks": self.thinking.thinks,
            "switched_off": dict(self.switch),
            "tokens": self.tokens,
        }


def plan(lm: LM, requests: Sequence[PlayInstance], chooses: bool = False) -> Plan:
    """What to do about the thinking of lm_eval's model `lm` for these requests."""
    templated = any(request.templated for request in requests)
    asked = next(
        (
            request.settings.think_tokens
            for request in requests
            if request.settings.think_tokens is not None
        ),
        None,
    )
    given = template_arguments(lm, requests)
    how = of_model(lm, given, templated)
    switch: Mapping[str, object] = {}
    if (
        how.switch
        and not asked
        and renders(lm)
        and all(given.get(name) is None for name in how.switch)
    ):
        switch = how.switch
        how = of_model(lm, {**given, **switch}, templated)
    closing, strips = _end_mark(lm)
    how = replace(how, closing=closing)
    tokens = 0 if chooses else _tokens(lm, how, asked)
    line = "" if chooses and not switch else _line(how, switch, tokens, asked)
    if chooses and asked and any(request.forced for request in requests):
        line = (
            f"csc_think_tokens={asked} changes nothing where the strategy is forced: it is chosen"
            " where the reply begins, after a thought that is closed at once"
        )
    return Plan(how, switch, tokens, line, strips)


def of_model(lm: LM, arguments: Mapping[str, object], templated: bool) -> Thinking:
    """How lm_eval's model thinks when its chat template is given `arguments`."""
    tokenizer = getattr(lm, "tokenizer", None)
    if thinking.chat_template(tokenizer) and hasattr(tokenizer, "apply_chat_template"):
        how = thinking.of_tokenizer(tokenizer, arguments)
        return how if templated else Thinking(how.family)
    name = getattr(lm, "model", None)
    return thinking.of_name(name) if templated and isinstance(name, str) else Thinking()


def template_arguments(lm: LM, requests: Sequence[PlayInstance]) -> dict[str, object]:
    """What the user has given to the chat template.

    By --model_args (`enable_thinking`, `chat_template_args`), or to a server by --gen_kwargs
    (`chat_template_kwargs`).
    """
    sent = requests[0].arguments[1].get("chat_template_kwargs") if requests else None
    given = dict(getattr(lm, "chat_template_args", None) or {}) | (
        sent if isinstance(sent, dict) else {}
    )
    if getattr(lm, "enable_thinking", None) is not None:
        given["enable_thinking"] = lm.enable_thinking
    return given


def budgeted(lm: LM, requests: Sequence[PlayInstance], plan: Plan) -> None:
    """Give every request the plan's tokens on top of its own limit."""
    for request in {id(request): request for request in requests}.values():
        request.thought = plan.stated()
        if plan.tokens:
            prompt, kwargs = request.arguments
            limit = normalize_gen_kwargs(kwargs, getattr(lm, "max_gen_toks", 256))["max_gen_toks"]
            others = {name: value for name, value in kwargs.items() if name not in _LIMITS}
            request.arguments = (prompt, others | {"max_gen_toks": limit + plan.tokens})


_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


@contextmanager
def as_planned(lm: LM, plan: Plan) -> Iterator[None]:
    """While it lasts the chat template gets the plan's switch, and the text of replies keeps what
    tells thinking from the reply.

    lm_eval's own `think_end_token` is set aside where its text alone is left: whether the thinking
    ended has to be seen.
    """
    changes: list[tuple[object, str, object]] = []
    if plan.switch:
        changes.append(
            (
                lm.tokenizer,
                "apply_chat_template",
                _switched(lm.tokenizer.apply_chat_template, plan.switch),
            )
        )
    if hasattr(lm, "parse_generations"):
        changes.append((lm, "parse_generations", _with_reasoning(lm.parse_generations)))
    if is_hf(lm):
        changes.append((lm, "tok_decode", _with_marks(lm)))
    if plan.strips:
        changes.append((lm, "_model_generate", _with_cuts(lm._model_generate, plan.thinking)))
    elif getattr(lm, "think_end_token", None) is not None:
        changes.append((lm, "think_end_token", None))
    before = [(target, name, vars(target).get(name, _ABSENT)) for target, name, _ in changes]
    for target, name, value in changes:
        setattr(target, name, value)
    try:
        yield
    finally:
        for target, name, value in before:
            if value is _ABSENT:
                delattr(target, name)
            else:
                setattr(target, name, value)


_ABSENT = object()


def renders(lm: LM) -> bool:
    """Whether the prompt is rendered here; chat APIs render it themselves."""
    return not hasattr(lm, "parse_generations") or bool(getattr(lm, "tokenized_requests", False))


def _tokens(lm: LM, how: Thinking, asked: int | None) -> int:
    if asked is not None:
        return asked if how.thinks is not False else 0
    if how.thinks is not True:
        return 0
    limit = getattr(lm, "max_length", None)
    if not renders(lm) or not isinstance(limit, int):
        return THINK_TOKENS
    # A short model still needs room for the prompt.
    return min(THINK_TOKENS, limit // 4)


def _line(how: Thinking, switch: Mapping[str, object], tokens: int, asked: int | None) -> str:
    if switch:
        set_to = ", ".join(f"{name}={value}" for name, value in switch.items())
        return (
            f"this model can think aloud: switched off in its chat template ({set_to});"
            " csc_think_tokens=N lets it think for N tokens"
        )
    if how.thinks is True:
        opens = (
            f"this model's template opens a thinking block ({how.opened})"
            if how.opened
            else "this model thinks before it replies"
        )
        if tokens:
            return f"{opens}: each reply may have {tokens:,} tokens more for it (csc_think_tokens)"
        return (
            f"{opens}, and gets no tokens for it (csc_think_tokens=0): what does not reply at once"
            " counts as thinking_cut"
        )
    if how.thinks is None and how.family is not None:
        if tokens:
            return (
                f"this model may think before it replies: each reply may have {tokens:,} tokens"
                " more for it (csc_think_tokens)"
            )
        return (
            f"this model may think before it replies ({how.family.opening}): csc_think_tokens=N"
            " would give it N tokens more for that"
        )
    if asked and how.thinks is False:
        return (
            f"csc_think_tokens={asked} changes nothing: by its chat template this model does not"
            " think aloud"
        )
    return (
        f"each reply may have {tokens:,} tokens more for thinking (csc_think_tokens)"
        if tokens
        else ""
    )


def _end_mark(lm: LM) -> tuple[str, bool]:
    """(the closing mark that the user named with think_end_token, whether the backend's text has
    lost it before it is seen here).
    """
    end = getattr(lm, "think_end_token", None)
    if end is None:
        return "", False
    if is_hf(lm):
        return "" if isinstance(end, int) else end, False
    return str(end), not hasattr(lm, "parse_generations") and hasattr(lm, "_model_generate")


def _switched(apply: Apply, switch: Mapping[str, object]) -> Apply:
    """The tokenizer's `apply_chat_template` with arguments that no caller has set (vLLM's backend
    passes None where it has nothing).
    """

    def apply_chat_template(*args: Any, **kwargs: Any) -> Any:
        unset = {name: value for name, value in switch.items() if kwargs.get(name) is None}
        return apply(*args, **{**kwargs, **unset})

    return apply_chat_template


def _with_marks(lm: LM) -> Callable[..., str]:
    """HFLM's `tok_decode`, which drops special tokens, with the marks of thinking left in the
    text.
    """
    decode, marks = lm.tok_decode, thinking.special_marks(lm.tokenizer)
    if isinstance(lm.think_end_token, int):
        marks = marks | {lm.think_end_token: thinking.END}

    def tok_decode(tokens: list[int] | int, skip_special_tokens: bool = True) -> str:
        if not skip_special_tokens or isinstance(tokens, int) or not marks:
            text: str = decode(tokens, skip_special_tokens=skip_special_tokens)
            return text
        return thinking.decode(tokens, marks, decode)

    return tok_decode


def _with_reasoning(parse: Callable[..., Any]) -> Callable[..., Any]:
    """An API backend's `parse_generations`: lm_eval drops the thinking that a server sends apart,
    and with it why there is no reply.
    """

    def parse_generations(outputs: Any, **kwargs: Any) -> Any:
        several = outputs if isinstance(outputs, list) else [outputs]
        return parse(outputs=[_with_content(output) for output in several], **kwargs)

    return parse_generations


def _with_content(output: Any) -> Any:
    if not isinstance(output, dict) or not isinstance(output.get("choices"), list):
        return output
    choices = []
    for choice in output["choices"]:
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
            content = thinking.content_of(choice["message"], choice.get("finish_reason"))
            choice = choice | {"message": choice["message"] | {"content": content}}
        choices.append(choice)
    return output | {"choices": choices}


def _with_cuts(generate: Callable[..., Any], how: Thinking) -> Callable[..., Any]:
    """`_model_generate` of vLLM's and sglang's backends: a reply that ended inside its thinking is
    marked before lm_eval strips it.
    """

    def model_generate(*args: Any, **kwargs: Any) -> Any:
        outputs = generate(*args, **kwargs)
        for output in outputs if isinstance(outputs, list) else []:
            if isinstance(output, dict) and "text" in output:
                output["text"] = _or_cut(output["text"], how)
            elif hasattr(output, "outputs"):
                output.outputs[0].text = _or_cut(output.outputs[0].text, how)
        return outputs

    return model_generate


def _or_cut(text: str, how: Thinking) -> str:
    return CUT if thinking.separate(text, how).cut else text
