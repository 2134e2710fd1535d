"""The words of a language by which the audit tells what a customer's turn does: `cues/<code>.yaml`.

A language without such a file has no cues, and what needs them is not applicable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from csc_tasks.languages import language as language_of

FOLDER = Path(__file__).resolve().parent / "cues"


class _Opens(BaseModel):
    """Cues that count at the start of a turn."""

    model_config = ConfigDict(extra="forbid")
    agree: list[str]
    refuse: list[str]
    greet: list[str]


class _Anywhere(BaseModel):
    """Cues that count wherever they stand."""

    model_config = ConfigDict(extra="forbid")
    request: list[str]
    unknown: list[str]
    thanks: list[str]
    please: list[str]
    sorry: list[str]
    bye: list[str]
    complain: list[str]
    insist: list[str]
    positive: list[str]
    negative: list[str]
    role: list[str]


class _Patterns(BaseModel):
    """Cues that are no whole words."""

    model_config = ConfigDict(extra="forbid")
    question: list[str]


class _File(BaseModel):
    """A cues file."""

    model_config = ConfigDict(extra="forbid")
    opens: _Opens
    anywhere: _Anywhere
    patterns: _Patterns


@dataclass(frozen=True, slots=True)
class Cues:
    """The cues of one language, compiled: name of a cue -> what it looks like."""

    patterns: Mapping[str, re.Pattern[str]]

    def count(self, name: str, text: str) -> int:
        """How often a cue stands in a text."""
        return sum(1 for _ in self.patterns[name].finditer(text))

    def has(self, name: str, text: str) -> bool:
        """Whether it stands there at all."""
        return self.patterns[name].search(text) is not None


@cache
def cues_of(language: str) -> Cues | None:
    """The cues of a language, None where it has none."""
    file = FOLDER / f"{language}.yaml"
    if not file.is_file():
        return None
    read = _File.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    # Where words are separated, a cue is whole words: "hi" is not in "which".
    before, behind = (r"(?<!\w)", r"(?!\w)") if language_of(language).text.spaced else ("", "")
    parts = (
        (read.opens, r"^\W*", behind),
        (read.anywhere, before, behind),
        (read.patterns, "", ""),
    )
    patterns = {
        name: re.compile(f"{start}(?:{'|'.join(alternatives)}){end}", re.IGNORECASE)
        for part, start, end in parts
        for name, alternatives in part.model_dump().items()
    }
    return Cues(patterns)
