"""A reply that names several strategies -> its parts: `[A + B] text` is one part with two
strategies, `[A] text [B] text` two parts with one each.

Labels stand in brackets, joined by +, &, /, | or a comma. The first has to open the reply; a later
one has to be whole names of strategies, since anything else in brackets may be text, and an id (as
[ID]) a placeholder.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from csc_tasks.languages.labels import find_strategy

_LONGEST = 240
"""Characters of a label: three names fit in any language."""
_TAG = re.compile(rf"[\[【［]([^\[\]【】［］\n]{{1,{_LONGEST}}})[\]】］]\s{{0,20}}[:：]?")
_JOINT = re.compile(r"\s{0,20}[+＋&＆/／|｜,，、;；]\s{0,20}")

_FIELD = re.compile(
    r"\s{0,5}(?:策略|strategy)(?:名称|\s{1,5}name)?\s{0,5}[:：]\s{0,5}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Part:
    """What stands behind one label of a reply, and the strategies that the label names."""

    strategies: tuple[str, ...]
    text: str


def strategies_in(label: str, code: str | None, ids: bool = True) -> tuple[str, ...]:
    """The ids of the strategies that a label names, each once, in its order; () where a part of it
    names none. ids: whether ids are read beside names.
    """
    if field := _FIELD.match(label):
        label = label[field.end() :]
    whole = find_strategy(label, ids, code)
    if whole:
        return (whole.id,)
    named = [find_strategy(part, ids, code) for part in _JOINT.split(label.strip())]
    known = [strategy.id for strategy in named if strategy is not None]
    return tuple(dict.fromkeys(known)) if len(known) == len(named) else ()


def split_parts(text: str, code: str | None) -> tuple[Part, ...]:
    """The parts of a text that a label opens; () where none does."""
    first = _TAG.match(text)
    named = strategies_in(first[1], code) if first else ()
    if first is None or not named:
        return ()
    parts, at = [], first.end()
    for tag in _TAG.finditer(text, at):
        if later := strategies_in(tag[1], code, ids=False):
            parts.append(Part(named, text[at : tag.start()].strip()))
            named, at = later, tag.end()
    return (*parts, Part(named, text[at:].strip()))


def all_strategies(parts: Sequence[Part]) -> tuple[str, ...]:
    """The strategies of all parts, each once, in order."""
    return tuple(dict.fromkeys(name for part in parts for name in part.strategies))
