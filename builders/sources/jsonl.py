"""Our own form of recorded conversations: a line is `{conversation_id, turns: [{speaker, text}],
topic?, language?, source?}`.

The other names that `csc_tasks.shapes` knows are read too; strategies are not: what is recorded has
none.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from builders.sources.raw import RawConversation, Reading
from csc_tasks import shapes
from csc_tasks.conversation import Turn, text_of
from csc_tasks.errors import DataError
from csc_tasks.framework import TOPICS
from csc_tasks.languages import languages
from csc_tasks.languages.detect import detect
from csc_tasks.languages.labels import topic_name


def read(path: Path, reading: Reading, language: str | None) -> Iterator[RawConversation]:
    """The conversations of a JSONL file (also .gz), line by line; `language` is that of rows that
    name none.
    """
    seen: set[str] = set()
    for number, line in lines(path, reading):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        conversation = _conversation(line, place, path, reading, language, seen)
        if conversation is not None:
            yield conversation


def lines(path: Path, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """(number from 1, bytes) of each line. A compressed file that is cut off is a problem at its
    last line.
    """
    number = 0
    with opened(path) as file:
        try:
            for number, line in enumerate(file, 1):
                yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            reading.problem(
                "the file is cut off or damaged", f"{path.name}, after line {number}", str(error)
            )


def opened(path: Path) -> BufferedIOBase:
    """The file's bytes, decompressed where its name ends in .gz."""
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")


def _conversation(
    line: bytes, place: str, path: Path, reading: Reading, language: str | None, seen: set[str]
) -> RawConversation | None:
    """The conversation of one line; None for a line that is left out, which `reading` counts."""
    row = _row(line, place, reading)
    if row is None:
        return None
    try:
        fields = {
            key: text_of(row, key, place)
            for key in ("conversation_id", "topic", "language", "source")
        }
    except DataError as error:
        reading.leave_out("a field is no text", place, str(error).removeprefix(f"{place}: "))
        return None
    source_id = fields["conversation_id"]
    if not source_id:
        reading.leave_out("no conversation_id", place)
        return None
    place = f"{place} (conversation {source_id})"
    if source_id in seen:
        reading.leave_out("conversation_id occurs twice", place)
        return None
    seen.add(source_id)
    if fields["language"] and fields["language"] not in languages():
        _leave_out_language(f"{fields['language']!r}", place, reading)
        return None
    turns = _turns(row[shapes.turns_key(row) or "turns"], place, reading)
    if turns is None:
        return None
    topic = topic_name(fields["topic"])
    if topic and topic not in TOPICS:
        reading.counts["topics_not_among_the_eight_and_so_unknown"] += 1
        topic = ""
    spoken = fields["language"] or language or detect(" ".join(turn.text for turn in turns))
    if spoken is None:
        reading.leave_out(
            "no language and too little text to tell it",
            place,
            "give the row a language, or --source-language",
        )
        return None
    if spoken not in languages():
        _leave_out_language(f"looks like {spoken!r}", place, reading)
        return None
    source = fields["source"] or path.name.partition(".")[0]
    return reading.take(source_id, spoken, topic, source, turns, place)


def _row(line: bytes, place: str, reading: Reading) -> dict | None:
    """The object with a list of turns that a line holds."""
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        reading.leave_out("not UTF-8", place, f"byte {error.start} of the line")
        return None
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; the file ends here, it may be cut off"
        reading.leave_out("not JSON", place, f"{error}{cut}")
        return None
    if not isinstance(row, dict) or not isinstance(row.get(shapes.turns_key(row) or "turns"), list):
        reading.leave_out("no object with a list of turns", place, repr(row)[:80])
        return None
    return row


def _turns(turns: list, place: str, reading: Reading) -> list[Turn] | None:
    read = []
    for i, turn in enumerate(turns):
        speaker = shapes.part(turn, shapes.SPEAKER) if isinstance(turn, dict) else None
        text = shapes.part(turn, shapes.TEXT) if isinstance(turn, dict) else None
        known = shapes.speaker_of(speaker) if isinstance(speaker, str) else None
        if known is None:
            reading.leave_out(
                "unknown speaker",
                f"{place}: turn {i}",
                f"{speaker!r}; known are {', '.join(shapes.SPEAKERS)}",
            )
            return None
        if not isinstance(text, str):
            reading.leave_out(
                "text is null" if text is None else "text is no text",
                f"{place}: turn {i}",
                repr(text)[:60],
            )
            return None
        read.append(Turn(known, text))
    return read


def _leave_out_language(which: str, place: str, reading: Reading) -> None:
    known = ", ".join(languages())
    reading.leave_out("unknown language", place, f"{which}; known are {known}")
