"""The twelve names as the beginnings of a reply, and a choice among them that is forced.

A forced request is asked twice. First for the twelve names: the strategy is the one whose `[name]`,
up to and including the closing bracket, is the likeliest text after the prompt (summed over its
tokens, which are those of prompt and name encoded together; with the bracket no name is the
beginning of another). Then for the reply, after the prompt and that `[name]`. The space behind the
bracket is the model's to write: most vocabularies have it in the token of the word that follows.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_eval.api.model import LM

from csc_tasks.errors import ModelError
from csc_tasks.framework import STRATEGIES, STRATEGY_IDS
from csc_tasks.languages import language
from csc_tasks.languages.labels import strategy_name
from csc_tasks.play.requests import PlayInstance

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

LIKELIHOOD = "log-likelihood"
PREFIX, NAMED = "prefix", "named"
"""How a reply follows the choice: after the name, which the model is given as the beginning of its
own message; or with the strategy named at the end of the last message, where a server lets nobody
begin its messages.
"""


def options(request: PlayInstance) -> list[str]:
    """The twelve continuations. A chat template ends where the reply starts; plain text ends with a
    colon and wants a space.
    """
    space = "" if request.templated else " "
    return [
        f"{space}[{strategy_name(strategy.id, request.prompt.language)}]" for strategy in STRATEGIES
    ]


def longest_name(request: PlayInstance) -> int:
    """No option has more tokens than this: a token is at least one byte."""
    return 1 + max(len(option.strip().encode()) for option in options(request))


def begun(request: PlayInstance, prompt: "str | JsonChatStr") -> "str | JsonChatStr":
    """The prompt of a forced request after its strategy was chosen."""
    assert request.chosen is not None, "a reply is begun with the strategy that was chosen"
    strategy = request.chosen.strategy
    option = options(request)[STRATEGY_IDS.index(strategy)]
    if isinstance(prompt, str):
        return prompt + option
    code = request.prompt.language
    messages = json.loads(prompt.prompt)
    if request.forcing and request.forcing["reply"] == NAMED:
        words = language(code).words.GIVEN_STRATEGY.format(name=strategy_name(strategy, code))
        messages[-1]["content"] += f"\n{words}"
    else:
        messages.append({"role": "assistant", "content": option})
    return prompt._replace(prompt=json.dumps(messages, ensure_ascii=False))


def check_forced(lm: LM, requests: Sequence[PlayInstance]) -> bool:
    """Whether these are forced requests. Raises ModelError for a model whose replies nobody can
    begin.
    """
    if not any(request.forced for request in requests):
        return False
    if getattr(lm, "enable_thinking", None):
        raise ModelError(
            "enable_thinking=True: a forced choice is made where the reply begins, and its name"
            " would stand inside the thought; leave enable_thinking out"
        )
    if getattr(lm, "backend", "causal") != "causal":
        raise ModelError(
            "this is an encoder-decoder model: its reply cannot be begun with the name of a"
            " strategy, so the forced tasks are not for it"
        )
    for request in requests:
        request.chosen = None
        request.forcing = {"choice": LIKELIHOOD, "reply": PREFIX}
    return True
