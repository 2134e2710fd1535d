"""Files that cannot be used are set aside, each with its reason, and do not stop the others."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from csc_tasks.errors import DataError
from csc_tasks.runs.finding import OLDER, REPEATS, repeat_groups, say_left_out
from csc_tasks.shown import shown

LONGEST_NAME, LONGEST_REASON, NAMED = 200, 300, 3
STRICT_HELP = (
    "stop at the first file that cannot be used; without it such files are set aside, named and"
    " counted, and the exit status is 0 as long as one file is left"
)

T = TypeVar("T")


class Quarantine:
    """The files set aside so far. paths: what the user named, which names of files are relative to.
    strict: the first bad file is an error.
    """

    def __init__(self, paths: Sequence[Path], strict: bool = False) -> None:
        self.paths = paths
        self.strict = strict
        self.errors: list[tuple[Path, DataError]] = []

    def add(self, file: Path, error: DataError) -> None:
        """Set a file aside, which is said on stderr; raises the error where strict."""
        if self.strict:
            raise error
        self.errors.append((file, error))
        print(f"set aside: {shown(str(error))}", file=sys.stderr)

    def tried(self, files: Iterable[Path], read: Callable[[Path], T]) -> list[T]:
        """What `read` makes of the files, without those that it raises DataError for. Raises
        DataError as `check` does.
        """
        values: list[T] = []
        for file in files:
            try:
                values.append(read(file))
            except DataError as error:
                self.add(file, error)
        self.check(len(values))
        return values

    def check(self, left: int) -> None:
        """Raise DataError where nothing is left."""
        if left or not self.errors:
            return
        if len(self.errors) == 1:
            raise self.errors[0][1]
        raise DataError(
            f"none of {len(self.errors)} files can be used; the first: {self.errors[0][1]}"
        )

    def say(self) -> None:
        """Print how many files are set aside."""
        if self.errors:
            print(
                f"{counted(len(self.errors))} set aside, each named above; --strict makes that an"
                " error",
                file=sys.stderr,
            )

    def entries(self) -> list[tuple[str, str]]:
        """(file, reason) of each, fit for publishing: names relative to what the user named, on one
        line, without folders of the machine.
        """
        return [
            (shown(self._name(file))[:LONGEST_NAME], self._reason(file, str(error)))
            for file, error in self.errors
        ]

    def note(self) -> str:
        """The footnote of tables that these files are not in; "" where there are none."""
        if not self.errors:
            return ""
        names = [name for name, _ in self.entries()]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return (
            f"Not in these numbers: {counted(len(names))} that cannot be used"
            f" ({', '.join(names[:NAMED])}{more}). The board says why."
        )

    def _name(self, file: Path) -> str:
        for path in self.paths:
            if path != file and path in file.parents:
                return file.relative_to(path).as_posix()
        return file.name

    def _reason(self, file: Path, text: str) -> str:
        text = text.removeprefix(f"{file}").removeprefix(":")
        # The longest first: one may be part of another.
        folders = {str(path) for path in (file.parent, *self.paths, file.parent.resolve())}
        for folder in sorted(folders, key=len, reverse=True):
            text = text.replace(f"{folder}{os.sep}", "")
        text = shown(text.replace(str(Path.home()), "~"))
        return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}\u2026"


def read_newest(
    files: Sequence[Path],
    aside: Quarantine,
    read: Callable[[Path], T],
    *,
    repeats: bool = True,
) -> Iterator[T]:
    """What `read` makes of one samples file per model, task and conditions, one at a time: of those
    that can be read the newest, by its date and then its name. repeats: whether runs that differ
    only in their seed all count; else the first of them that can be read does. What is left out is
    said.

    Raises DataError where there is none.
    """
    choices: dict[Path, list[Path]] = {}
    older: set[Path] = set()
    others: set[Path] = set()
    for groups in repeat_groups(files):
        older |= {file for group in groups for file in group[:-1]}
        newest_first = [group[::-1] for group in groups]
        if not repeats:
            others |= {group[-1] for group in groups[1:]}
            newest_first = [[file for group in newest_first for file in group]]
        choices |= {group[0]: group for group in newest_first}
    say_left_out([file for file in files if file in older], OLDER)
    say_left_out([file for file in files if file in others], REPEATS)
    count = 0
    for file in (file for file in files if file in choices):
        for candidate in choices[file]:
            try:
                value = read(candidate)
            except DataError as error:
                aside.add(candidate, error)
                continue
            count += 1
            yield value
            break
    aside.check(count)
    aside.say()


def counted(files: int) -> str:
    """`1 file`, `3 files`."""
    return f"{files} file" if files == 1 else f"{files} files"
