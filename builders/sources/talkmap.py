"""talkmap's banking conversation corpus (Hub: talkmap/banking-conversation-corpus, English): a CSV
row an utterance, in no order.

Columns `conversation_id, speaker (agent|client), date_time, text`. The file is larger than memory
should be, so its rows first go into temporary files by a hash of the conversation's id; each then
holds whole conversations and fits into memory. There rows are sorted by the parsed time, and rows
of one time stay in the order of the file. Temporary space: about the size of the file (TMPDIR names
the place).

A row without text is left out and counted, its conversation stays: in a call log that is a turn
nobody transcribed. A second row with the same id, speaker, time and text is a duplicate, left out
and counted. A row that cannot be read costs its whole conversation.
"""

import csv
import gzip
import io
import marshal
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from builders.sources.progress import ReadingProgress
from builders.sources.raw import RawConversation, Reading, is_unicode
from csc_tasks.conversation import Turn
from csc_tasks.errors import DataError
from csc_tasks.shapes import SPEAKERS

COLUMNS = ("conversation_id", "speaker", "date_time", "text")

PART = 16 << 20
"""Bytes of the source for which there is one temporary file; a part takes about six times as much
memory when it is sorted.
"""
PARTS = 512
BATCH = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Compressed text grows about so many times.
_COMPRESSION = 8

Row = tuple[str, str | None, int, int, str]
"""(id, speaker, microseconds since 1970, line, text); the speaker is None in a row that spoils its
conversation.
"""


def read(path: Path, reading: Reading) -> Iterator[RawConversation]:
    """The conversations of the CSV file (also .gz), ordered by a hash of their ids: the same order
    however large the file is.
    """
    size = path.stat().st_size * (_COMPRESSION if path.suffix == ".gz" else 1)
    parts = min(PARTS, size // PART + 1)
    with ExitStack() as stack:
        try:
            # Without a name from the start on: nothing is left behind when the process is killed.
            files = [
                stack.enter_context(tempfile.TemporaryFile(prefix="csc-talkmap-"))
                for _ in range(parts)
            ]
            _distribute(path, files, reading)
        except OSError as error:
            where = tempfile.gettempdir()
            says = error.strerror or error
            raise DataError(
                f"{path}: {says}; its rows are sorted in temporary files in {where} (TMPDIR names"
                " another place)"
            ) from None
        for file in files:
            yield from _conversations(file, path.name, reading)
            file.truncate(0)


def _distribute(path: Path, files: Sequence[BinaryIO], reading: Reading) -> None:
    """Write every row of the source into the file of its conversation."""
    batches: list[list[Row]] = [[] for _ in files]
    with path.open("rb") as raw, ReadingProgress(path.name, path.stat().st_size) as progress:
        for row in _rows(raw, path, reading):
            i = _place(row[0]) * len(files) >> 32
            batches[i].append(row)
            if len(batches[i]) >= BATCH:
                _write(batches[i], files[i])
                batches[i].clear()
            if not row[3] & 8191:
                progress.at(raw.tell())
    for batch, file in zip(batches, files, strict=True):
        _write(batch, file)
        file.seek(0)


def _write(batch: list[Row], file: BinaryIO) -> None:
    data = marshal.dumps(batch)
    # marshal.load asks the file for a few bytes at a time; the length lets us read a batch at once.
    file.write(len(data).to_bytes(8, "big") + data)


def _rows(raw: BinaryIO, path: Path, reading: Reading) -> Iterator[Row]:
    """The rows that say which conversation they belong to, sound or not."""
    name, counts = path.name, reading.counts
    binary = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    with io.TextIOWrapper(
        binary, encoding="utf-8-sig", errors="surrogateescape", newline=""
    ) as lines:
        rows = csv.reader(lines)
        header = next(_guarded(rows, name, reading), [])
        positions = _positions(header, name)
        pick = itemgetter(*positions)
        for cells in _guarded(rows, name, reading):
            line = rows.line_num
            if not cells:
                continue
            counts["rows_read"] += 1
            if len(cells) != len(header):
                detail = f"{len(cells)} instead of {len(header)}: {str(cells)[:80]}"
                reading.problem("row has another number of cells", f"{name}, line {line}", detail)
                # What there is of the id spoils that conversation. It may be cut off itself; then
                # its row is merely missing, and reported.
                if cells[0] and positions[0] == 0:
                    yield cells[0], None, 0, line, ""
                continue
            number, speaker, time, text = pick(cells)
            if not number or not is_unicode(number):
                reading.problem("no conversation_id", f"{name}, line {line}", repr(cells)[:80])
                continue
            place = f"{name}, line {line} (conversation {number})"
            microseconds = _microseconds(time)
            if speaker not in ("agent", "client"):
                reading.problem("unknown speaker", place, f"{speaker!r}; known are agent, client")
                yield number, None, 0, line, ""
            elif microseconds is None:
                reading.problem("date_time is no time", place, repr(time))
                yield number, None, 0, line, ""
            elif not is_unicode(text):
                reading.problem("text is not valid Unicode", place, repr(text)[:60])
                yield number, None, 0, line, ""
            elif not text.strip() or text in ("null", "NULL", "None", "nan", "NaN"):
                counts["rows_left_out: text is null"] += 1
            else:
                yield number, speaker, microseconds, line, text


def _guarded(rows, name: str, reading: Reading) -> Iterator[list[str]]:
    """The cells of each row; a row that the CSV reader refuses is a problem, an early end of a
    compressed file the last one.
    """
    while True:
        start = rows.line_num + 1
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            reading.problem("no CSV row", f"{name}, lines {start} to {rows.line_num}", str(error))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            detail = f"{error}; conversations may lack rows that came after"
            reading.problem(
                "the file is cut off or damaged", f"{name}, after line {rows.line_num}", detail
            )
            return


def _positions(header: list[str], name: str) -> list[int]:
    """Where each of COLUMNS stands. Raises DataError for a header without one of the columns: then
    nothing in the file can be read.
    """
    if not all(map(is_unicode, header)):
        raise DataError(f"{name}, line 1: not UTF-8; save the file as UTF-8")
    names = [column.strip() for column in header]
    if missing := [column for column in COLUMNS if column not in names]:
        present = ", ".join(header)[:120] or "nothing"
        raise DataError(
            f"{name}, line 1: no column {', '.join(missing)}; found {present}, needed"
            f" {', '.join(COLUMNS)}"
        )
    return [names.index(column) for column in COLUMNS]


def _place(number: str) -> int:
    return zlib.crc32(number.encode("utf-8", "surrogateescape"))


def _microseconds(text: str) -> int | None:
    """Microseconds since 1970 of an ISO time with or without microseconds; one without a zone is
    taken as UTC.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def _conversations(file: BinaryIO, name: str, reading: Reading) -> Iterator[RawConversation]:
    """The conversations of one temporary file, in the order of their ids' hashes."""
    grouped: dict[str, list[Row]] = {}
    while length := file.read(8):
        for row in marshal.loads(file.read(int.from_bytes(length, "big"))):
            grouped.setdefault(row[0], []).append(row)
    for number in sorted(grouped, key=lambda number: (_place(number), number)):
        rows = grouped.pop(number)
        place = f"{name} (conversation {number})"
        if any(row[1] is None for row in rows):
            # Its rows were reported one by one.
            reading.counts["conversations_left_out"] += 1
            continue
        unique = {
            (speaker, time, text): line
            for _, speaker, time, line, text in sorted(rows, key=lambda row: row[3], reverse=True)
        }
        if len(unique) < len(rows):
            reading.counts["rows_left_out: duplicate"] += len(rows) - len(unique)
        ordered = sorted(
            (time, line, speaker, text) for (speaker, time, text), line in unique.items()
        )
        turns = [Turn(SPEAKERS[speaker], text) for _, _, speaker, text in ordered if speaker]
        if conversation := reading.take(number, "en", "", "talkmap", turns, place):
            yield conversation
