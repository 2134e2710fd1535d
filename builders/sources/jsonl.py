"""Our own form of recorded conversations: a line is `{conversation_id, turns: [{speaker, text}],
topic?, language?, source?}`.

The other names that `csc_tasks.shapes` knows are read too; strategies are not: what is recorded has
none.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

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
        if line.strip() and (
            conversation := _conversation(
                line, f"{path.name}, line {number}", path, reading, language, seen
            )
        ):
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


def opened(path: Path) -> BinaryIO:
    """The file's bytes, decompressed where its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _conversation(
    line: bytes, place: str, path: Path, reading: Reading, language: str | None, seen: set[str]
) -> RawConversation | None:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return reading.leave_out("not UTF-8", place, f"byte {error.start} of the line")
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; the file ends here, it may be cut off"
        return reading.leave_out("not JSON", place, f"{error}{cut}")
    said = row.get(shapes.turns_key(row) or "turns") if isinstance(row, dict) else None
    if not isinstance(said, list):
        return reading.leave_out("no object with a list of turns", place, repr(row)[:80])
    try:
        found = {
            key: text_of(row, key, place)
            for key in ("conversation_id", "topic", "language", "source")
        }
    except DataError as error:
        return reading.leave_out("a field is no text", place, str(error).removeprefix(f"{place}: "))
    if not found["conversation_id"]:
        return reading.leave_out("no conversation_id", place)
    place = f"{place} (conversation {found['conversation_id']})"
    if found["conversation_id"] in seen:
        return reading.leave_out("conversation_id occurs twice", place)
    seen.add(found["conversation_id"])
    if found["language"] and found["language"] not in languages():
        return reading.leave_out(
            "unknown language", place, f"{found['language']!r}; known are {', '.join(languages())}"
        )
    turns = []
    for i, turn in enumerate(said):
        speaker, text = (
            shapes.part(turn, names) if isinstance(turn, dict) else None
            for names in (shapes.SPEAKER, shapes.TEXT)
        )
        known = shapes.speaker_of(speaker) if isinstance(speaker, str) else None
        if known is None:
            return reading.leave_out(
                "unknown speaker",
                f"{place}: turn {i}",
                f"{speaker!r}; known are {', '.join(shapes.SPEAKERS)}",
            )
        if not isinstance(text, str):
            return reading.leave_out(
                "text is null" if text is None else "text is no text",
                f"{place}: turn {i}",
                repr(text)[:60],
            )
        turns.append(Turn(known, text))
    topic = topic_name(found["topic"])
    if topic and topic not in TOPICS:
        reading.counts["topics_not_among_the_eight_and_so_unknown"] += 1
    spoken = found["language"] or language or detect(" ".join(turn.text for turn in turns))
    if spoken is None:
        return reading.leave_out(
            "no language and too little text to tell it",
            place,
            "give the row a language, or --source-language",
        )
    if spoken not in languages():
        return reading.leave_out(
            "unknown language", place, f"looks like {spoken!r}; known are {', '.join(languages())}"
        )
    source = found["source"] or path.name.partition(".")[0]
    return reading.take(
        found["conversation_id"], spoken, topic if topic in TOPICS else "", source, turns, place
    )
