"""What a customer is, whoever plays it: it is told the conversation so far, and says something, or
ends it.
"""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from csc_tasks.conversation import Conversation
from csc_tasks.live.dialogue import Brief, LiveTurn

RECORDED, SCRIPTED, SAME = "recorded", "scripted", "same"
"""The customers that need no model, and the one that is played by the evaluated model's server."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one customer plays: the recorded conversation, its brief, and which repeat it is."""

    conversation: Conversation
    brief: Brief
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """What a customer does. ending: how it ends the conversation, "" where it goes on. goal:
    whether it says that it reached its aim, None where it says nothing of it. unfit: nothing that
    it has to say fits. failed: why there is no move.
    """

    text: str
    ending: str = ""
    goal: bool | None = None
    unfit: bool = False
    failed: str = ""


class Customer(Protocol):
    """Plays customers, any number at once."""

    def answer(self, part: Part, turns: tuple[LiveTurn, ...]) -> "Future[Move]":
        """What the customer does after these turns, as soon as it is known."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def known(move: Move) -> "Future[Move]":
    """A move that is there at once."""
    future: Future[Move] = Future()
    future.set_result(move)
    return future
