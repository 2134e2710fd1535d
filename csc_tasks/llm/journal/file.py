"""The journal's file: opened for one writer, made where it is new, upgraded where it is old, and
looked at before anything else is read from it.
"""

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from csc_tasks.errors import SettingError
from csc_tasks.llm.journal.rows import TABLE, VERSION
from csc_tasks.llm.journal.upgrade import upgrade

# "cscJ", so that `file` and this module know the database as ours.
APPLICATION_ID = 0x6373634A


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database, made or brought up to date where it must be; raises SettingError."""
    try:
        # isolation_level None: each statement is a transaction, so a row is on disk when the call
        # returns.
        database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise SettingError(f"{path}: {error}") from None
    try:
        version = check(path, database)
        database.execute("PRAGMA journal_mode = WAL")
        # In WAL mode this loses nothing when the process dies, and never corrupts; only a power cut
        # may undo the last rows.
        database.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            # In one transaction: a process that dies here leaves an empty file or a journal.
            signed = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}"
            database.executescript(f"BEGIN; {TABLE}; {signed}; COMMIT")
        elif version < VERSION:
            print(f"{path} is of an earlier version and is brought up to date", file=sys.stderr)
            upgrade(database)
    except sqlite3.Error as error:
        database.close()
        raise SettingError(f"{path} cannot be used as a journal: {error}") from None
    except BaseException:
        database.close()
        raise
    return database


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database, to be read alone; raises SettingError where it is no journal."""
    path = Path(path)
    if not path.is_file():
        raise SettingError(f"{path} is no file; give the journal of a build")
    try:
        database = _connect_to_read(path)
        if not _opens(database):
            database.close()
            ahead = path.with_name(f"{path.name}-wal")
            if ahead.exists() and ahead.stat().st_size:
                raise SettingError(
                    f"{path} lies where nothing can be written, and some of its rows in"
                    f" {ahead.name} beside it; copy both to another folder and read them there"
                )
            database = _connect_to_read(path, "&immutable=1")
    except sqlite3.Error as error:
        raise SettingError(f"{path}: {error}") from None
    try:
        if check(path, database) == 0:
            raise SettingError(f"{path} is empty; give the journal of a build")
    except BaseException:
        database.close()
        raise
    return database


def _connect_to_read(path: Path, more: str = "") -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro{more}"
    return sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)


def _opens(database: sqlite3.Connection) -> bool:
    """Whether it can be read as it lies: SQLite keeps a file beside it, which a read-only disk
    cannot hold.
    """
    try:
        database.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_CANTOPEN
    return True


def check(path: Path, database: sqlite3.Connection) -> int:
    """The journal's version, 0 for a new file; raises SettingError for anything else."""
    try:
        application: int = database.execute("PRAGMA application_id").fetchone()[0]
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
        empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.Error as error:
        text = f"{path} is no journal of this project ({error}); give another file"
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT:
            text = (
                f"{path} is damaged ({error}); `csc journal salvage {path} --out FILE` keeps what"
                " can be read"
            )
        raise SettingError(text) from None
    if application != APPLICATION_ID and not (application == 0 and empty):
        raise SettingError(
            f"{path} is a database of something else; give another file for the journal"
        )
    if version > VERSION:
        raise SettingError(
            f"{path} was written by a newer csc-tasks (journal version {version}, this one reads"
            f" {VERSION})"
        )
    return version


def lock(path: Path) -> int:
    """A file descriptor that holds the lock; the kernel drops it with the process, so a stale lock
    file means nothing.
    """
    import fcntl

    if path.is_dir():
        raise SettingError(f"{path} is a folder; give a file for the journal")
    beside = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SettingError(f"{path} cannot be a journal: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise SettingError(
            f"{path} is in use by process {holder or '?'}; wait until it ends, or give another"
            " journal"
        ) from None
    except OSError as error:
        os.close(descriptor)
        raise SettingError(
            f"{path} cannot be locked ({error.strerror}); put the journal on a local disk"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


@contextmanager
def locked(paths: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of several journals; raises SettingError where another process has one."""
    descriptors: list[int] = []
    try:
        for path in paths:
            descriptors.append(lock(path))
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def file_identity(path: Path) -> tuple[int, int]:
    """Device and inode."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
