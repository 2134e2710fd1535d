"""Turns by name: `CONVERSATION/TURN`, the position of a supporter turn in its dialogue or of a
question in its conversation. `csc_turns` restricts a run to some, and `csc verify --rerun` draws
them.
"""

from collections.abc import Collection, Sequence
from typing import TypeVar

from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError
from csc_tasks.question import Question

Item = TypeVar("Item", Conversation, Question)


def turn_name(conversation_id: str, turn: int) -> str:
    """The name of a turn or question."""
    return f"{conversation_id}/{turn}"


def names_of(item: Conversation | Question) -> list[str]:
    """The names of an item's scored turns, in their order."""
    turns = [item.turn_index] if isinstance(item, Question) else item.scored_turns()
    return [turn_name(item.conversation_id, turn) for turn in turns]


def with_named(items: Sequence[Item], names: Collection[str] | None) -> list[Item]:
    """The items that have one of the turns; all where none are named. Raises DataError where no
    item has one.
    """
    if names is None:
        return list(items)
    chosen = [item for item in items if not set(names).isdisjoint(names_of(item))]
    if not chosen:
        raise DataError(
            f"csc_turns: no turn of this corpus is named {next(iter(names), '')!r}; a turn is"
            " CONVERSATION/TURN, as in the samples of a run"
        )
    return chosen


def asked_turns(item: Conversation, names: Collection[str] | None, generated: bool) -> list[int]:
    """The scored turns of a conversation that are asked for: those named, or all where none are.

    In generated context the model's own earlier replies are history, so all turns up to the last
    named one are asked for.
    """
    turns = item.scored_turns()
    if names is None:
        return turns
    named = [t for t in turns if turn_name(item.conversation_id, t) in names]
    return [t for t in turns if t <= max(named, default=-1)] if generated else named
