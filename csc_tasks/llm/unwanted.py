"""What no reply may hold that becomes part of a dataset: control characters, a model's refusal in
place of what it was asked for, placeholders that nobody filled in, a text that goes round in
circles; and a description that speaks to its reader. The words are data,
`csc_tasks/languages/<code>/asking.yaml`. Refusals and placeholders of all languages are looked for:
a model asked in Chinese may decline in English.
"""

import re
import unicodedata
from functools import cache

from csc_tasks.languages import Asking, language, languages

# Also what stands where a text was decoded wrongly, and what no font knows.
_BAD_CATEGORIES = ("Cc", "Co", "Cs")
_REPLACEMENT = "\ufffd"
_SPACE = "\n\r\t"
# What may be brackets of a placeholder; no bracket and no more than a few words within.
_BRACKETS = re.compile(r"[\[【［{<]+([^\[\]【】［］{}<>\n]{1,40})[\]】］}>]+")
# What somebody else is quoted with.
_QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"|«[^«»]*»|„[^„“]*“|「[^「」]*」|『[^『』]*』|‘[^‘’]*’")
# A loop is a piece of text so many times in a row, which are so many characters at least.
_TIMES, _LOOP = 4, 32
# Equal pieces of a loop share their first characters.
_SEED = 8
# "we can’t" and "we can't" are the same.
_QUOTES = str.maketrans("’‘", "''")


def control_character(text: str) -> str:
    """The first character that no text should hold, as U+XXXX; "" where there is none. Line breaks
    and tabs are text.
    """
    for one in text:
        bad = unicodedata.category(one) in _BAD_CATEGORIES and one not in _SPACE
        if bad or one == _REPLACEMENT:
            return f"U+{ord(one):04X}"
    return ""


def refusal(text: str) -> str:
    """The words with which a model declines, in any language; "" where there are none."""
    plain = text.strip().translate(_QUOTES)
    for pattern in _refusals():
        if match := pattern.search(plain):
            return match[0]
    return ""


def second_person(text: str, code: str) -> str:
    """The first word with which a text in this language, or in English, speaks to its reader, as
    "you"; "" where there is none. What stands in quotation marks is somebody else's.
    """
    plain = _QUOTED.sub(" ", text)
    matches = filter(None, (pattern.search(plain) for pattern in _second_person(code)))
    first = min(matches, key=lambda match: match.start(), default=None)
    return first[0].strip() if first else ""


def placeholders(text: str, addressed_only: bool = False) -> list[str]:
    """The placeholders of names, numbers and the like in brackets of any kind, as they stand. With
    `addressed_only`, only those that speak to whoever fills them in: [Your Name], not [name].
    """
    whole, addressed = _placeholder()
    return [
        match[0]
        for match in _BRACKETS.finditer(text)
        if whole.fullmatch(match[1].strip())
        and (not addressed_only or addressed.match(match[1].strip()))
    ]


def placeholders_beyond(text: str, given: str) -> list[str]:
    """The placeholders of a text that what its writer was given does not hold."""
    return [one for one in placeholders(text) if one not in given]


def loop(text: str) -> str:
    """A piece of the text that stands there four times or more without anything between, as weak
    models write where they find no end; "" where there is none. White space is to be single.
    """
    last: dict[str, int] = {}
    for place in range(len(text) - _SEED + 1):
        seed = text[place : place + _SEED]
        before = last.get(seed)
        last[seed] = place
        if before is None:
            continue
        piece = text[before:place]
        times = max(_TIMES, -(-_LOOP // len(piece)))
        if text.startswith(piece * times, before) and any(map(str.isalpha, piece)):
            return piece.strip()
    return ""


def _tables() -> list[Asking]:
    return [one.asking for one in languages().values() if one.asking is not None]


@cache
def _refusals() -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(pattern, re.IGNORECASE) for table in _tables() for pattern in table.refusals
    )


@cache
def _second_person(code: str) -> tuple[re.Pattern[str], ...]:
    own = (language(one).asking for one in dict.fromkeys((code, "en")))
    return tuple(
        re.compile(pattern, re.IGNORECASE)
        for table in own
        if table is not None
        for pattern in table.second_person
    )


@cache
def _placeholder() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(the inside of a placeholder, the opening of one that is addressed)."""
    between = r"(?:'s)?[\s_/#.-]*\d*[\s_/#.-]*"
    whole, addressed = [], []
    for table in _tables():
        things, called = _any(table.things), _any(table.addressed)
        anything = _any((*table.addressed, *table.owners, *table.things))
        whole.append(f"(?:{anything}{between})*?{things}{between}(?:{anything}{between})*")
        addressed.append(f"{called}(?=\\W|_|{anything}|$)")
    return (
        re.compile("|".join(f"(?:{one})" for one in whole), re.IGNORECASE),
        re.compile("|".join(f"(?:{one})" for one in addressed), re.IGNORECASE),
    )


def _any(words: tuple[str, ...]) -> str:
    """Any of the words, the longest first."""
    return f"(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})"
