"""A record a conversation: chat messages (OpenAI, ShareGPT), lists of pairs, and tickets with their
comments or parts (Zendesk, Intercom, Freshdesk).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from builders.transcripts import times
from builders.transcripts.cleaning import text_of_html
from builders.transcripts.files import Record
from builders.transcripts.said import SPOILED, Said, plain_name
from builders.transcripts.shapes import NAMES, Shape, is_private, turn_list

_SPEAKER = (
    *("role", "from", "speaker", "author_role", "author_type", "sender_type", "speaker_role"),
    *("author", "sender", "user", "participant", "incoming", "inbound", "direction", "who"),
    *("author_name", "sender_name", "name", "author_id", "sender_id", "user_id"),
)
_PERSON = ("role", "type", "name", "display_name", "email", "id")
_TIME = ("created_at", "timestamp", "date_time", "datetime", "time", "sent_at", "created", "date")
_PRIVATE = ("private", "public", "is_private", "is_public", "internal", "part_type", "visibility")
_FLAGS = ("incoming", "inbound", "is_customer", "from_customer")
CUSTOMER_SAYS, AGENT_SAYS = "customer", "agent"
"""What a flag or an id says of the speaker, as a name."""


def said_in(record: Record, shape: Shape) -> Iterator[Said]:
    """The utterances of a record, in its order; a turn that cannot be read spoils it."""
    turns = turn_list(record.row.get(shape.columns["turns"]))
    if turns is None:
        return
    spoken = [
        _said(turn, record, shape.columns) for turn in turns if not _is_empty_event(turn, shape)
    ]
    yield from _opening(record, spoken)
    yield from spoken


def _is_empty_event(turn: object, shape: Shape) -> bool:
    """Whether it is a part without text that only says what happened to a ticket."""
    return (
        isinstance(turn, dict)
        and "part_type" in turn
        and not any(turn.get(name) for name in ("body", "text"))
    )


def _opening(record: Record, spoken: list[Said]) -> Iterator[Said]:
    """What opened a ticket, where that is not its first comment: Intercom's `source`, Zendesk's
    `description`.
    """
    source = record.row.get("source")
    text = record.row.get("description")
    if isinstance(source, dict) and isinstance(source.get("body"), str):
        speaker = _person(source.get("author")) or CUSTOMER_SAYS
        yield Said(record.place, _time(record.row), speaker, source["body"])
    elif isinstance(text, str) and text.strip() and "requester_id" in record.row:
        first = next((one.text for one in spoken if not one.left_out), "")
        if _letters(text) != _letters(first):
            yield Said(record.place, _time(record.row), CUSTOMER_SAYS, text)


def _letters(text: str) -> str:
    return "".join(text_of_html(text).split())


def _said(turn: Any, record: Record, columns: Mapping[str, str]) -> Said:
    place = record.place
    if isinstance(turn, list | tuple):
        if len(turn) < 2 or not all(isinstance(part, str) for part in turn[:2]):
            return Said(place, None, "", repr(turn)[:80], SPOILED)
        return Said(place, None, turn[0], turn[1])
    named = {plain_name(str(name)): name for name in turn}
    text = _text(turn, named, columns.get("text"))
    speaker = _speaker(turn, named, record.row, columns.get("speaker"))
    time = _time(turn, columns.get("time"))
    if isinstance(text, str):
        left_out = "a private note" if _private(turn, named, columns.get("private")) else ""
    elif text is None:
        calls = turn.get("tool_calls") or turn.get("function_call")
        text, left_out = "", "a call of a tool" if calls else "no text"
    else:
        return Said(place, time, speaker, repr(text)[:80], SPOILED)
    if not speaker and not left_out:
        left_out = "no speaker"
    return Said(place, time, speaker, text, left_out)


def _text(turn: Mapping[str, Any], named: Mapping[str, str], column: str | None) -> object:
    names = [column] if column else [named[name] for name in NAMES["text"] if name in named]
    values = [turn.get(name) for name in names]
    value = next((value for value in values if value not in (None, "")), None)
    if isinstance(value, list):
        # OpenAI's content may be parts: [{"type": "text", "text": ...}, {"type": "image_url"}].
        texts = [part.get("text") for part in value if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str)) or None
    return str(value) if isinstance(value, int | float) else value


def _speaker(
    turn: Mapping[str, Any],
    named: Mapping[str, str],
    row: Mapping[str, Any],
    column: str | None,
) -> str:
    names = [column] if column else [named[name] for name in _SPEAKER if name in named]
    for name in names:
        value = turn.get(name)
        if value in (None, "", []):
            continue
        if isinstance(value, dict):
            if person := _person(value):
                return person
            continue
        if plain_name(name) in _FLAGS and isinstance(value, bool):
            return CUSTOMER_SAYS if value else AGENT_SAYS
        if plain_name(name) == "author_id" and row.get("requester_id") is not None:
            return CUSTOMER_SAYS if value == row["requester_id"] else AGENT_SAYS
        return str(value)
    return ""


def _person(value: object) -> str:
    """How somebody is called who is an object: by a role rather than a name."""
    if not isinstance(value, dict):
        return value if isinstance(value, str) else ""
    return next((str(value[name]) for name in _PERSON if value.get(name)), "")


def _private(turn: Mapping[str, Any], named: Mapping[str, str], column: str | None) -> bool:
    names = [column] if column else [named[name] for name in _PRIVATE if name in named]
    return any(
        turn.get(name) is not None and is_private(turn[name], name) for name in names if name
    )


def _time(turn: Mapping[str, Any], column: str | None = None) -> float | None:
    value = next((turn[name] for name in ([column] if column else _TIME) if turn.get(name)), None)
    if value is None:
        return None
    text = str(value)
    seconds = times.time_of(text, "number")
    return times.time_of(text, "ISO 8601") if seconds is None else seconds
