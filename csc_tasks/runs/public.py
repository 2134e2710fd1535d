"""What of a results file may leave the machine: the one rule of every verb.

What goes out is built from the tables of csc_tasks/runs/public_lists.py, key by key; nothing is
blanked. A key that no table has stays where it is, and so does a value that is not of the kind its
key has. They are counted, and named unless QUIET says that everybody's stay. The result has
lm_eval's shape, is read like any other results file, and stays as it is when it is made public
again.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from csc_tasks.runs.model_arguments import as_text, model_arguments
from csc_tasks.runs.public_lists import (
    CONFIG,
    CSC,
    FILE,
    FORCING,
    GENERATION,
    MODEL_ARGUMENTS,
    PLAY,
    QUIET,
    SETTINGS,
    TASK,
    THINKING,
    Table,
)
from csc_tasks.runs.public_values import (
    LEFT_OUT,
    UNNAMED,
    digest,
    each,
    hub_id_or_last_component,
    number,
    scalar,
    scalars,
)

HASHED = ("chat_template", "system_instruction")
"""Texts of which only the hash goes out, as `NAME_sha`."""

_RESULT = re.compile(r"[\w.+-]{1,80},[\w-]{1,40}", re.ASCII)
_TASK = re.compile(r"cscx?(_[a-z0-9_]{1,60})?", re.ASCII)
_SAYABLE = re.compile(r"(?!\w*\d\w*\d\w*\d)[a-z_][a-z0-9_]{0,39}|\(.*\)", re.ASCII)
"""The name of a key as people write them: a random one has several digits."""


@dataclass(slots=True)
class LeftOut:
    """How many values stayed behind, and the names of those that no list has."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if name not in QUIET and (as_shown := _name(name)) not in self.names:
            self.names.append(as_shown)

    def line(self) -> str:
        """What is said in the terminal; "" where nothing stayed."""
        if not self.count:
            return ""
        named = f"; on no list: {', '.join(sorted(self.names))}" if self.names else ""
        return f"left out of what may be published: {self.count:,} values{named}"


def public_results(raw: Mapping[str, Any], left: LeftOut | None = None) -> dict[str, Any]:
    """The results dictionary that may be published. left: is told what stayed."""
    left = LeftOut() if left is None else left
    rest = {name: value for name, value in raw.items() if name not in (*_BY_TASK, "config")}
    made: dict[str, Any] = {
        name: _by_task(raw[name], name, kind, left)
        for name, kind in _BY_TASK.items()
        if name in raw
    }
    made["config"] = _config(_mapping(raw.get("config")), left)
    made |= _picked(rest, FILE, "", left)
    for name in HASHED:
        if isinstance(words := raw.get(name), str):
            made[f"{name}_sha"] = _sha(words)
    if "model_name" in raw:
        made.setdefault("model_name", UNNAMED)
    return made


def public_name(name: str) -> str:
    """A model's or corpus' name as others may see it."""
    made: str = hub_id_or_last_component(name)
    return made


def distinct_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> public name; two names with one public name are numbered."""
    made: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        made.setdefault(public_name(name), []).append(name)
    return {
        name: public if len(alike) == 1 else f"{public} ({position})"
        for public, alike in made.items()
        for position, name in enumerate(alike, 1)
    }


def public_arguments(given: object, table: Table, where: str, left: LeftOut | None = None) -> Any:
    """model_args or gen_kwargs as they were written, by name or as one text, with what `table` has;
    LEFT_OUT for what is neither.
    """
    left = LeftOut() if left is None else left
    if isinstance(given, str):
        picked = _picked(model_arguments(given), table, where, left)
        return ",".join(f"{name}={as_text(value)}" for name, value in picked.items())
    if isinstance(given, Mapping):
        return _picked(given, table, where, left)
    return None if given is None else LEFT_OUT


def _picked(given: Mapping[str, Any], table: Table, where: str, left: LeftOut) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in given.items():
        kind = table.get(name)
        fit = LEFT_OUT if kind is None or value is None else kind(value)
        if value is None and kind is not None:
            made[name] = None
        elif fit is not LEFT_OUT:
            made[name] = fit
        elif value is not None:
            left.add(f"{where}.{name}" if where else str(name))
    return made


def _config(config: Mapping[str, Any], left: LeftOut) -> dict[str, Any]:
    own = {name: value for name, value in config.items() if name not in _RUN}
    made = _picked(own, CONFIG, "config", left)
    for name, table in _RUN.items():
        if name in config:
            given = public_arguments(config[name], table, name, left)
            if given is LEFT_OUT:
                left.add(f"config.{name}")
            else:
                made[name] = given
    return made


_RUN: Mapping[str, Table] = {"model_args": MODEL_ARGUMENTS, "gen_kwargs": GENERATION}


def _task(config: object, left: LeftOut) -> Any:
    if not isinstance(config, Mapping):
        return LEFT_OUT
    own = {k: v for k, v in config.items() if k not in ("metadata", "generation_kwargs")}
    made = _picked(own, TASK, "task", left)
    if isinstance(generation := config.get("generation_kwargs"), Mapping):
        made["generation_kwargs"] = _picked(generation, GENERATION, "generation_kwargs", left)
    metadata = _mapping(config.get("metadata"))
    settings = {k: v for k, v in metadata.items() if k != "csc"}
    table = {**MODEL_ARGUMENTS, **SETTINGS, "version": scalar}
    made["metadata"] = _picked(settings, table, "metadata", left)
    if isinstance(csc := metadata.get("csc"), Mapping):
        own = {k: v for k, v in csc.items() if k not in ("thinking", "play", "forced")}
        picked = _picked(own, CSC, "csc", left)
        for name, of in (("thinking", THINKING), ("play", PLAY), ("forced", FORCING)):
            if isinstance(csc.get(name), Mapping):
                picked[name] = _picked(csc[name], of, f"csc.{name}", left)
        made["metadata"]["csc"] = picked
    return made


def _results(entries: object, left: LeftOut) -> Any:
    if not isinstance(entries, Mapping):
        return LEFT_OUT
    made = {}
    for name, value in entries.items():
        plain = scalar if name in ("name", "alias", "sample_len") else None
        kind = (lambda one: "N/A" if one == "N/A" else number(one)) if plain is None else plain
        fits = plain is not None or _RESULT.fullmatch(str(name))
        fit = (None if value is None else kind(value)) if fits else LEFT_OUT
        if fit is LEFT_OUT:
            left.add("results.(no number of a metric)")
        else:
            made[name] = fit
    return made


_BY_TASK: Mapping[str, Callable[[object, LeftOut], Any]] = {
    "results": _results,
    "group_subtasks": lambda value, left: scalars(value),
    "configs": _task,
    "versions": lambda value, left: scalar(value),
    "n-shot": lambda value, left: number(value),
    "higher_is_better": lambda value, left: each(value, scalar),
    "n-samples": lambda value, left: each(value, number),
    "task_hashes": lambda value, left: digest(value),
}


def _by_task(
    given: object, where: str, kind: Callable[[object, LeftOut], Any], left: LeftOut
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for task, value in _mapping(given).items():
        fit = None if value is None else kind(value, left)
        fit = fit if _TASK.fullmatch(str(task)) else LEFT_OUT
        if fit is LEFT_OUT:
            left.add(f"tasks.{task}")
        else:
            made[task] = fit
    return made


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sha(words: str) -> str:
    """As lm_eval hashes templates and instructions."""
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def _name(name: str) -> str:
    """The name of a key for the terminal; one that may itself be a secret is not said."""
    place, dot, own = name.rpartition(".")
    return name if _SAYABLE.fullmatch(own) else f"{place}{dot}(a name that is not shown)"
