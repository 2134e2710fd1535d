"""What values a setting can have: how each kind is read from lm_eval's metadata or the environment,
and what is refused.

The settings stand in csc_tasks/settings.py, each with its default, its meaning and its kind.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from csc_tasks.errors import SettingError
from csc_tasks.price import Price


class Text:
    """Any text. Of every kind, `read` makes the value of what was given, and `check` refuses one
    that does not fit: both raise ValueError with what would do.
    """

    def read(self, given: Any) -> Any:
        """The value that was meant."""
        return str(given)

    def check(self, value: Any) -> None:
        """Whether a setting can have this value."""


ANY_TEXT = Text()


class Listed(Text):
    """Text with commas, or a list that is joined to one."""

    def read(self, given: Any) -> str:
        return ",".join(map(str, given)) if isinstance(given, list | tuple) else str(given)


@dataclass(frozen=True, slots=True)
class Choice(Text):
    """One of some words; a function says them where they are not known yet."""

    allowed: tuple[str, ...] | Callable[[], Iterable[str]]

    def check(self, value: Any) -> None:
        allowed = tuple(self.allowed() if callable(self.allowed) else self.allowed)
        if value not in allowed:
            raise ValueError(f"choose one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class Checked(Text):
    """Text that a function looks at, which raises ValueError or SettingError."""

    look: Callable[[str], object]

    def check(self, value: Any) -> None:
        self.look(value)


@dataclass(frozen=True, slots=True)
class WholeNumber(Text):
    """5, "5" and 5.0; never true, and never the whole part of a fraction."""

    least: int
    most: float = math.inf

    def read(self, given: Any) -> int:
        try:
            number = int(given)
            if isinstance(given, bool) or (not isinstance(given, str) and number != given):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise ValueError(self._wanted()) from None
        return number

    def check(self, value: Any) -> None:
        if value is None or not self.least <= value <= self.most:
            raise ValueError(self._wanted())

    def _wanted(self) -> str:
        if self.most < math.inf:
            return f"must be a whole number from {self.least} to {self.most}"
        return f"must be a whole number of at least {self.least}"


@dataclass(frozen=True, slots=True)
class Number(Text):
    """0.7 and "0.7"; never true."""

    wanted: str = "must be a number of at least 0"
    most: float = math.inf

    def read(self, given: Any) -> float:
        try:
            if isinstance(given, bool):
                raise ValueError
            return float(given)
        except (TypeError, ValueError):
            raise ValueError(self.wanted) from None

    def check(self, value: Any) -> None:
        if value is None or not (0 <= value <= self.most and math.isfinite(value)):
            raise ValueError(self.wanted)


SHARE = Number("must be a share from 0 to 1, as in 0.02", most=1)


class Names(Text):
    """A list of names, or text with commas."""

    def read(self, given: Any) -> tuple[str, ...]:
        parts = given.split(",") if isinstance(given, str) else given
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise ValueError("must be a list of names, as in a/3,b/1")
        return tuple(part.strip() for part in parts if part.strip())


class TokenPrice(Text):
    """`0.15,0.60`, or a list of two numbers."""

    def read(self, given: Any) -> Price:
        try:
            return Price.parse(Listed().read(given))
        except SettingError as problem:
            raise ValueError(str(problem)) from None
