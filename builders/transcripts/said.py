"""One utterance as a source has it, and names as sources write them."""

import re
from typing import NamedTuple

SPOILED = "a row of it cannot be read"
"""Why a conversation is left out whose utterances are not all known."""


class Said(NamedTuple):
    """One utterance. `conversation` is the source's own name of it or where it stands; `time` are
    seconds since 1970 or a position, None where the source has none; `left_out` says why the
    utterance is no part of the conversation ("" where it is), or SPOILED.
    """

    conversation: str
    time: float | None
    speaker: str
    text: str
    left_out: str = ""


def plain_name(name: str) -> str:
    """A column's or speaker's name in the form in which the tables of names have it: `authorType`,
    `Author Type` and `author-type` are `author_type`.
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", split).strip("_").casefold()
