"""Every error this project raises on purpose, and the one helper that asks for an optional dependency.

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
from types import ModuleType


class CscError(Exception):
    """Base of all errors a user can act on."""


class DataError(CscError):
    """A row, file or corpus cannot be read; the text names the place, what was found and what would do."""


class MissingSplit(DataError):
    """A corpus has no such config and split; the text says what there is."""


class UnknownStrategy(DataError):
    """A label is none of the twelve strategies; the text names the closest one."""


class SettingError(CscError):
    """A setting does not exist or its value does not fit; the text lists what does."""


class MissingExtra(CscError):
    """An optional library is absent; the text carries the install command."""


class HubError(CscError):
    """The Hub cannot be reached or has refused; the text says what it answered, what is still here and how to try again."""


class ModelError(CscError):
    """The model or its backend cannot do what the run asks for; the text says which way out there is."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module` or say which extra of csc-tasks brings it and what needs it.

    Raises MissingExtra when the library itself is absent; an error inside an installed library keeps its traceback.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingExtra(f"{purpose} needs '{module}': pip install 'csc-tasks[{extra}]'") from None
