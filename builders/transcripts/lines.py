"""A text a conversation: lines that open with `Name:`, with or without a time before it; a line
that does not goes on with the turn before. WhatsApp's exports are of this form.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from builders.transcripts.said import Said
from builders.transcripts.speakers import known_role

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[\s\u202f]?[AaPp]\.?[Mm]\.?)?"
_DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_TIME = rf"(?:[\[(]\s*(?:{_DATE},?[T\s]+)?{_CLOCK}\s*[\])]|(?:{_DATE},?[T\s]+)?{_CLOCK})"
_STAMPED = re.compile(rf"(?P<time>{_TIME})(?:\s*[-–—|]\s*|\s+|:\s+)(?P<rest>.*)", re.DOTALL)
_NAMED = re.compile(
    r"(?P<name>[^\s:：,.!?\[\]{}<>\"][^:：!?\[\]{}<>\"\n]{0,39}?)\s*[:：](?!//)\s*(?P<text>.*)"
)
_MARKS = str.maketrans("", "", "\u200e\u200f\ufeff\u202a\u202c")
WORDS = 4
"""A name has so many words at most."""


class Line(NamedTuple):
    """One line: its time and name, "" where it has none, and the rest."""

    time: str
    name: str
    text: str


def looks_spoken(text: str) -> bool:
    """Whether a text is a conversation of `Name:` lines: its first line is one, and two names
    speak.
    """
    lines = _lines(text[:4000])
    if not lines or not (lines[0].name or lines[0].time):
        return False
    names = {line.name for line in lines if line.name}
    stamped = sum(bool(line.time) for line in lines) >= 2
    return len(names) >= 2 and (
        stamped or any(known_role(name) for name in names) or _recurring(lines) != set()
    )


def said_in(text: str, conversation: str) -> Iterator[Said]:
    """The utterances of a text. Lines before the first name, and lines with a time but no name,
    are the system's.
    """
    lines = _lines(text)
    stamped = sum(bool(line.time) for line in lines) * 2 > sum(bool(line.name) for line in lines)
    names = {line.name for line in lines if line.name and (line.time or not stamped)}
    if not stamped:
        chosen = {name for name in names if known_role(name)} | _recurring(lines)
        names = chosen if len(chosen) > 1 else names
    name, parts = "", list[str]()
    for line in lines:
        opens = line.name in names and (bool(line.time) or not stamped)
        if opens or (stamped and line.time):
            yield from _turn(conversation, name, parts)
            name, parts = (line.name, [line.text]) if opens else ("", [_whole(line)])
        else:
            parts.append(_whole(line))
    yield from _turn(conversation, name, parts)


def _turn(conversation: str, name: str, parts: list[str]) -> Iterator[Said]:
    text = "\n".join(parts).strip()
    if name:
        yield Said(conversation, None, name, text)
    elif text:
        yield Said(conversation, None, "", text, "a system line")


def _lines(text: str) -> list[Line]:
    return [_line(line.strip()) for line in text.translate(_MARKS).splitlines() if line.strip()]


def _line(line: str) -> Line:
    stamp = _STAMPED.fullmatch(line)
    time, rest = (stamp["time"], stamp["rest"]) if stamp else ("", line)
    named = _NAMED.fullmatch(rest)
    if named and len(named["name"].split()) <= WORDS and not named["name"].isdecimal():
        return Line(time, named["name"].strip(), named["text"])
    return Line(time, "", rest)


def _whole(line: Line) -> str:
    return f"{line.name}: {line.text}" if line.name else line.text


def _recurring(lines: list[Line]) -> set[str]:
    counts = Counter(line.name for line in lines if line.name)
    return {name for name, n in counts.items() if n > 1}
