"""How asking an LLM can end other than with an answer.

ModelError
├── Dropped            this item goes, the build goes on; `reason` is what is counted
│   ├── Refused        the model or a content filter declined
│   ├── Malformed      no attempt gave a reply of the asked-for form
│   └── GivenUp        the server answers others, but not this request: it is too long, or times out
├── Stopped            the run ends here, and the same command continues it (a limit was reached,
│   │                  the server is gone)
│   └── Unanswered     the journal has no reply, and this run only reads it
└── Fatal              the run ends here, and something must be changed first (a wrong key, a model
    │                  that does not exist)
    └── Failing        most requests fail alike; the text is a diagnosis
DataError
└── JournalLost        the journal cannot be read or written; without it nothing is asked
"""

from dataclasses import dataclass

from csc_tasks.errors import DataError, ModelError
from csc_tasks.llm.exchange import UNCOUNTED, Usage

TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, read. `text` is without thinking; `parsed` is the pydantic model that was asked
    for, or None where text was.

    `refused` is "" except in the answer that a Refused carries. `attempts` counts the replies it
    took, malformed ones included.
    """

    text: str
    parsed: object | None = None
    thinking: str = ""
    usage: Usage = UNCOUNTED
    refused: str = ""
    model: str = ""
    attempts: int = 1


class Dropped(ModelError):
    """An item leaves the build. `reason` is one of few and counted; `detail` says what happened to
    this item.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Refused(Dropped):
    """The model or a content filter declined; `answer.refused` has its words."""

    def __init__(self, reason: str, detail: str, answer: Answer) -> None:
        super().__init__(reason, detail)
        self.answer = answer


class Malformed(Dropped):
    """None of the bounded number of replies had the asked-for form; `problems` says why, one line
    each, and `answer` is the last of them.
    """

    def __init__(self, reason: str, problems: list[str], answer: Answer) -> None:
        super().__init__(reason, problems[-1])
        self.problems = problems
        self.answer = answer


class GivenUp(Dropped):
    """A request of the item got no reply and will get none as it is; the journal remembers that,
    under `key`.
    """

    def __init__(self, reason: str, detail: str, item_id: str, key: str) -> None:
        super().__init__(reason, detail)
        self.item_id = item_id
        self.key = key

    @property
    def timed_out(self) -> bool:
        """Whether another seed may help."""
        return self.reason.endswith(f": {TIMED_OUT}")


class Stopped(ModelError):
    """The run stops and can be continued by the same command."""


class Unanswered(Stopped):
    """The journal has no reply to this request, in a run that only reads it."""


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round of `of` items, of which the first `done` are complete and the next is not."""

    name: str
    done: int
    of: int


class Fatal(ModelError):
    """The server will not answer until something is changed; the text carries its message."""


class Failing(Fatal):
    """Most requests fail alike; the text says how, what was spent and what to change."""


class JournalLost(DataError):
    """The journal cannot be used; the text says why and what to do."""
