"""A conversation as the audit looks at it: the customer's turns with what stood before each, as
words and sentences.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.languages import language as language_of
from csc_tasks.live import Brief, LiveDialogue, LiveTurn
from csc_tasks.live.dialogue import CAP
from csc_tasks.metrics.segment import chinese_tokens, words

RECORDED = "recorded human"
"""What the customer of a recorded conversation is called."""
_SENTENCE_END = re.compile(r"(?<=[.!?。！？…])[\"')\]]*(?:\s+|(?<=[。！？…]))|\n+")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the customer: its text, words (characters in scripts without spaces), how many
    sentences it has, and all that the supporter said since the customer's last turn ("" before the
    first).
    """

    text: str
    words: tuple[str, ...]
    sentences: int
    before: str


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation: its customer's turns."""

    conversation_id: str
    language: str
    brief: Brief | None
    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """All that the customer says, a turn a line."""
        return "\n".join(turn.text for turn in self.turns)


def talk_of(dialogue: LiveDialogue, language: str) -> Talk:
    """The customer's side of a dialogue. Neighbouring turns of one speaker are one: where a person
    sends two messages in a row, a played customer writes one.
    """
    split = words if language_of(language).text.spaced else chinese_tokens
    turns = []
    before: list[str] = []
    said: list[str] = []
    for turn in (*dialogue.turns, None):
        if turn is not None and turn.speaker == CUSTOMER:
            if turn.text.strip():
                said.append(turn.text)
            continue
        if said:
            text = "\n".join(said)
            turns.append(Turn(text, tuple(split(text)), sentences(text), "\n".join(before)))
            before, said = [], []
        if turn is not None:
            before.append(turn.text)
    return Talk(dialogue.conversation_id, language, dialogue.brief, tuple(turns))


def sentences(text: str) -> int:
    """How many sentences a text has; 1 where no mark says."""
    parts = _SENTENCE_END.split(text)
    return max(1, sum(any(map(str.isalnum, part)) for part in parts))


def recorded_dialogue(conversation: Conversation, brief: Brief | None = None) -> LiveDialogue:
    """A recorded conversation as a dialogue with a human customer. How it ended nobody noted."""
    turns = tuple(LiveTurn(turn.speaker, turn.text) for turn in conversation.dialogue)
    return LiveDialogue(
        conversation_id=conversation.conversation_id,
        customer=RECORDED,
        brief=brief,
        turns=turns,
        ending=CAP,
        language=conversation.language,
    )


def talks_of(dialogues: Iterable[LiveDialogue], language: str) -> list[Talk]:
    """`talk_of` each of them."""
    return [talk_of(dialogue, language) for dialogue in dialogues]
