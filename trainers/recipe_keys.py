"""What a key of a recipe is: its help, what it may be, its option and what the libraries call it.

The keys themselves stand in trainers/recipe.py, each with all of this in one place.
"""

import datetime
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from csc_tasks.errors import SettingError


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a recipe beside its type and its default, which the field itself has.

    help: the text of `csc train --help`. choices: the values it can have; empty: any. least, most:
    its range, both included. above: it must be greater than this. named: a list with at least one
    name. option: its word on the command line where that is not `--key`. unset: a word that means
    None, beside "none" and nothing at all. trl, peft: the arguments of SFTConfig and LoraConfig
    that are given its value as it is; what is worked out from several keys stands in
    trainers/library_arguments.py.
    """

    help: str
    choices: tuple[str | None, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    named: bool = False
    option: str = ""
    unset: str = ""
    trl: tuple[str, ...] = ()
    peft: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Raise SettingError unless `value`, which has the key's type, is one that it may have."""
        if self.choices and value not in self.choices:
            raise SettingError(
                f"{name}: {value!r} is not one of {', '.join(map(str, self.choices))}"
            )
        if isinstance(value, int | float) and not self.least <= value <= self.most:
            raise SettingError(f"{name}: {value} must be {self._range()}{self._percent(value)}")
        if isinstance(value, int | float) and value <= self.above:
            raise SettingError(f"{name}: {value} must be greater than {self.above:g}")
        if self.named and not value:
            raise SettingError(f"{name}: name at least one")

    def _range(self) -> str:
        if self.most == math.inf:
            return f"at least {self.least}"
        return f"between {self.least} and {self.most}"

    def _percent(self, value: float) -> str:
        """The share that was meant where a percentage was given; "" elsewhere."""
        if self.most <= 1 < value <= 100:
            return f"; {value:g} percent are {value / 100:g}"
        return ""


def key(default: Any, help: str, **about: Any) -> Any:
    """A field of a recipe; `about` as in Key."""
    return field(default=default, metadata={"key": Key(help, **about)})


def keys_of(recipe: type) -> dict[str, Key]:
    """The keys of a recipe class, in the order they stand there."""
    return {one.name: one.metadata["key"] for one in fields(recipe)}


def option_of(name: str, about: Key) -> str:
    """The option of a key on the command line."""
    return about.option or f"--{name.replace('_', '-')}"


def help_of(one: Field) -> str:
    """The help of a key with its default, where it has one."""
    about: Key = one.metadata["key"]
    default = "" if one.default is MISSING else one.default
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    return about.help if default in ("", None) else f"{about.help} (default: {default})"


def arguments_for(recipe: Any, library: str) -> dict[str, Any]:
    """The arguments that a library ("trl" or "peft") is given as they stand in the recipe."""
    return {
        argument: getattr(recipe, name)
        for name, about in keys_of(type(recipe)).items()
        for argument in getattr(about, library)
    }


def read_values(recipe: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from YAML or the command line as the keys' types want them.

    Raises SettingError that opens with the key.
    """
    kinds, keys = typing.get_type_hints(recipe), keys_of(recipe)
    return {
        name: _value(name, value, kinds[name], keys[name].unset) for name, value in settings.items()
    }


def _value(name: str, value: Any, kind: Any, unset: str) -> Any:
    if isinstance(kind, types.UnionType):
        if value is None or value in ("", "none", "null", unset):
            return None
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    if typing.get_origin(kind) is tuple:
        return _names(name, value)
    if kind is bool:
        return _truth(name, value)
    if kind in (int, float):
        return _number(name, value, kind)
    if isinstance(value, datetime.date):
        # YAML reads an unquoted day as a date of its own.
        return value.isoformat()
    if not isinstance(value, str):
        raise SettingError(f"{name}: {value!r} must be text")
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise SettingError(f"{name}: {value!r} must be a list of names")
    return tuple(part.strip() for part in parts if part.strip())


def _truth(name: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise SettingError(f"{name}: {value!r} must be true or false")
    return text == "true"


def _number(name: str, value: Any, kind: type) -> float:
    try:
        number = kind(value)
        # 2.5 steps and true epochs are mistakes; YAML reads 2e-4 as text, which is a number all
        # the same.
        if isinstance(value, bool) or number != float(value) or not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        whole = "whole " if kind is int else ""
        raise SettingError(f"{name}: {value!r} must be a {whole}number") from None
    return number
