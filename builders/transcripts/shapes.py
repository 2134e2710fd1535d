"""Which shape records are in, and which of their columns hold what: guessed from the first records
by names and values, or given.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builders.transcripts import times
from builders.transcripts.files import Record
from builders.transcripts.lines import looks_spoken
from builders.transcripts.said import plain_name
from builders.transcripts.speakers import known_role
from csc_tasks.errors import DataError, SettingError

SAMPLE = 500
"""So many records are looked at."""
PARTS = ("id", "speaker", "text", "time", "private", "turns")

TABLE, TURNS, LINES = "an utterance a row", "a conversation a record", "a conversation a text"

NAMES: dict[str, tuple[str, ...]] = {
    "id": (
        *("conversation_id", "convo_id", "conv_id", "dialogue_id", "dialog_id", "chat_id"),
        *("ticket_id", "session_id", "thread_id", "case_id", "case_number", "call_id"),
        *("interaction_id", "room_id", "conversation", "ticket", "session", "thread", "chat"),
        *("dialogue", "dialog", "case", "issue_id", "issue", "id"),
    ),
    "speaker": (
        *("speaker", "role", "author_role", "author_type", "sender_type", "speaker_role"),
        *("speaker_type", "user_type", "participant_type", "participant_role", "from_type"),
        *("sender_role", "message_from", "sent_by", "said_by", "from", "sender", "author"),
        *("participant", "who", "direction", "incoming", "inbound", "sender_name", "author_name"),
        *("from_name", "user", "name", "author_id", "sender_id", "user_id"),
    ),
    "text": (
        *("text", "utterance", "message", "content", "body", "plain_body", "body_text"),
        *("message_text", "message_body", "msg", "html_body", "comment", "value", "sentence"),
        *("line", "transcript", "said"),
    ),
    "time": (
        *("date_time", "datetime", "timestamp", "created_at", "sent_at", "time", "created"),
        *("message_time", "sent_time", "date", "turn_index", "turn_id", "turn", "index"),
        *("position", "seq", "sequence", "sequence_id", "message_index", "line_number", "order"),
    ),
    "private": (
        *("private", "is_private", "internal", "is_internal", "public", "is_public"),
        *("visibility", "part_type", "message_type", "comment_type"),
    ),
    "turns": (
        *("messages", "conversations", "conversation", "dialogue", "dialog", "turns"),
        *("utterances", "comments", "conversation_parts", "parts", "replies", "transcript"),
        *("chat", "log", "original", "events", "history", "thread", "text", "body", "content"),
    ),
}
"""What a column holds -> the names it goes by, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How records are read. columns: part -> column; time_form: see `times`; notes: what the user
    should know about the guess.
    """

    kind: str
    columns: Mapping[str, str]
    time_form: str = ""
    notes: tuple[str, ...] = field(default=())


def parse_columns(text: str) -> dict[str, str]:
    """`text=body,speaker=author_type` -> part: column. Raises SettingError."""
    given: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        part, sign, column = (word.strip() for word in item.partition("="))
        if not sign or not column or part not in PARTS:
            raise SettingError(
                f"--columns {item!r}: give PART=COLUMN, with PART one of {', '.join(PARTS)}"
            )
        if part in given:
            raise SettingError(f"--columns: {part} is given twice")
        given[part] = column
    return given


def shape_of(name: str, sample: Sequence[Record], given: Mapping[str, str]) -> Shape:
    """The shape of the records of `name`, of which `sample` are the first.

    Raises DataError where nothing can be read, SettingError where a column given does not exist or
    one that is needed cannot be guessed.
    """
    rows = [record.row for record in sample if not record.problem]
    if not rows:
        first = next(iter(sample), None)
        why = f"{first.place}: {first.problem} ({first.detail})" if first else "it is empty"
        raise DataError(f"{name} holds nothing that can be read: {why}")
    there = _columns(rows)
    for part, column in given.items():
        if column not in there:
            raise SettingError(
                f"--columns {part}={column}: there is no such column; there are {_listed(there)}"
            )
    turns = given.get("turns") or (None if given.keys() & {"id"} else _turns_column(rows, there))
    if turns:
        kind = LINES if _lines(rows, turns) else TURNS
        return Shape(kind, {"turns": turns} | {k: v for k, v in given.items() if k != "turns"})
    return _table(name, rows, there, given)


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(name) for row in rows for name in row))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _by_name(part: str, there: Sequence[str]) -> list[str]:
    """The columns that may hold this part, the likeliest first."""
    by_plain: dict[str, str] = {}
    for name in there:
        by_plain.setdefault(plain_name(name), name)
    return [by_plain[name] for name in NAMES[part] if name in by_plain]


def _turns_column(rows: Sequence[Mapping[str, Any]], there: Sequence[str]) -> str | None:
    for column in _by_name("turns", there):
        values = [row.get(column) for row in rows]
        if sum(turn_list(value) is not None for value in values) * 2 > len(rows):
            return column
        if sum(isinstance(v, str) and looks_spoken(v) for v in values) * 2 > len(rows):
            return column
    return None


def _lines(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return not any(turn_list(row.get(column)) is not None for row in rows)


def turn_list(value: object) -> list[Any] | None:
    """The list of turns that a column holds: a list of objects or of pairs, also under the same
    name once more (Intercom) or as JSON text; None for anything else.
    """
    if isinstance(value, dict):
        inner = [part for part in value.values() if isinstance(part, list)]
        value = inner[0] if len(inner) == 1 else None
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list) and all(isinstance(item, dict | list | tuple) for item in value):
        return value
    return None


def _table(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    there: Sequence[str],
    given: Mapping[str, str],
) -> Shape:
    columns = {part: column for part, column in given.items()}
    taken = set(columns.values())
    for part in ("text", "speaker", "id", "time", "private"):
        if part in columns:
            continue
        names = [column for column in _by_name(part, there) if column not in taken]
        column = _chosen(part, names, rows)
        if column:
            columns[part] = column
            taken.add(column)
    missing = [part for part in ("id", "speaker", "text") if part not in columns]
    if there == ["text"]:
        raise SettingError(
            f"{name}: no lines that open with a name (`Anna: ...`), as a text of a conversation has"
        )
    if missing:
        example = ",".join(f"{part}=COLUMN" for part in missing)
        raise SettingError(
            f"{name}: cannot tell which column holds the {', the '.join(missing)}; there are"
            f" {_listed(there)}; give --columns {example}"
        )
    return _timed(columns, rows, given)


def _chosen(part: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The first column that fits what its values are, else the first."""
    if part == "speaker":
        for column in names:
            values = {str(row.get(column)) for row in rows if row.get(column) not in (None, "")}
            if values and all(known_role(value) for value in values):
                return column
    if part == "id":
        for column in names:
            ids = [str(row.get(column)) for row in rows]
            if len(set(ids)) < len(ids):
                return column
    if part == "private":
        names = [column for column in names if _tells_private(rows, column)]
    if part == "time":
        names = [column for column in names if any(row.get(column) for row in rows)]
    return names[0] if names else ""


def _tells_private(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    flags = {"true", "false", "0", "1", "yes", "no", "public", "private", "internal", "note"}
    return any(str(row.get(column)).strip().casefold() in flags for row in rows)


def _timed(
    columns: dict[str, str], rows: Sequence[Mapping[str, Any]], given: Mapping[str, str]
) -> Shape:
    """The table's shape with the form of its times; a column that holds none is left out."""
    column = columns.get("time")
    if not column:
        note = "no column with times: rows of a conversation stay in their order"
        return Shape(TABLE, columns, "", (note,))
    values = [str(row[column]) for row in rows if row.get(column) not in (None, "")]
    form = times.form_of(values)
    if form is None:
        bad = next((v for v in values if times.form_of([v]) is None), values[0] if values else "")
        if "time" in given:
            raise SettingError(
                f"--columns time={column}: cannot be read as times ({bad[:40]!r}); give another"
            )
        del columns["time"]
        note = f"{column} cannot be read as times ({bad[:40]!r}): rows stay in their order"
        return Shape(TABLE, columns, "", (note,))
    notes: tuple[str, ...] = ()
    if times.ambiguous(values, form):
        notes = (f"{column} is read as month/day; all of it could be day/month too",)
    return Shape(TABLE, columns, form, notes)


def is_private(value: object, column: str) -> bool:
    """Whether a flag says that an utterance is a private note."""
    text = str(value).strip().casefold()
    if plain_name(column) in ("public", "is_public"):
        return text in ("false", "0", "0.0", "no")
    return text in ("true", "1", "1.0", "yes") or bool(
        re.search(r"(?:^|_)(?:notes?|internal|private)(?:_|$)", plain_name(text))
    )
