"""Turns that a run asked again, because the first reply could not be read (`csc_reask`): whether
the first reply is one that could not.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from csc_tasks.prompts import TEXT, read_reply
from csc_tasks.runs.samples_file import Run
from csc_tasks.thinking import CUT, Thinking

UNREADABLE = "a reply whose strategy cannot be read"


class Again:
    """How a run asked for replies. form: in which form; asks: whether again for what it could not
    read.
    """

    def __init__(self, run: Run) -> None:
        csc = run.results["configs"][run.task]["metadata"]["csc"]
        self.form = str(csc.get("format") or TEXT)
        self.asks = csc.get("reask") == 1
        thinking = csc.get("thinking")
        # Only where a server was given tokens for thinking may it have cut a thought unseen.
        self.thinks = isinstance(thinking, Mapping) and bool(thinking.get("tokens"))

    def first(self, given: Mapping[str, Any]) -> str | None:
        """The first reply of a record's turn, "" where that was nothing; None where the record says
        that it was asked once.
        """
        asked = self.asks and given.get("reasked") is True
        return str(given.get("first_reply") or "") if asked else None

    def made(
        self, given: Mapping[str, Any], ways: Iterable[Thinking], language: str
    ) -> tuple[dict[str, object], str]:
        """What a record must say of asking again, and its first reply where that cannot be one, ""
        where it can. ways: how the model's replies may have been read.
        """
        if not self.asks:
            return {}, ""
        first = given.get("first_reply")
        if not given.get("reasked"):
            return {"reasked": False}, "" if first is None else f"{first}"
        if not isinstance(first, str):
            return {"reasked": True}, "none"
        ways = [way for way in ways if self.thinks or way.opened != CUT]
        read = all(read_reply(first, way, language, self.form).strategy for way in ways)
        return {"reasked": True, "first_reply": first}, first if read else ""


def is_flag(value: object) -> bool:
    """Whether a logged flag is true, false or unknown."""
    return value is None or (isinstance(value, int | float) and value in (0, 1))
