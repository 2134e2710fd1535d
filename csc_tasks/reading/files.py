"""The bytes and the text of a file, or one line about what is wrong with it.

A file that is missing, a folder, a pipe, too large, not readable or not UTF-8 are different
mistakes, and are told apart. Nothing here waits: a named pipe is refused before it is opened.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from csc_tasks.errors import DataError

LARGEST = 2**30
"""Bytes of a file that is read as a whole, unless its reader knows better."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)
# The longer marks first: that of UTF-32 opens with that of UTF-16.
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


@contextmanager
def open_bytes(file: Path, wanted: str, shown: str | None = None) -> Iterator[BinaryIO]:
    """A regular file, open for reading its bytes.

    Raises DataError that opens with the file, or `shown`, for one that is missing, not readable, or
    no regular file; `wanted` says what would do, as in "give a recipe".
    """
    name = shown or str(file)
    try:
        _check_regular(os.stat(file).st_mode, name, wanted)
        # Should a pipe have taken the file's place meanwhile, opening it must not wait either.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        stream = os.fdopen(os.open(file, flags), "rb")
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; {wanted}") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror}); {wanted}") from None
    except ValueError as error:
        raise DataError(f"{name}: cannot be read ({error}); {wanted}") from None
    with stream:
        _check_regular(os.fstat(stream.fileno()).st_mode, name, wanted)
        yield stream


def read_bytes(
    file: Path, wanted: str, shown: str | None = None, largest: int = LARGEST, why: str = ""
) -> bytes:
    """The bytes of a regular file of at most `largest` bytes.

    Raises DataError as `open_bytes` does, and for a larger file, before anything of it is read;
    `why` may add what makes a file of this kind so large.
    """
    name = shown or str(file)
    with open_bytes(file, wanted, shown) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > largest:
            raise DataError(
                f"{name}: has {size / 2**20:,.0f} MB; at most {largest / 2**20:,.0f} MB are"
                f" read{why}; {wanted}"
            )
        try:
            return stream.read(size)
        except OSError as error:
            raise DataError(f"{name}: cannot be read ({error.strerror}); {wanted}") from None


def read_text(file: Path, wanted: str, shown: str | None = None, largest: int = LARGEST) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises DataError as `read_bytes` and
    `decoded` do.
    """
    return decoded(read_bytes(file, wanted, shown, largest), shown or str(file))


def decoded(data: bytes, place: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark.

    Raises DataError that opens with `place` and says what the bytes seem to be instead, and for NUL
    bytes, which no text holds.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
        raise DataError(
            f"{place}: not UTF-8 (byte {at} is 0x{error.object[at]:02x}); save the file as UTF-8"
            f"{_guess(data)}"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{place}: holds NUL bytes (the first is byte {data.index(0)}), which no text has; it"
            " is damaged, or UTF-16 without a byte order mark: save the file as UTF-8"
        )
    return text


def _check_regular(mode: int, name: str, wanted: str) -> None:
    if not stat.S_ISREG(mode):
        kind = next((kind for holds, kind in _KINDS if holds(mode)), "no regular file")
        raise DataError(f"{name}: is {kind}; {wanted}")


def _guess(data: bytes) -> str:
    """What bytes that are no UTF-8 seem to be, and the command that converts them."""
    start = data[: 2**16]
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    if not encoding:
        # Letters with accents mostly stand alone among ASCII; characters of two bytes do not.
        runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", start)]
        encoding = "GB18030" if sum(size > 1 for size in runs) * 2 > len(runs) else "LATIN1"
    return f" (it may be {encoding}: iconv -f {encoding} -t UTF-8 OLD > NEW)"
