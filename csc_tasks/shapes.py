"""The names under which data from elsewhere keep the parts of a conversation: the one table that
every reader uses.

A conversation is a list of turns under `dialogue`, `turns` or `messages`; a turn has `speaker` or
`role`, and `text`, `content` or
`utterance`. The two speakers go by the names in SPEAKERS, in any case; a strategy is an id, or a
name in any language.
"""

from collections.abc import Mapping
from typing import Any

from csc_tasks.languages.labels import find_strategy

SUPPORTER = "supporter"
CUSTOMER = "customer"

SPEAKERS = {
    **dict.fromkeys(("supporter", "agent", "assistant", "客服", "坐席"), SUPPORTER),
    **dict.fromkeys(("customer", "client", "user", "客户", "用户", "顾客"), CUSTOMER),
}
"""Name in a source, in lower case -> ours."""

TURNS = ("dialogue", "turns", "messages")
SPEAKER = ("speaker", "role")
TEXT = ("text", "content", "utterance")


def speaker_of(name: str) -> str | None:
    """SUPPORTER or CUSTOMER for any of their names; None for another."""
    return SPEAKERS.get(name.strip().casefold())


def strategy_of(label: str) -> str | None:
    """The id of a strategy given by id or name ("" stays ""); None for anything else."""
    if not label.strip():
        return ""
    strategy = find_strategy(label)
    return strategy.id if strategy else None


def turns_key(row: Mapping[str, Any]) -> str | None:
    """Which of TURNS a row has; None where it has none."""
    filled = (key for key in TURNS if row.get(key) is not None)
    return next(filled, None) or next((key for key in TURNS if key in row), None)


def part(turn: Mapping[str, Any], names: tuple[str, ...]) -> object:
    """The value under the first of `names` that a turn has; None where it has none of them."""
    return next((turn[name] for name in names if name in turn), None)
