"""JSON from outside, more strictly than Python reads it: what another reader would read otherwise,
or cannot hold, is refused.

Python takes NaN and Infinity, makes 1e400 infinite, keeps the last of two equal keys in silence and
nests as deep as its stack allows. A number that is none passes every comparison with a bound, and
two `results` in one file show each reader another run.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.reading.files import decoded, open_bytes, read_text

DEEPEST = 100
"""Levels of lists and objects; the files of this project and of lm_eval have a dozen at most."""
LONGEST_LINE = 64 * 2**20
"""Bytes of one line of a file that is read line by line."""
_MOST_DIGITS = 308
"""Digits of the largest integer that fits into the range of a float."""
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN = r'"(?:[^"\\]|\\.)*"|{}(?![\w.])'


class NotJson(ValueError):
    """Text that is no JSON, or JSON that is refused; the text says what was found, and where."""


def strict_json(text: str, one_line: bool = False) -> Any:
    """What JSON text holds. one_line: it is one line of a file, so that a column says where.

    Raises NotJson for broken JSON, a number that is not finite or beyond the range of a float, a
    key that stands twice in one object, a lone surrogate, and more than DEEPEST levels.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = _place(text, error.pos, one_line)
        raise NotJson(f"broken JSON, perhaps cut off ({error.msg}, {place})") from None
    except _Number as number:
        at = _place(text, _outside_strings(text, str(number)), one_line)
        raise NotJson(f"{_short(str(number))} is no number that can be used ({at})") from None
    except RecursionError:
        raise NotJson(_DEEP) from None
    if _is_deep(value):
        raise NotJson(_DEEP)
    if _HALF.search(text):
        _check_halves(value)
    return value


def parsed(text: str, place: str, wanted: str = "", one_line: bool = False) -> Any:
    """What JSON text at `place` holds. Raises DataError that opens with the place, for what
    `strict_json` refuses; `wanted` says what would do.
    """
    try:
        return strict_json(text, one_line)
    except NotJson as error:
        raise DataError(f"{place}: {error}{'; ' if wanted else ''}{wanted}") from None


def read_json(file: Path, wanted: str) -> Any:
    """What a JSON file holds. Raises DataError as `read_text` and `parsed` do, and for an empty
    file.
    """
    text = read_text(file, wanted)
    if not text.strip():
        raise DataError(f"{file}: is empty; {wanted}")
    return parsed(text, str(file), wanted)


def json_lines(file: Path, wanted: str) -> Iterator[tuple[int, Any]]:
    """(line number, value) of a file with a JSON value a line; empty lines are passed over. No more
    than LONGEST_LINE bytes of a line are ever read.

    Raises DataError that names file and line.
    """
    with open_bytes(file, wanted) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            place = f"{file} line {number}"
            if len(line) > LONGEST_LINE:
                raise DataError(
                    f"{place}: longer than {LONGEST_LINE / 2**20:.0f} MB, the most that is read of"
                    f" a line; {wanted}"
                )
            text = decoded(line, place).rstrip("\r\n")
            if text.strip():
                yield number, parsed(text, place, one_line=True)


class _Number(Exception):
    """A number that no float can hold; its text."""


_DEEP = f"nested too deeply (more than {DEEPEST} levels)"


def _refuse(text: str) -> None:
    raise _Number(text)


def _float(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise _Number(text)
    return value


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _Number(text)
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the key {twice!r:.60} stands twice in one object; leave one")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_refuse
)


def _is_deep(value: Any) -> bool:
    """Whether a value has more than DEEPEST levels; level by level, so that no stack is needed."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        below: list[Any] = []
        for held in level:
            inner = held.values() if isinstance(held, dict) else held
            below += [one for one in inner if isinstance(one, dict | list)]
        if not below:
            return False
        level = below
    return True


def _check_halves(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise NotJson(f"holds lone surrogates ({half} without its other half)") from None


def _outside_strings(text: str, token: str) -> int:
    """The position at which a token that the text holds first stands outside strings."""
    tokens = re.finditer(_TOKEN.format(re.escape(token)), text)
    return next((match.start() for match in tokens if match[0] == token), 0)


def _place(text: str, at: int, one_line: bool) -> str:
    """Line and column of a position in a text."""
    column = f"column {at - text.rfind(chr(10), 0, at)}"
    return column if one_line else f"line {text.count(chr(10), 0, at) + 1}, {column}"


def _short(number: str) -> str:
    return number if len(number) <= 40 else f"{number[:20]}... ({len(number):,} characters)"
