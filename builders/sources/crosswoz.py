"""CrossWOZ (github.com/thu-coai/CrossWOZ, Chinese): `{id: {messages: [{role: usr|sys, content}],
...}}` in val.json or val.json.zip.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from pathlib import Path

from builders.sources.raw import RawConversation, Reading
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn

ROLES = {"usr": CUSTOMER, "sys": SUPPORTER}


def read(path: Path, reading: Reading) -> Iterator[RawConversation]:
    """The conversations of a file, or of all .json and .json.zip files of a folder in the order of
    their names. No topic is given.
    """
    files = [path]
    if path.is_dir():
        files = sorted([*path.glob("*.json"), *path.glob("*.json.zip")])
    for file in files:
        for name, text in _texts(file, reading):
            for number, row, place in _members(text, name, reading):
                turns = _turns(row, place, reading)
                if turns is None:
                    continue
                conversation = reading.take(number, "zh", "", "CrossWOZ", turns, place)
                if conversation:
                    yield conversation


def _texts(path: Path, reading: Reading) -> Iterator[tuple[str, str]]:
    """(name, text) of a JSON file, or of every JSON file in a zip archive."""
    try:
        if path.suffix.lower() != ".zip":
            yield path.name, path.read_bytes().decode("utf-8-sig")
            return
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".json") and not member.startswith("__MACOSX/"):
                    yield f"{path.name}/{member}", archive.read(member).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reading.problem("not UTF-8", path.name, f"byte {error.start}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        reading.problem("the archive is cut off or damaged", path.name, str(error))


def _members(text: str, name: str, reading: Reading) -> Iterator[tuple[str, object, str]]:
    """(key, value, place) of the members of a JSON object one by one, so that a file that is cut
    off gives all that came before the cut.
    """
    decoder = JSONDecoder()
    at, line, counted = 0, 1, 0
    try:
        at = _past(text, at, "{")
        while not text.startswith("}", at):
            key, at = decoder.raw_decode(text, at)
            at = _past(text, at, ":")
            line, counted = line + text.count("\n", counted, at), at
            value, at = decoder.raw_decode(text, at)
            yield str(key), value, f"{name}, line {line} (conversation {key})"
            at = _behind_space(text, at)
            at = at if text.startswith("}", at) else _past(text, at, ",")
    except (JSONDecodeError, RecursionError) as error:
        cut = "; nothing after it can be read, the file may be cut off"
        reading.problem(
            "not JSON",
            name,
            f"{error}{cut}" if isinstance(error, JSONDecodeError) else "nested too deeply",
        )


def _past(text: str, at: int, mark: str) -> int:
    """The place of what follows `mark`, which must stand at `at` but for white space; raises
    JSONDecodeError where it does not.
    """
    at = _behind_space(text, at)
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)
    return _behind_space(text, at + 1)


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _turns(row: object, place: str, reading: Reading) -> list[Turn] | None:
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list):
        reading.leave_out("no object with a list of messages", place, repr(row)[:80])
        return None
    turns = []
    for i, message in enumerate(messages):
        fields = message if isinstance(message, dict) else {}
        role, content = fields.get("role"), fields.get("content")
        if role not in ROLES:
            reading.leave_out(
                "unknown speaker",
                f"{place}: message {i}",
                f"{role!r}; known are {', '.join(ROLES)}",
            )
            return None
        if not isinstance(content, str):
            reading.leave_out(
                "text is null" if content is None else "text is no text",
                f"{place}: message {i}",
                repr(content)[:60],
            )
            return None
        turns.append(Turn(ROLES[role], content))
    return turns
