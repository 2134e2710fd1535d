"""The prompts of one model: by its chat template or as plain text, and short enough."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lm_eval.api.model import LM

from csc_tasks.errors import ModelError
from csc_tasks.play.api import chat_length
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.told import Told
from csc_tasks.prompts import DATE, Apply, ChatTemplate, Reply, TurnPrompt
from csc_tasks.thinking import CUT, Thinking, opened_by

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

log = logging.getLogger("lm_eval.csc_tasks")


TEMPLATE_MARGIN = 16
"""Tokens a tokenizer may add to a rendered prompt (beginning-of-text marks and the like), kept free
in the quick length check.
"""


class Renderer:
    """Prompts as one model takes them: chat template or plain text, and short enough.

    `encode` turns text into the model's tokens where the model's own `tok_encode` is not what its
    requests are encoded with.
    `thinking` is how the model thinks aloud; `strips` says that the backend takes its thinking out
    of the text, and `bridge` is put between a prompt and what follows it.
    """

    def __init__(
        self,
        lm: LM,
        chat_template: Apply | None,
        encode: Callable[[str], list[int]] | None = None,
        thinking: Thinking | None = None,
        strips: bool = False,
        bridge: str = "",
    ) -> None:
        self.lm = lm
        self.thinking = thinking or Thinking()
        self.strips = strips
        self.bridge = bridge
        self.chat_template = chat_template
        self._encode = encode or getattr(lm, "tok_encode", None)
        self._last: tuple[str, list[int]] = ("", [])
        self._template: ChatTemplate | None = None

    def render(
        self,
        request: PlayInstance,
        drop: int = 0,
        replies: dict[int, Reply] | None = None,
        unread: Reply | None = None,
    ) -> "str | JsonChatStr":
        """The prompt as text (or lm_eval's JSON chat string for chat APIs) with `drop` oldest turns
        left out. unread: a reply to it that is asked for again.
        """
        messages = request.prompt.messages(drop, replies)
        if unread is not None and isinstance(request.prompt, TurnPrompt):
            messages = request.prompt.asked_again(messages, unread)
        if request.system_instruction:
            if messages[0]["role"] == "system":
                messages[0]["content"] = f"{request.system_instruction}\n\n{messages[0]['content']}"
            else:
                messages.insert(0, {"role": "system", "content": request.system_instruction})
        if not request.templated:
            return request.prompt.plain(messages)
        template = self.template(request.settings.date)
        if isinstance(request.prompt, TurnPrompt) and request.prompt.style == "chat":
            # The first turns have no history yet, and a run must not end at a later one.
            template.check_history()
        prompt = template(messages)
        return prompt + self.bridge if isinstance(prompt, str) else prompt

    def reading(self, request: PlayInstance, cut: bool | None) -> Thinking:
        """How to read the reply to a request whose prompt was sent; `cut` by the token limit or
        not.
        """
        prompt = request.arguments[0]
        if isinstance(prompt, str):
            opened = "" if self.strips else opened_by(prompt)
        elif (
            cut
            and request.settings.think_tokens
            and self.thinking.thinks is None
            and self.thinking.family is None
        ):
            # The server's template is not known here. The user says that the model thinks, and it
            # used up all tokens for thinking and
            # reply: unless a mark says otherwise it was still thinking.
            opened = CUT
        else:
            opened = self.thinking.opened
        return (
            self.thinking
            if opened == self.thinking.opened
            else replace(self.thinking, opened=opened)
        )

    def template(self, today: str = DATE) -> ChatTemplate:
        """The chat template as prompts use it; what it does to them is said when it is first asked
        for. Only for a run that applies one.

        lm_eval drops a system message in silence where a template refuses it.
        """
        if self._template is None or self._template.today != today:
            assert self.chat_template is not None, "a templated request has a template"
            self._template = ChatTemplate(self.chat_template, today)
            if not self._template.shows_system:
                log.warning(
                    "this model's chat template takes no system message: instructions open the"
                    " first user message instead"
                )
            # A renderer without a model is a task's own; others follow it in the same run.
            if self.lm is None and self._template.needs_parts:
                log.info(
                    "csc: texts are sent as text parts, because this model's chat template shows no"
                    " other"
                )
            if self.lm is None and self._template.prints_date:
                log.info(
                    "csc: this model's chat template prints today's date: it is given %s"
                    " (csc_date)",
                    today,
                )
        return self._template

    def fitting(
        self,
        request: PlayInstance,
        reply_tokens: int,
        replies: dict[int, Reply] | None = None,
        told: Told | None = None,
        unread: Reply | None = None,
    ) -> "tuple[str | JsonChatStr, int | None]":
        """(prompt, turns dropped): the prompt with as few whole oldest turns left out as the
        model's length demands.

        `told` is what an API server's refusals have told, `unread` as in `render`. Turns dropped is
        None where nothing is known of the model's length. Raises ModelError when the instructions
        alone do not fit.
        """
        first = told.least if told else 0
        prompt = self.render(request, first, replies, unread)
        room = self._room(reply_tokens)
        if room is not None and self._measured(prompt, room) is None:
            room = None
        if room is None and told is None:
            return prompt, None

        def fits(prompt: "str | JsonChatStr") -> bool:
            if room is not None and (self._measured(prompt, room) or 0) > room:
                return False
            return told is None or told.fits(prompt, reply_tokens)

        if fits(prompt):
            return prompt, first
        low, high = first + 1, request.prompt.droppable()
        shortest = self.render(request, max(high, 0), replies, unread)
        bare = 0 if room is None else self._measured(shortest, room) or 0
        if room is not None and (high < 1 or bare > room):
            raise ModelError(
                f"{request.doc['conversation_id']}: instructions and question alone take {bare}"
                f" tokens, the model has room for {room} beside a reply of {reply_tokens}; use a"
                " model with a longer context, or a smaller max_gen_toks or csc_think_tokens"
            )
        # Where only the server's own numbers say that even this is too long, the server decides.
        while low < high:
            middle = (low + high) // 2
            if fits(self.render(request, middle, replies, unread)):
                high = middle
            else:
                low = middle + 1
        return self.render(request, high, replies, unread), high

    def tokens(self, prompt: str) -> list[int]:
        """The prompt's tokens; those of the prompt asked for last are kept, so that measuring and
        sending encode it once.
        """
        if self._last[0] != prompt:
            assert self._encode is not None, "a model whose tokens are asked for has a tokenizer"
            self._last = prompt, self._encode(prompt)
        return self._last[1]

    def _room(self, reply_tokens: int) -> int | None:
        limit = getattr(self.lm, "max_length", None)
        return limit - reply_tokens if isinstance(limit, int) else None

    def _measured(self, prompt: "str | JsonChatStr", room: int) -> int | None:
        """The prompt's tokens, or an upper bound that is within `room`; None where they cannot be
        counted.
        """
        if (
            isinstance(prompt, str)
            and hasattr(self.lm, "tok_encode")
            and getattr(self.lm, "tokenizer", None) is not None
        ):
            # A token is at least one byte, so most prompts need no tokenizer to be known to fit.
            bound = len(prompt.encode()) + TEMPLATE_MARGIN
            return bound if bound <= room else len(self.tokens(prompt))
        return chat_length(self.lm, prompt)
