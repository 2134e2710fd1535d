"""Where a verb writes: whether it can, found out before any work is done, and files and folders
that appear whole or not at all.

`check_writable` really makes a folder and a small file in the place that would be written to, and
removes both: permission bits, read-only file systems, quotas and full disks all answer the same
question. Nothing is left behind, and the folder itself is not made yet.
"""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from csc_tasks.errors import SettingError

ROOM = 16 << 20
"""Bytes that must be free unless a verb knows better what it will write."""

STORAGE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ENAMETOOLONG,
    }
)
"""What a disk or its owner says no with: never a bug of ours."""


def check_writable(
    path: Path | str, option: str = "--out", *, beside: bool = False, room: int = ROOM
) -> None:
    """Raise SettingError unless a folder at `path` can be made or, where it is there, written into.

    beside: the verb writes next to the folder too (a journal, or the new folder before it takes the
    old one's place).
    room: bytes that must be free.
    """
    path = Path(path)
    if os.path.lexists(path) and not os.path.exists(path):
        raise SettingError(f"{option} {path}: is a link that leads nowhere; give a folder")
    if os.path.exists(path) and not os.path.isdir(path):
        raise SettingError(f"{option} {path}: is a file; give a folder")
    if beside and os.path.ismount(path):
        raise SettingError(
            f"{option} {path}: is a mount point, which cannot be replaced; give a folder in it"
        )
    _probe(_nearest(path.absolute()), path, option, room)
    if beside and path.exists():
        # It is moved aside, which takes the right to change the folder above as well.
        _probe(path.absolute().parent, path, option, room)


def is_new(path: Path, option: str = "--out", *, beside: bool = True, room: int = ROOM) -> bool:
    """`check_writable`, then: is `path` absent or empty? What else it may hold is for the verb to
    say.
    """
    check_writable(path, option, beside=beside, room=room)
    return not path.exists() or not any(path.iterdir())


def say_earlier(text: str) -> None:
    """One line to stderr, before the work, about what an earlier run left where this one writes."""
    print(f"note: {text}", file=sys.stderr)


def replace_file(file: Path, content: str | bytes | Iterable[str]) -> Path:
    """Write `file`, making its folders; it appears whole or not at all, text as UTF-8 with plain
    line ends.

    Raises SettingError where it cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            part.write_bytes(content)
        else:
            # Half a surrogate pair, which UTF-8 cannot hold, becomes \\ud83d: what JSON calls it.
            with part.open(
                "w", encoding="utf-8", errors="backslashreplace", newline="\n"
            ) as stream:
                stream.writelines([content] if isinstance(content, str) else content)
        os.replace(part, file)
    except OSError as error:
        _remove(part)
        raise SettingError(f"{file}: cannot be written ({error.strerror or error})") from None
    except BaseException:
        # The content may be made while it is written.
        _remove(part)
        raise
    return file


@contextmanager
def replace_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder beside `out` to fill, and move it to `out` at the end: what was there
    before goes, or returns on failure.

    Raises SettingError where the file system refuses.
    """
    out = Path(out).resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise SettingError(f"{out}: cannot be written ({error.strerror or error})") from None
    with scratch:
        # A folder of its own inside, because the outer one is readable by its owner only.
        fresh, previous = Path(scratch.name, "fresh"), Path(scratch.name, "previous")
        try:
            fresh.mkdir()
            yield fresh
            _move_into_place(fresh, out, previous)
        except OSError as error:
            # Filling the folder may fail for other reasons than the disk; those stay what they are.
            if error.errno not in STORAGE:
                raise
            raise SettingError(f"{out}: cannot be written ({error.strerror})") from None


def _move_into_place(fresh: Path, out: Path, previous: Path) -> None:
    """Rename `fresh` to `out`. A folder cannot be renamed over a full one: an earlier `out` steps
    aside first, and returns on failure.
    """
    try:
        if out.exists():
            os.replace(out, previous)
        os.replace(fresh, out)
    except BaseException:
        if previous.exists() and not out.exists():
            os.replace(previous, out)
        raise


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _nearest(path: Path) -> Path:
    """`path` or the first of the folders above it that is there."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _probe(folder: Path, path: Path, option: str, room: int) -> None:
    """Make and remove a folder with a small file in it in `folder`; `path` is what the error
    names.
    """
    where = "" if folder == path.absolute() else f" in {folder}"
    if not os.path.isdir(folder):
        raise SettingError(
            f"{option} {path}: cannot be made below {folder}, which is a file; give another folder"
        )
    try:
        _look(path)
        with tempfile.TemporaryDirectory(prefix=".csc-tasks-", dir=folder) as scratch:
            Path(scratch, "probe").write_bytes(bytes(4096))
        usage = shutil.disk_usage(folder)
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(
            f"{option} {path}: cannot be written{where} ({reason}); give another folder"
        ) from None
    # Some network file systems do not tell their size.
    if usage.total and usage.free < room:
        free, needed = usage.free / 2**20, room / 2**20
        raise SettingError(
            f"{option} {path}: {free:,.1f} MiB are free{where}, about {needed:,.0f} are needed;"
            " give another folder"
        )


def _look(path: Path) -> None:
    """Raise the OSError of a path that cannot be one, such as a name that is too long; one that is
    absent is fine.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
