"""Conversation or question -> prompt. Rendering only; the words are in
`languages/<code>/prompts.yaml`.

Tasks and trainer use the same two classes, `TurnPrompt` and `AnswerPrompt`, so that training and
evaluation prompts cannot drift. Their `messages()` are what a chat template takes;
`plain(messages)` is the same prompt for a model without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from csc_tasks.conversation import HELD_OUT, Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import Wording, language
from csc_tasks.languages.labels import definition, strategy_name
from csc_tasks.prompts.forms import TEXT, ask_again_line, format_line, tagged
from csc_tasks.prompts.reply import Reply
from csc_tasks.question import Question
from csc_tasks.shapes import CUSTOMER, SUPPORTER

Messages = list[dict[str, str]]
SPOKEN = "spoken"
"""The style of prompts for deployed agents: what was said as messages, and no instructions."""


@dataclass(frozen=True, slots=True)
class TurnPrompt:
    """The prompt for one supporter turn: everything said before `dialogue[turn]`.

    style: "single" (one prompt), "chat" (system message, then the turns as messages) or SPOKEN.
    variant: "predict" (choose a strategy and reply), "vanilla" (no strategies anywhere), "oracle"
    (the gold strategy is given) (Table 8). form: how a strategy and a reply are asked for and stand
    in the history, "text", "json" or "several" (csc_tasks/prompts/forms.py).
    """

    conversation: Conversation
    turn: int
    style: str = "single"
    variant: str = "predict"
    form: str = TEXT

    @property
    def names_strategy(self) -> bool:
        """Whether the model is to write a strategy beside its reply."""
        return self.variant == "predict"

    @property
    def language(self) -> str:
        """The conversation's language code."""
        return self.conversation.language

    def droppable(self) -> int:
        """How many whole turns of history could be left out, oldest first."""
        return self.turn

    def messages(self, drop: int = 0, replies: Mapping[int, Reply] | None = None) -> Messages:
        """Chat messages; `drop` oldest turns are left out, and `replies` (turn position -> reply)
        replace gold supporter turns.
        """
        history = [self._said(i, replies or {}) for i in range(drop, self.turn)]
        if self.style == "single":
            return single(self, history)
        messages = chat(self, history)
        return messages[1:] if self.style == SPOKEN else messages

    def asked_again(self, messages: Messages, unread: Reply) -> Messages:
        """`messages`, a reply to them in which no strategy could be read, and the form once more:
        in `chat` as messages, in `single` as text.
        """
        words = language(self.language).words
        shown = unread.text or words.NO_REPLY
        hint = ask_again_line(self.language, self.form)
        if self.style == "chat":
            return [*messages, {"role": "assistant", "content": shown}, user(hint)]
        said = " ".join(shown.splitlines())
        *before, last = messages
        return [*before, user("\n\n".join([f"{last['content']}\n{said}", hint, words.TAIL]))]

    def plain(self, messages: Messages) -> str:
        """`messages` as text: `single` as it is, `chat` as lines that end where the supporter
        speaks.
        """
        words = language(self.language).words
        head = [message["content"] for message in messages if message["role"] == "system"]
        rest = [message for message in messages if message["role"] != "system"]
        if self.style == "single":
            return "\n\n".join([*head, *(message["content"] for message in rest)])
        lines = [
            speaker_line(CUSTOMER if m["role"] == "user" else SUPPORTER, m["content"], words)
            for m in rest
        ]
        return "\n\n".join([*head, "\n".join([*lines, words.SUPPORTER.rstrip()])])

    def stops(self) -> list[str]:
        """Where a model without a chat template starts somebody's next line."""
        words = language(self.language).words
        return ["\n" + words.CUSTOMER.rstrip(), "\n" + words.SUPPORTER.rstrip()]

    def given_strategy(self) -> str | None:
        """The gold strategy's name in the oracle variant, else None."""
        return (
            strategy_name(self.conversation.dialogue[self.turn].strategy, self.language)
            if self.variant == "oracle"
            else None
        )

    def target(self) -> str:
        """The gold reply in the format the prompt asks for; HELD_OUT where it is held out."""
        gold = self.conversation.dialogue[self.turn]
        if gold.held_out:
            return HELD_OUT
        return (
            tagged(gold.strategy, gold.text, self.language, self.form)
            if self.names_strategy
            else gold.text
        )

    def _said(self, position: int, replies: Mapping[int, Reply]) -> tuple[str, str]:
        turn = self.conversation.dialogue[position]
        strategy, text = turn.strategy, turn.text
        several: tuple[str, ...] = ()
        if position in replies:
            reply = replies[position]
            strategy, text = (
                ("", language(self.language).words.NO_REPLY)
                if reply.empty
                else (reply.strategy or "", reply.text)
            )
            several = reply.strategies
        elif turn.held_out:
            raise DataError(
                f"{self.conversation.conversation_id}: turn {position} is held out, so it cannot"
                " stand in a history"
            )
        return turn.speaker, (
            tagged(strategy, text, self.language, self.form, several)
            if self.variant != "vanilla"
            else text
        )


@dataclass(frozen=True, slots=True)
class AnswerPrompt:
    """The prompt for one question. context: "summary", "full" (whole history), "last" (its last
    four turns), "none", or "grounded" (the summary, and before it `passages`, the best first).
    """

    question: Question
    style: str = "single"
    context: str = "summary"
    passages: tuple[str, ...] = ()

    LAST_TURNS = 4

    @property
    def language(self) -> str:
        """The question's language code."""
        return self.question.language

    def droppable(self) -> int:
        """How many whole turns of history could be left out, oldest first; of passages, those that
        fit least first.
        """
        return len(self.passages if self.context == "grounded" else self._history())

    def messages(self, drop: int = 0, replies: Mapping[int, Reply] | None = None) -> Messages:
        """Chat messages; `drop` oldest turns of a full or last-turns history are left out, or the
        last `drop` passages. `replies` has no meaning here.
        """
        words = language(self.language).words
        instruction = self.question.instruction.strip() or words.QA_INSTRUCTION
        parts = []
        if self.context == "grounded":
            parts.append(
                "\n".join([words.QA_PASSAGES, *(self._passages(drop) or [words.QA_NOTHING])])
            )
        if self.context in ("summary", "grounded"):
            parts.append(
                f"{words.QA_SUMMARY}\n{self.question.history_summary.strip() or words.QA_NOTHING}"
            )
        elif self.context != "none":
            lines = [
                speaker_line(turn.speaker, turn.text, words) for turn in self._history()[drop:]
            ]
            parts.append("\n".join([words.QA_HISTORY, *(lines or [words.QA_NOTHING])]))
        parts += [f"{words.QA_QUESTION}\n{self.question.client_question.strip()}", words.QA_TAIL]
        if self.style == "single":
            return [user("\n\n".join([instruction, *parts]))]
        asked = user("\n\n".join(parts))
        return [asked] if self.style == SPOKEN else [system(instruction), asked]

    def plain(self, messages: Messages) -> str:
        """`messages` as text."""
        return "\n\n".join(message["content"] for message in messages)

    def stops(self) -> list[str]:
        """Where a model without a chat template starts the customer's next line."""
        words = language(self.language).words
        return ["\n" + words.CUSTOMER.rstrip(), "\n" + words.QA_QUESTION]

    def shown(self, drop: int = 0) -> tuple[str, ...]:
        """The passages that stand in `messages(drop)`."""
        return self.passages[: len(self.passages) - drop]

    def _passages(self, drop: int) -> list[str]:
        passage = language(self.language).words.QA_PASSAGE
        return [
            passage.format(number=number, text=text.strip())
            for number, text in enumerate(self.shown(drop), 1)
        ]

    def _history(self) -> tuple[Turn, ...]:
        if self.context not in ("full", "last"):
            return ()
        return (
            self.question.conversation_history[-self.LAST_TURNS :]
            if self.context == "last"
            else self.question.conversation_history
        )


def instructions(code: str, variant: str, form: str = TEXT) -> str:
    """What is asked, the strategy table and the reply format: the part every prompt of a language
    shares, so that it comes first.
    """
    words = language(code).words
    if variant == "vanilla":
        return f"{words.TASK_WITHOUT_STRATEGY}\n\n{words.FORMAT_WITHOUT_STRATEGY}"
    table = "\n".join(
        words.STRATEGY.format(
            number=s.number, name=strategy_name(s.id, code), definition=definition(s.id, code)
        )
        for s in STRATEGIES
    )
    if variant == "oracle":
        return (
            f"{words.TASK_GIVEN_STRATEGY}\n\n{words.STRATEGIES}\n{table}"
            f"\n\n{words.FORMAT_WITHOUT_STRATEGY}"
        )
    return f"{words.TASK}\n\n{words.STRATEGIES}\n{table}\n\n{format_line(code, form)}"


def single(prompt: TurnPrompt, history: list[tuple[str, str]]) -> Messages:
    """One prompt: instructions, history, short tail. Each prompt of a conversation repeats the one
    before up to its tail.

    That is why an empty history is just empty: a line that says so would be in the way of the next
    prompt.
    """
    words = language(prompt.language).words
    lines = [speaker_line(speaker, text, words) for speaker, text in history]
    given = prompt.given_strategy()
    tail = words.TAIL_GIVEN_STRATEGY.format(name=given) if given else words.TAIL
    return [
        user(
            "\n\n".join(
                [
                    instructions(prompt.language, prompt.variant, prompt.form),
                    "\n".join([words.HISTORY, *lines]),
                    tail,
                ]
            )
        )
    ]


def chat(prompt: TurnPrompt, history: list[tuple[str, str]]) -> Messages:
    """System message, then the turns as messages, neighbours of one role joined.

    Many chat templates demand that a user speaks first and last; where the supporter does, a stage
    direction stands in for the customer.
    """
    words = language(prompt.language).words
    messages: Messages = [system(instructions(prompt.language, prompt.variant, prompt.form))]
    if not history or history[0][0] == SUPPORTER:
        messages.append(user(words.OPENING if len(history) == prompt.turn else words.EARLIER))
    for speaker, text in history:
        role = "user" if speaker == CUSTOMER else "assistant"
        if messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append({"role": role, "content": text})
    if messages[-1]["role"] == "assistant":
        messages.append(user(words.CONTINUE))
    given = prompt.given_strategy()
    if given:
        messages[-1]["content"] += "\n" + words.GIVEN_STRATEGY.format(name=given)
    return messages


def speaker_line(speaker: str, text: str, words: Wording) -> str:
    """One line per turn: a line break inside a turn would let its text pose as somebody else's
    turn.
    """
    return (words.CUSTOMER if speaker == CUSTOMER else words.SUPPORTER) + " ".join(
        text.splitlines()
    )


def system(text: str) -> dict[str, str]:
    """A system message."""
    return {"role": "system", "content": text}


def user(text: str) -> dict[str, str]:
    """A user message."""
    return {"role": "user", "content": text}
