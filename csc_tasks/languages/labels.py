"""What strategies and topics are called: an id to its name in a language, and a label from anywhere
back to its id.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache

from csc_tasks.errors import UnknownStrategy
from csc_tasks.framework import BY_ID, BY_NUMBER, STRATEGIES, TOPICS, Strategy
from csc_tasks.languages import language, languages

CARDS = "en"
"""The language that dataset cards, tables and pages are written in."""
OTHER_SPELLINGS = {"其他": "其它"}
"""How a name is also written -> the name."""
_NUMBERED = re.compile(
    r"((?:策略|strategy)\s*)?(\d{1,4})(?!\d)\s*(?:[:：.、]\s*)?(.*)", re.IGNORECASE | re.DOTALL
)


def strategy_name(id_: str, code: str) -> str:
    """The name of a strategy in a language."""
    return language(code).strategies[id_].name


def definition(id_: str, code: str) -> str:
    """What a strategy means, one sentence."""
    return language(code).strategies[id_].definition


def read_together(code: str | None = None) -> tuple[str, ...]:
    """The languages whose names are read in a text in `code`: the ones read everywhere, and its
    own.

    Without a code: all languages. Another language never changes how a reply is read.
    """
    known = languages()
    return tuple(
        other for other, its in known.items() if code in (None, other) or its.read_everywhere
    )


@cache
def names(code: str | None = None) -> Mapping[str, Strategy]:
    """Strategy name in lower case -> strategy, of the languages in `read_together(code)`."""
    codes = read_together(code)
    return {
        strategy_name(strategy.id, other).casefold(): strategy
        for strategy in STRATEGIES
        for other in codes
    }


def find_strategy(label: str, ids: bool = True, code: str | None = None) -> Strategy | None:
    """The strategy `label` names, or None.

    Read are the names in any case (of all languages; with `code`, of those in `read_together`),
    `策略5 情感管理`, `策略5: 情感管理`, `5. 情感管理`, `策略5`, `其他` for `其它`, and, when `ids`
    is true, the ids exactly as written in the table. A number that contradicts its name names
    nothing.
    """
    text = " ".join(label.split())
    for spelling, name in OTHER_SPELLINGS.items():
        text = text.replace(spelling, name)
    numbered = _NUMBERED.fullmatch(text)
    if numbered:
        word, number, name = numbered.groups()
        by_number = BY_NUMBER.get(int(number))
        if not name:
            return by_number if word else None
        by_name = names(code).get(name.casefold())
        return by_name if by_name is by_number else None
    return names(code).get(text.casefold()) or (BY_ID.get(text) if ids else None)


def strategy(label: str) -> Strategy:
    """The strategy `label` names (see `find_strategy`).

    Raises UnknownStrategy, which names the closest known label; nothing unknown ever becomes
    "Others".
    """
    result = find_strategy(label)
    if result is None:
        raise UnknownStrategy(
            f"strategy {label!r} is not one of the 12 (closest: {closest_label(label)})"
        )
    return result


def closest_label(label: str) -> str:
    """The name or id of a strategy that looks most like `label`, for an error."""
    text = label.strip()
    numbered = _NUMBERED.fullmatch(text)
    wanted = (numbered and numbered[3]) or text
    labels = _labels()
    return labels[difflib.get_close_matches(wanted.casefold(), labels, n=1, cutoff=0.0)[0]]


@cache
def _labels() -> Mapping[str, str]:
    """Every name and id in lower case -> as it is written."""
    return {
        label.casefold(): label
        for one in reversed(STRATEGIES)
        for label in (*(strategy_name(one.id, code) for code in languages()), one.id)
    }


def topic_label(topic: str, code: str) -> str:
    """The name of one of the eight topics in a language; any other text comes back as it is."""
    return language(code).topics.get(topic, topic)


@cache
def topic_names() -> Mapping[str, str]:
    """Every name of the eight topics, in any language -> the topic's id."""
    return {
        name: topic
        for topic in TOPICS
        for name in (topic, *(topic_label(topic, code) for code in languages()))
    }


def topic_name(text: str) -> str:
    """The id (English name) of a topic given in any language; other text comes back as it is."""
    return topic_names().get(text.strip(), text.strip())
