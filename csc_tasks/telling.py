"""What a verb says and where, by one rule:

    stdout  what was asked for (`show`: a table, a path, a verdict), then what was
            read and left out (`tally`) and what was done (`tell`)
    stderr  errors, warnings and notes, which are printed there as they are, and asides (`mention`)

With --quiet what was done and asides are not said, and what was left out goes to stderr: it is a
warning. With --json that names no file one JSON document (`show_document`) takes the place of what
was asked for, and stdout has nothing else: what was read and done is said on stderr.
"""

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from csc_tasks.out import replace_file

QUIET = "CSC_QUIET"
"""The variable that makes every verb quiet; the processes that a quiet verb starts inherit it."""

STDOUT = "-"
"""The FILE of `--json` that stands for stdout."""

# What else is said in a process, by libraries: progress bars, and lm_eval's log below warnings.
_OF_LIBRARIES = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "LMEVAL_LOG_LEVEL": "WARNING",
}
_document: ContextVar[TextIO | None] = ContextVar("document", default=None)


@contextmanager
def speaking(quiet: bool = False, document: bool = False) -> Iterator[None]:
    """A verb runs: quietly, and with a JSON document alone on stdout. quiet is also what QUIET in
    the environment says.
    """
    with ExitStack() as stack:
        if quiet or is_quiet():
            stack.enter_context(_variables({**_OF_LIBRARIES, **os.environ, QUIET: "1"}))
        if document:
            token = _document.set(sys.stdout)
            stack.callback(_document.reset, token)
            stack.enter_context(redirect_stdout(sys.stderr))
        yield


def is_quiet() -> bool:
    """Whether only errors, warnings and what was asked for are said."""
    return os.environ.get(QUIET, "") not in ("", "0")


def show(*lines: object, sep: str = "\n", end: str = "\n") -> None:
    """Print what was asked for; a document on stdout stands in its place."""
    if _document.get() is None:
        print(*lines, sep=sep, end=end)


def tell(*lines: object, sep: str = "\n", end: str = "\n") -> None:
    """Say what was done, and what may be done next."""
    if not is_quiet():
        print(*lines, sep=sep, end=end, flush=True)


def tally(*lines: object, sep: str = "\n", end: str = "\n") -> None:
    """Say what was read and what of it was left out, which is never silent."""
    print(*lines, sep=sep, end=end, flush=True, file=sys.stderr if is_quiet() else sys.stdout)


def mention(*lines: object) -> None:
    """Say on stderr how far the work is, or what else there is: no warning."""
    if not is_quiet():
        print(*lines, sep="\n", flush=True, file=sys.stderr)


def show_document(place: str | None, document: Mapping[str, Any] | list[Any]) -> None:
    """What `--json` (place) asks for beside what is shown: nothing (None), a JSON document on
    stdout (STDOUT), or one in a file.

    Raises SettingError where the file cannot be written.
    """
    if place == STDOUT:
        print(as_json(document), file=_document.get() or sys.stdout)
    elif place:
        mention(f"wrote {replace_file(Path(place), as_json(document) + chr(10))}")


def show_json_lines(place: str | None, objects: Iterable[Mapping[str, Any]]) -> None:
    """`show_document` of many objects, one a line, each printed as soon as it is there."""
    lines = []
    for one in objects:
        line = as_json(one, indent=None)
        if place == STDOUT:
            print(line, file=_document.get() or sys.stdout, flush=True)
        lines.append(f"{line}\n")
    if place and place != STDOUT:
        mention(f"wrote {replace_file(Path(place), lines)}")


def as_json(document: Mapping[str, Any] | list[Any], indent: int | None = 2) -> str:
    """A document as JSON with numbers in full; what is no number (NaN, infinity) is null, and half
    a surrogate pair, which a reply may hold and UTF-8 cannot, \\ud83d.
    """
    import json

    text = json.dumps(_finite(document), ensure_ascii=False, indent=indent, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()


def stdout_of_steps() -> int | None:
    """Where the stdout of a process goes that is a step of a verb, for subprocess: nowhere when
    quiet, to stderr beside a document, else to ours.
    """
    import subprocess

    if is_quiet():
        return subprocess.DEVNULL
    return sys.stderr.fileno() if _document.get() else None


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


@contextmanager
def _variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """These variables of the environment, and those that were there before at the end."""
    before = dict(os.environ)
    changed = {name: text for name, text in wanted.items() if before.get(name) != text}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name in changed:
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)
