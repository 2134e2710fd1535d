"""Prompts and targets as the tokens of one model: the context is, token by token, what lm_eval's hf
backend sends at evaluation.

A target is what the model should write after the prompt, up to and including the mark that ends its
turn. Templates that make a model think are told not to; one that opens a thinking block in the
prompt all the same gets targets that close it at once, so that thinking is never trained on and
every reply can still be read. How models think is known to csc_tasks.thinking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from csc_tasks import thinking
from csc_tasks.errors import ModelError
from csc_tasks.languages import language
from csc_tasks.prompts import DATE, AnswerPrompt, ChatTemplate, TurnPrompt, of_tokenizer, opening
from csc_tasks.stops import special_tokens, through_first
from csc_tasks.thinking import Thinking, closes, opened_by
from csc_tasks.tokens import shared_prefix

_PROBE = "assistant-message-probe"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One prompt and its target as token ids; the first `tag` tokens of the target name the
    strategy (0: not counted, or none).
    """

    prompt: list[int]
    target: list[int]
    tag: int = 0

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


class Rendering:
    """How one tokenizer shows prompts and targets.

    templated: whether the chat template is applied (lm_eval's --apply_chat_template). tags: whether
    the tokens that name a strategy are counted. today: the date that a template is given
    (csc_date). `opening` and `end` stand around every target.
    """

    def __init__(self, tokenizer, templated: bool, tags: bool = False, today: str = DATE) -> None:
        if templated and not getattr(tokenizer, "chat_template", None):
            raise ModelError(
                "this tokenizer has no chat template: take an instruction-tuned model, or train on"
                " plain text with chat_template: false and style: single"
            )
        self.tokenizer = tokenizer
        self.templated = templated
        self.tags = tags
        self.today = today
        self.template_arguments = dict(thinking.of_tokenizer(tokenizer).switch) if templated else {}
        self.thinking = (
            thinking.of_tokenizer(tokenizer, self.template_arguments) if templated else Thinking()
        )
        self.template = (
            ChatTemplate(of_tokenizer(tokenizer, **self.template_arguments), today)
            if templated
            else None
        )
        self.opening, self.end = "", ""
        if self.template is None:
            self.end = _eos(tokenizer)
        else:
            self.opening, self.end = self._around_targets(self.template)

    @property
    def takes_system(self) -> bool:
        """Whether prompts show a system message as one; without a template they do."""
        return self.template is None or self.template.shows_system

    @property
    def date(self) -> str | None:
        """The date in prompts; None where the template prints none."""
        return (
            self.template.today if self.template is not None and self.template.prints_date else None
        )

    @property
    def closes_thinking(self) -> bool:
        """Whether targets start by closing a thinking block that the template opens in the
        prompt.
        """
        return bool(self.thinking.opened)

    def exchanges(
        self, prompts: Sequence[tuple[TurnPrompt | AnswerPrompt, str]], drop: int = 0
    ) -> list[Exchange]:
        """Prompts, each with its target's text, as token ids; `drop` oldest turns of history are
        left out.
        """
        if not prompts:
            return []
        asked = [self.text(prompt, drop) for prompt, _ in prompts]
        wanted = [self._target(prompt, target) for prompt, target in prompts]
        heads = encode(self.tokenizer, asked)
        wholes = encode(
            self.tokenizer, [text + target for text, target in zip(asked, wanted, strict=True)]
        )
        named = [self._tag(prompt) if self.tags else "" for prompt, _ in prompts]
        tags = (
            encode(self.tokenizer, [text + tag for text, tag in zip(asked, named, strict=True)])
            if self.tags
            else heads
        )
        exchanges = []
        for head, whole, with_tag, target, tag in zip(
            heads, wholes, tags, wanted, named, strict=True
        ):
            if whole[: len(head)] == head:
                shared = shared_prefix(with_tag, whole)
                exchanges.append(Exchange(head, whole[len(head) :], max(0, shared - len(head))))
                continue
            # Where tokens run over the end of the prompt, the target is encoded by itself:
            # evaluation never sees such a token either.
            tail, tag_alone = (
                self.tokenizer(text, add_special_tokens=False)["input_ids"]
                for text in (target, tag)
            )
            exchanges.append(Exchange(head, tail, shared_prefix(tag_alone, tail)))
        return exchanges

    def text(self, prompt: TurnPrompt | AnswerPrompt, drop: int = 0) -> str:
        """The prompt as lm_eval renders it, `drop` oldest turns left out."""
        messages = prompt.messages(drop)
        if self.template is None:
            return prompt.plain(messages)
        # A template of a tokenizer gives text, unlike one that a server renders.
        return str(self.template(messages))

    def _target(self, prompt: TurnPrompt | AnswerPrompt, target: str) -> str:
        # Plain text goes on after a colon as the history's lines do: with a space where the
        # language has them.
        space = "" if self.templated or not language(prompt.language).text.spaced else " "
        return self.opening + space + target + self.end

    def _tag(self, prompt: TurnPrompt | AnswerPrompt) -> str:
        """What of a target names its strategy, as text; "" for an answer to a question."""
        if isinstance(prompt, AnswerPrompt):
            return ""
        strategy = prompt.conversation.dialogue[prompt.turn].strategy
        named = opening(strategy, prompt.language, prompt.form)
        return self._target(prompt, named).removesuffix(self.end)

    def _around_targets(self, template: ChatTemplate) -> tuple[str, str]:
        """What the template writes between a prompt and the assistant's text, and after the text up
        to the mark that ends the turn.
        """
        asked = [{"role": "user", "content": "probe"}]
        prompt = str(template.render(asked))
        answer = {"role": "assistant", "content": _PROBE}
        whole = str(template.render([*asked, answer], answered=True))
        before, probe, after = whole.rpartition(_PROBE)
        if not probe:
            raise ModelError(
                "this tokenizer's chat template does not show what the assistant said; it cannot be"
                " trained on"
            )
        opening = (
            before[len(prompt) :] if whole.startswith(prompt) and len(before) >= len(prompt) else ""
        )
        # Some templates show even an answer inside the thought that the prompt opens.
        opening += closes(opened_by(prompt + opening))
        return opening, through_first(after, special_tokens(self.tokenizer)) or _eos(self.tokenizer)


def encode(tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids of prompts, as HFLM.tok_batch_encode: nothing is added to a text that opens with
    the beginning-of-text mark already.
    """
    bos = getattr(tokenizer, "bos_token", None)
    more = {"add_special_tokens": False} if bos and texts[0].startswith(bos) else {}
    return tokenizer(texts, **more)["input_ids"]


def _eos(tokenizer) -> str:
    if not tokenizer.eos_token:
        raise ModelError(
            "this tokenizer has no end-of-text token (eos_token), so a model could not learn where"
            " a reply ends"
        )
    return tokenizer.eos_token
