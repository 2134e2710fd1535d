"""A file or folder -> records, one at a time: a dictionary, or the text of a text file.

What cannot be read is a record without content that says why, and reading goes on; only a source in
which nothing can be read is an error.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError, SettingError, require

KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "text",
    ".log": "text",
}
LARGEST_TEXT = 16 << 20
"""Bytes of a text file, which is one conversation."""
BATCH = 1_000
Event = tuple[str, str, Any]
_STARTS, _ENDS = ("start_map", "start_array"), ("end_map", "end_array")
_PARTS_OF_A_TURN = ("content", "tool_calls")
_TURN_ROLES = ("role", "from", "speaker", "author", "author_type", "author_id", "sender")


@dataclass(frozen=True, slots=True)
class Record:
    """What stands at `place` ("calls.csv, line 7"). problem: why it cannot be used, "" where it
    can; `row` then holds what could be read of it.
    """

    place: str
    row: dict[str, Any]
    problem: str = ""
    detail: str = ""


def kind_of(path: Path) -> str:
    """Which of KINDS a file is in, by its name; "" where it is in none."""
    suffixes = [part.lower() for part in path.suffixes if part.lower() != ".gz"]
    return KINDS.get(suffixes[-1], "") if suffixes else ""


def files_of(source: Path) -> list[Path]:
    """The files of a source in the order of their names, all of one kind.

    Raises DataError where there is none, SettingError for a kind that is not read or several kinds
    in one folder.
    """
    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of conversations")
    known = ", ".join(KINDS)
    if source.is_file():
        if kind_of(source):
            return [source]
        more = "; save a spreadsheet as CSV" if source.suffix.lower().startswith(".xls") else ""
        raise SettingError(f"{source}: a file's name ends in one of {known} (also .gz){more}")
    files = sorted(
        path
        for path in source.rglob("*")
        if path.is_file() and not path.name.startswith((".", "README", "LICEN")) and kind_of(path)
    )
    if not files:
        raise DataError(f"{source} holds no file that is read ({known})")
    kinds = {kind_of(path): path.name for path in files}
    if len(kinds) > 1:
        held = ", ".join(f"{kind} ({name})" for kind, name in sorted(kinds.items()))
        raise SettingError(f"{source} holds files of several kinds, {held}; give a folder of one")
    return files


def records(source: Path, files: list[Path]) -> Iterator[Record]:
    """The records of all files, one after the other."""
    for path in files:
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        kind = kind_of(path)
        if kind == "parquet":
            yield from _parquet(path, name)
            continue
        try:
            with path.open("rb") as raw:
                if path.suffix.lower() == ".gz":
                    yield from _READERS[kind](gzip.GzipFile(fileobj=raw), name)
                else:
                    yield from _READERS[kind](raw, name)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield Record(f"{name}, at its end", {}, "the file is cut off or damaged", str(error))


def _text_stream(file: io.BufferedIOBase, newline: str | None = "") -> io.TextIOWrapper:
    """The characters of a file: UTF-8, or UTF-16 where it says so; bytes that are neither become
    lone surrogates, which are found where a text is used.
    """
    start = file.read(2)
    buffered = io.BufferedReader(_After(start, file))
    wide = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if wide else "utf-8-sig"
    return io.TextIOWrapper(buffered, encoding, errors="surrogateescape", newline=newline)


def _csv(file: io.BufferedIOBase, name: str, delimiter: str = "") -> Iterator[Record]:
    with _text_stream(file) as lines:
        first = lines.readline()
        if not first.strip():
            raise DataError(f"{name} is empty; its first line must name the columns")
        delimiter = delimiter or max(",;\t|", key=first.count)
        header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
        # A line break in a column's name would have cut the header; nobody has one.
        rows = csv.reader(lines, delimiter=delimiter)
        while True:
            start = rows.line_num + 2
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(f"{name}, line {start}", {}, "no CSV row", str(error))
                continue
            if not cells:
                continue
            row = dict(zip(header, cells, strict=False))
            if len(cells) == len(header):
                yield Record(f"{name}, line {start}", row)
            else:
                detail = f"{len(cells)} instead of {len(header)}: {str(cells)[:80]}"
                place = f"{name}, line {start}"
                yield Record(place, row, "a row has another number of cells", detail)


def _tsv(file: io.BufferedIOBase, name: str) -> Iterator[Record]:
    return _csv(file, name, "\t")


def _jsonl(file: io.BufferedIOBase, name: str) -> Iterator[Record]:
    with _text_stream(file, "\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{name}, line {number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Record(place, {}, "not JSON", str(error))
                continue
            yield _record(place, value)


def _json(file: io.BufferedIOBase, name: str) -> Iterator[Record]:
    """The objects of an array, of the arrays that an object holds (`tickets`, `train`), or an
    object that is one conversation.
    """
    ijson: Any = require("ijson", "transcripts", "reading JSON piece by piece")
    number = 0
    try:
        head = file.read(3)
        whole = io.BufferedReader(_After(b"" if head == codecs.BOM_UTF8 else head, file))
        events = ijson.parse(whole, use_float=True)
        for prefix, value in _objects(ijson, events):
            number += 1
            place = f"{name}, {prefix} {number}" if prefix else f"{name}, item {number}"
            yield _record(place, value)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        where = f"{name}, after item {number}"
        detail = " ".join(str(error).split())[:120]
        yield Record(where, {}, "not JSON, and what follows is not read", detail)


class _After(io.RawIOBase):
    """A stream with these bytes before the rest of a file."""

    def __init__(self, head: bytes, file: io.BufferedIOBase) -> None:
        self._head, self._file = head, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._file.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _objects(ijson: Any, events: Iterator[Event]) -> Iterator[tuple[str, Any]]:
    """(key of the array, item) of every item of an array at the top or one level below it, of
    conversations under their ids, or of the whole where it is one conversation.
    """
    _, event, value = next(events)
    if event == "start_array":
        yield from (("", item) for item in _items(ijson, events))
        return
    if event != "start_map":
        yield "", value
        return
    rest: dict[str, Any] = {}
    several = False
    for _, end_or_key, key in events:
        if end_or_key == "end_map":
            break
        _, event, value = next(events)
        if event == "start_array":
            for item in _items(ijson, events):
                if isinstance(item, dict) and not _is_turn(item):
                    several = True
                    yield key, item
                else:
                    rest.setdefault(key, []).append(item)
            continue
        whole = _value(ijson, events, event, value)
        # Intercom has lists as {"contacts": {"contacts": [...]}}.
        if isinstance(whole, dict) and any(
            isinstance(part, list) and name != key for name, part in whole.items()
        ):
            several = True
            yield key, whole
        else:
            rest[key] = whole
    # Beside an array of conversations there are counts, pages, users.
    if not several and any(isinstance(part, list | dict) for part in rest.values()):
        yield "", rest


def _items(ijson: Any, events: Iterator[Event]) -> Iterator[Any]:
    """The items of an array whose start was read."""
    for _, event, value in events:
        if event == "end_array":
            return
        yield _value(ijson, events, event, value)


def _value(ijson: Any, events: Iterator[Event], event: str, value: Any) -> Any:
    """The value that begins with this event."""
    builder = ijson.ObjectBuilder()
    builder.event(event, value)
    depth = int(event in _STARTS)
    while depth:
        _, event, value = next(events)
        builder.event(event, value)
        depth += (event in _STARTS) - (event in _ENDS)
    return builder.value


def _is_turn(item: object) -> bool:
    """Whether an item is an utterance of one conversation, not a conversation or a ticket."""
    return (
        isinstance(item, dict)
        and any(name in item for name in _TURN_ROLES)
        and not any(
            isinstance(value, list) for name, value in item.items() if name not in _PARTS_OF_A_TURN
        )
    )


def _text(file: io.BufferedIOBase, name: str) -> Iterator[Record]:
    with _text_stream(file, None) as stream:
        text = stream.read(LARGEST_TEXT + 1)
    if len(text) > LARGEST_TEXT:
        detail = f"more than {LARGEST_TEXT >> 20} MiB"
        yield Record(name, {}, "a text file is too large to be one conversation", detail)
    else:
        yield Record(name, {"text": text})


def _parquet(path: Path, name: str) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield _record(f"{name}, row {number}", row)
    except (pyarrow.ArrowException, OSError) as error:
        detail = " ".join(str(error).split())[:120]
        yield Record(f"{name}, after row {number}", {}, "no readable parquet file", detail)


def _record(place: str, value: object) -> Record:
    if isinstance(value, dict):
        return Record(place, value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return Record(place, {"messages": value})
    return Record(place, {}, "no object", repr(value)[:80])


_READERS = {"csv": _csv, "tsv": _tsv, "json": _json, "jsonl": _jsonl, "text": _text}
