"""Reading a small file that a user named: its text or its JSON, or one line about what is wrong
with it.

A file that is missing, a folder, not readable, not UTF-8 or broken JSON are different mistakes, and
are told apart.
"""

import json
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError


def not_utf8(place: str, error: UnicodeDecodeError) -> DataError:
    """The error for bytes at `place` that are no UTF-8."""
    return DataError(
        f"{place}: not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x}); save the"
        " file as UTF-8"
    )


def read_text(file: Path, wanted: str, shown: str | None = None) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises DataError that opens with the file, or `shown`; `wanted` says what would do, as in "give
    a recipe".
    """
    name = shown or str(file)
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; {wanted}") from None
    except IsADirectoryError:
        raise DataError(f"{name}: is a folder; {wanted}") from None
    except UnicodeDecodeError as error:
        raise not_utf8(name, error) from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror}); {wanted}") from None


def read_json(file: Path, wanted: str) -> Any:
    """What a JSON file holds. Raises DataError as `read_text` does, and with line and column for
    what is not JSON.
    """
    text = read_text(file, wanted)
    if not text.strip():
        raise DataError(f"{file}: is empty; {wanted}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            f"{file}: broken JSON, perhaps cut off ({error.msg}, {place}); {wanted}"
        ) from None
    except RecursionError:
        raise DataError(f"{file}: nested too deeply; {wanted}") from None
