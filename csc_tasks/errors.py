"""Every error this project raises on purpose, and the helpers that say in one line why something
cannot be imported.

CscError                 a problem the user can fix; `csc` prints its text in one line and exits 1
├── DataError            a row, file or corpus that cannot be read as it stands
│   ├── MissingSplit     a corpus without the split that was asked for
│   └── UnknownStrategy  a label that is none of the twelve strategies
├── SettingError         an option, key or value that does not exist or does not fit
├── MissingExtra         a library that belongs to an extra which is not installed
├── HubError             the Hub cannot be reached, or refuses
└── ModelError           a model that cannot do what was asked of it

Anything outside this tree is a bug and keeps its traceback.
"""

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

EXTRAS = {"builders": "build", "trainers": "train", "leaderboard": "leaderboard"}
"""Package -> the extra that brings what its verbs need; those of csc_tasks need none."""


class CscError(Exception):
    """Base of all errors a user can act on."""


class DataError(CscError):
    """A row, file or corpus cannot be read; the text names the place, what was found and what would
    do.
    """


class MissingSplit(DataError):
    """A corpus has no such config and split; the text says what there is."""


class UnknownStrategy(DataError):
    """A label is none of the twelve strategies; the text names the closest one."""


class SettingError(CscError):
    """A setting does not exist or its value does not fit; the text lists what does."""


class MissingExtra(CscError):
    """An optional library is absent; the text carries the install command."""


class HubError(CscError):
    """The Hub cannot be reached or has refused; the text says what it answered, what is still here
    and how to try again.
    """


class ModelError(CscError):
    """The model or its backend cannot do what the run asks for; the text says which way out there
    is.
    """


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module` or say which extra of csc-tasks brings it and what needs it.

    Raises MissingExtra when the library itself is absent; an error inside an installed library
    keeps its traceback.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingExtra(
            f"{purpose} needs '{module}': pip install 'csc-tasks[{extra}]'"
        ) from None


def check_not_shadowed(purpose: str, module: str) -> None:
    """Raise SettingError where a folder or file of the user's own is imported in place of the
    package that `module` lies in.

    purpose: what needs it, as the line shows it. A folder without `__init__.py` shadows nothing.
    """
    import importlib.util

    package = module.split(".")[0]
    if package not in EXTRAS:
        return
    spec = importlib.util.find_spec(package)
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    files = [Path(place).resolve() for place in places if place]
    ours = Path(__file__).resolve().parents[1] / package
    if not files or any(file == ours or ours in file.parents for file in files):
        return
    theirs = files[0].parent if files[0].name == "__init__.py" else files[0]
    raise SettingError(
        f"{purpose} needs the package {package} of csc-tasks, and Python finds {theirs} first:"
        " rename that, or take its folder off PYTHONPATH and run from another folder"
    )


@contextmanager
def missing_libraries(purpose: str, module: str) -> Iterator[None]:
    """Turn the import of a library that is not installed into MissingExtra, where a module of ours
    imports it.

    purpose: what needs it, as the line shows it. module: ours, whose package tells the extra. An
    import that fails inside an installed library, or names a module of ours, keeps its traceback.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        ours = {"csc_tasks", *EXTRAS}
        library = (error.name or "").split(".")[0]
        frames = [frame.f_globals for frame, _ in traceback.walk_tb(error.__traceback__)]
        packages = [
            str(names.get("__package__") or "").split(".")[0]
            for names in frames
            if not _imports(names)
        ]
        if not library or library in ours or packages[-1] not in ours:
            raise
        extra = EXTRAS.get(module.split(".")[0])
        wanted = f"'csc-tasks[{extra}]'" if extra else "csc-tasks"
        raise MissingExtra(
            f"{purpose} needs '{library}', which is not installed: pip install {wanted}"
        ) from None


def _imports(names: dict[str, Any]) -> bool:
    """Whether a frame with these globals belongs to Python's own import machinery."""
    return str(names.get("__name__")).split(".")[0] in (
        "importlib",
        "_frozen_importlib",
        "_frozen_importlib_external",
    )
