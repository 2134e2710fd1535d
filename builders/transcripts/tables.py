"""A row an utterance: the conversation's id, a speaker, a text and, where there is one, a time."""

from collections.abc import Iterator
from typing import Any

from builders.transcripts import times
from builders.transcripts.files import Record
from builders.transcripts.said import SPOILED, Said, plain_name
from builders.transcripts.shapes import Shape, is_private
from builders.transcripts.turns import AGENT_SAYS, CUSTOMER_SAYS

_NULLS = frozenset(("", "null", "NULL", "None", "nan", "NaN", "N/A"))
_FLAGS = frozenset(("incoming", "inbound", "is_customer", "from_customer", "is_agent"))
_TRUE, _FALSE = frozenset(("true", "1", "yes")), frozenset(("false", "0", "no"))


def said_in(record: Record, shape: Shape) -> Iterator[Said]:
    """The utterance of a row, if it says which conversation it belongs to; a row that cannot be
    read spoils that conversation.
    """
    columns, row = shape.columns, record.row
    number = _cell(row, columns["id"])
    if number in _NULLS:
        return
    if record.problem:
        yield Said(number, None, "", "", SPOILED)
        return
    text, speaker = _cell(row, columns["text"]), _cell(row, columns["speaker"])
    time = _cell(row, columns["time"]) if "time" in columns else ""
    seconds = times.time_of(time, shape.time_form) if time else None
    left_out = ""
    if "private" in columns and is_private(row.get(columns["private"]), columns["private"]):
        left_out = "a private note"
    elif text.strip() in _NULLS:
        left_out = "no text"
    elif speaker in _NULLS:
        left_out = "no speaker"
    yield Said(number, seconds, _named(speaker, columns["speaker"]), text, left_out)


def _cell(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def _named(speaker: str, column: str) -> str:
    """What a column of yes and no says of the speaker, as a name."""
    plain = plain_name(column)
    word = speaker.strip().casefold()
    if plain not in _FLAGS or word not in _TRUE | _FALSE:
        return speaker.strip()
    return CUSTOMER_SAYS if (word in _TRUE) == (plain != "is_agent") else AGENT_SAYS
