"""How a value of a results file is made fit to leave the machine: one function a kind.

Each takes a value and gives it back, or the part of it that may be seen, or LEFT_OUT. None is
nobody's secret and stays.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

Kind = Callable[[object], Any]
LEFT_OUT: Final = object()
UNNAMED = "unnamed"

_HUB_ID = re.compile(r"\w[\w.:@+-]*/\w[\w.:@+-]*")
_WORD = re.compile(r"[A-Za-z0-9_][\w.:+*-]{0,31}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9_][\w./-]{0,79}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{4,64}")
_DATE = re.compile(r"[A-Za-z0-9][\w-]{0,20}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NAME = re.compile(r"[\w.+-]{1,80}")
_PATH = re.compile(
    r"(?<!\w)(?:[a-z]+://|[A-Za-z]:[/\\]|~?\.{0,2}[/\\])[^\s|,;\"'@]*(?:@[^\s|,;\"']*)?"
)
_LONGEST_TEXT = 80
_LONGEST_NAME = 200
_LONGEST_SIGNATURE = 600


def hub_id_or_last_component(value: object) -> Any:
    """The name of a model or corpus: a Hub id as it is, of a path the last component, of an address
    the host. A folder of the Hub's cache is the repository it holds.
    """
    if not isinstance(value, str):
        return LEFT_OUT
    if _has_token(value):
        return UNNAMED
    if "://" in value:
        return _host(value)
    words = [word for word in re.split(r"[/\\]+", value) if word]
    if len(words) > 2 and words[-2] == "snapshots" and words[-3].startswith("models--"):
        return words[-3].removeprefix("models--").replace("--", "/", 1)
    if _HUB_ID.fullmatch(value):
        return value
    # Where every part is white space or a dot there is no name.
    last = words[-1] if words else ""
    return last[:_LONGEST_NAME] if last.strip(" .~") else UNNAMED


def number(value: object) -> Any:
    """A finite number, also as text."""
    if isinstance(value, bool):
        return LEFT_OUT
    if isinstance(value, int | float):
        return value if abs(value) < math.inf else LEFT_OUT
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else LEFT_OUT


def scalar(value: object) -> Any:
    """A number, yes or no, or one short word (`bfloat16`, `auto`, `cuda:0`)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and _WORD.fullmatch(value) and not _has_token(value):
        return value
    return number(value)


def revision(value: object) -> Any:
    """A commit, a tag or a branch."""
    return _matching(_REVISION, value)


def digest(value: object) -> Any:
    """A hash in hexadecimal digits, or none."""
    return value if value == "" else _matching(_HASH, value)


def date(value: object) -> Any:
    """A day, or the word that stands for one."""
    return _matching(_DATE, value)


def text(value: object) -> Any:
    """A few characters that a model or a prompt reads as they are: a stop, a mark. No path, no
    address.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or _has_token(value):
        return LEFT_OUT
    return LEFT_OUT if "://" in value or re.search(r"[/\\]\w[\w .-]*[/\\]", value) else value


def signature(value: object) -> Any:
    """What a metric measured, `name|part:value|...`. A path in it keeps its last component."""
    if not isinstance(value, str) or len(value) > _LONGEST_SIGNATURE or _has_token(value):
        return LEFT_OUT
    return _PATH.sub(lambda path: str(hub_id_or_last_component(path[0])), value)


def texts(value: object) -> Any:
    """One text, or a list of them; None in a list is none."""
    if isinstance(value, list):
        made = [None if one is None else text(one) for one in value]
        return LEFT_OUT if any(one is LEFT_OUT for one in made) else made
    return text(value)


def scalars(value: object) -> Any:
    """A list of scalars."""
    made = [scalar(one) for one in value] if isinstance(value, list) else [LEFT_OUT]
    return LEFT_OUT if any(one is LEFT_OUT for one in made) else made


def switches(value: object) -> Any:
    """A few named scalars, as chat templates are given them: `{"enable_thinking": false}`."""
    if not isinstance(value, dict):
        return LEFT_OUT
    if any(scalar(name) is LEFT_OUT or scalar(one) is LEFT_OUT for name, one in value.items()):
        return LEFT_OUT
    return value


def names(value: object) -> Any:
    """A list of words, also as one text with commas."""
    if isinstance(value, str):
        return LEFT_OUT if scalars(value.split(",")) is LEFT_OUT else value
    return scalars(value)


def words(value: object) -> Any:
    """Named scalars and short texts."""
    return each(value, lambda one: text(one) if isinstance(one, str) else scalar(one))


def signatures(value: object) -> Any:
    """Result name -> signature."""
    return each(value, signature)


def each(value: object, kind: Kind) -> Any:
    """A mapping from plain names to values of a kind, or None; those that do not fit are absent."""
    if not isinstance(value, Mapping):
        return LEFT_OUT
    made = {k: None if v is None else kind(v) for k, v in value.items() if _NAME.fullmatch(str(k))}
    return {name: one for name, one in made.items() if one is not LEFT_OUT}


def places(value: object) -> Any:
    """The tables that a task stands in (csc_tasks/runs/task_record.py)."""
    kinds = {"table": scalar, "heading": text, "order": number}
    fits = isinstance(value, list) and all(
        isinstance(one, dict)
        and one.keys() == kinds.keys()
        and all(kind(one[name]) is not LEFT_OUT for name, kind in kinds.items())
        for one in value
    )
    return value if fits else LEFT_OUT


def counts(value: object) -> Any:
    """How often what happened: short texts with whole numbers."""
    if not isinstance(value, dict):
        return LEFT_OUT
    if any(text(name) is LEFT_OUT or type(one) is not int for name, one in value.items()):
        return LEFT_OUT
    return value


def _matching(pattern: re.Pattern[str], value: object) -> Any:
    if isinstance(value, str) and pattern.fullmatch(value) and not _has_token(value):
        return value
    return LEFT_OUT


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or UNNAMED
    except ValueError:
        return UNNAMED


def _has_token(value: str) -> bool:
    # Its detectors of phone numbers and identities, which come with it, are slow to import.
    from csc_tasks.pii import find_tokens

    return next(find_tokens(value), None) is not None
