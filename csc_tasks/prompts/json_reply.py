"""A reply that is a JSON object with a strategy and a response -> its two fields.

Whatever was asked for, a reply that is one such object, bare or fenced, is read. Where a JSON
object was asked for, two more are: an object that the token limit has cut, whose strategy is as
good as that of a cut text, and an object with something behind it, which is no part of what the
customer is told.
"""

import json
import re

from csc_tasks.prompts.forms import RESPONSE, STRATEGY

Fields = tuple[str, str]
"""The strategy as it was written, and the response."""

_FENCE = "```"
# Line breaks inside a string are read as they stand: many models write them so.
_DECODER = json.JSONDecoder(strict=False)
_STRING = r'"((?:[^"\\]|\\.)*)'
_GAP = r"\s{0,20}"
_KEY = rf'"{RESPONSE}"{_GAP}:{_GAP}'
_PART_OF_KEY = r'"[a-z]{0,8}"?'
_CUT = re.compile(
    rf'\{{{_GAP}"{STRATEGY}"{_GAP}:{_GAP}{_STRING}"{_GAP}'
    rf"(?:,{_GAP}(?:{_KEY}(?:{_STRING})?|{_PART_OF_KEY})?)?\\?\Z",
    re.DOTALL,
)
_ANOTHER = re.compile(rf'"{STRATEGY}"{_GAP}:{_GAP}{_STRING}"', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}\Z")


def whole_object(text: str) -> Fields | None:
    """The fields of a reply that is one JSON object, bare or fenced; None for any other reply."""
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text[3:-3].removeprefix("json").strip()
    try:
        return _fields(json.loads(text))
    except (ValueError, RecursionError):
        return None


def opening_object(text: str) -> Fields | None:
    """The fields of the JSON object that opens a reply, whether it was cut or goes on behind it.

    None where another object behind it names another strategy: that is a second choice.
    """
    text = text.strip()
    if text.startswith(_FENCE):
        text = text[3:].removeprefix("json").lstrip()
    if not text.startswith("{"):
        return None
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return _cut(text)
    fields = _fields(value)
    if fields is None:
        return None
    others = {_plain(name) for name in _ANOTHER.findall(text, end)}
    return fields if others <= {_plain(fields[0])} else None


def _fields(value: object) -> Fields | None:
    if not isinstance(value, dict):
        return None
    strategy, response = value.get(STRATEGY), value.get(RESPONSE)
    return (strategy, response) if isinstance(strategy, str) and isinstance(response, str) else None


def _cut(text: str) -> Fields | None:
    """The fields of an object that ends inside or before its response."""
    match = _CUT.match(text)
    if not match:
        return None
    try:
        return _unescaped(match[1]), _unescaped(_HALF_ESCAPE.sub("", match[2] or ""))
    except ValueError:
        return None


def _unescaped(inside: str) -> str:
    text: str = _DECODER.decode(f'"{inside}"')
    return text


def _plain(name: str) -> str:
    return name.strip().casefold()
