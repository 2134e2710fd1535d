"""Prompt templates: files whose wording is data, rendered into chat messages.

`FOLDER/LANGUAGE/NAME.txt` holds text with `${name}` where a value goes; nothing else in it is
special (`{`, `$5`, `"` and `&` are themselves). Lines that read `=== system ===` and `=== user ===`
start a message; a file without them is one user message. Values go in as they are: nothing is
escaped, and a `${name}` or a section line inside a value stays text.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from csc_tasks.errors import DataError

_SECTION = re.compile(r"^=== (system|user) ===$", re.MULTILINE)
_PLACE = re.compile(r"\$\{([^{}\n]*)\}")


def placeholders(template: str) -> set[str]:
    """The names of the values a template asks for."""
    return set(_PLACE.findall(template))


def render(template: str, values: Mapping[str, str], where: str) -> str:
    """`template` with its values; `where` opens every error.

    Raises DataError when a value is missing, is not text, or has no place in the template: a prompt
    that silently lacks what the caller wanted to say is as wrong as one with a gap.
    """
    _check(placeholders(template), values, where)
    return _PLACE.sub(lambda match: values[match[1]], template)


def chat_messages(template: str, values: Mapping[str, str], where: str) -> list[dict[str, str]]:
    """Chat messages of a template, its sections cut before the values go in, so that no value can
    open one; raises as `render` does.
    """
    _check(placeholders(template), values, where)
    head, *rest = _SECTION.split(template)
    if rest and head.strip():
        raise DataError(
            f"{where}: text stands before the first section line; nobody would be told it"
        )
    sections = list(zip(rest[::2], rest[1::2], strict=True)) or [("user", head)]
    return [
        {"role": role, "content": _PLACE.sub(lambda match: values[match[1]], text.strip())}
        for role, text in sections
    ]


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of one language: `folder/language/NAME.txt`."""

    language: str
    folder: Path

    def text(self, name: str) -> str:
        """The template `name` as it is on disk; raises DataError where there is none."""
        path = self.folder / self.language / f"{name}.txt"
        try:
            return _read(path)
        except OSError as error:
            there = ", ".join(self.names()) or "none"
            raise DataError(
                f"{path}: {error.strerror or error}; templates for {self.language!r}: {there}"
            ) from None

    def names(self) -> list[str]:
        """The templates there are."""
        return sorted(path.stem for path in (self.folder / self.language).glob("*.txt"))

    def messages(self, name: str, **values: str) -> list[dict[str, str]]:
        """Chat messages of the template `name`; raises DataError as `render` does."""
        return chat_messages(self.text(name), values, f"prompt {self.language}/{name}")

    def hashes(self, *names: str) -> dict[str, str]:
        """`language/name` -> 16 hex digits of the template's SHA-256, for build.json; all templates
        when none is named.
        """
        texts = {name: self.text(name) for name in names or self.names()}
        return {
            f"{self.language}/{name}": hashlib.sha256(text.encode()).hexdigest()[:16]
            for name, text in texts.items()
        }


@cache
def _read(path: Path) -> str:
    """Read once: a template edited during a build must not change the prompts in its middle, nor
    differ from its hash.
    """
    return path.read_text(encoding="utf-8")


def _check(wanted: set[str], values: Mapping[str, str], where: str) -> None:
    missing = sorted(wanted - values.keys())
    if missing:
        raise DataError(
            f"{where}: no value for {', '.join(missing)}; given are {', '.join(values) or 'none'}"
        )
    surplus = sorted(values.keys() - wanted)
    if surplus:
        raise DataError(
            f"{where}: no place for {', '.join(surplus)}; the template has"
            f" {', '.join(sorted(wanted)) or 'none'}"
        )
    wrong = [name for name in sorted(wanted) if not isinstance(values[name], str)]
    if wrong:
        raise DataError(f"{where}: {wrong[0]} is {values[wrong[0]]!r:.60}; it must be text")
