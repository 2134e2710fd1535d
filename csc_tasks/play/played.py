"""What comes back for a request."""

from dataclasses import dataclass, field

from csc_tasks.live import LiveDialogue
from csc_tasks.play.requests import Chosen
from csc_tasks.thinking import Thinking
from csc_tasks.timing import Timing


@dataclass(frozen=True, slots=True)
class Played:
    """What came back for a request: the raw text, whether the token limit cut it (None: the backend
    cannot tell) and turns dropped.

    `history_truncated` is None where the model's length or tokenizer is not known here. `failed` is
    "" or why there is no reply.
    `thinking` says how to read the text. `first` is the reply that could not be read, where it was
    asked for again (`csc_reask`). `chosen` is the strategy of a forced request, after whose name
    the text was written. `timing` is what the reply took.
    """

    text: str
    truncated: bool | None
    history_truncated: int | None
    failed: str = ""
    thinking: Thinking | None = None
    first: str | None = None
    chosen: Chosen | None = None
    timing: Timing = field(default_factory=Timing, compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """What came back for a choice of strategy: the twelve names' log-likelihoods in the table's
    order (None where it failed), turns dropped, and "" or why it failed.
    """

    loglikelihoods: list[float] | None
    history_truncated: int | None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """One turn of a live conversation as it is logged: the raw text, what of a thought its prompt
    opens (csc_tasks/thinking), and the fields of `Played`.
    """

    text: str
    opened: str
    truncated: bool | None
    history_truncated: int | None
    failed: str
    first: str | None

    @classmethod
    def of(cls, played: Played) -> "Raw":
        """What is logged of a reply."""
        opened = played.thinking.opened if played.thinking else ""
        return cls(
            played.text,
            opened,
            played.truncated,
            played.history_truncated,
            played.failed,
            played.first,
        )


@dataclass(frozen=True, slots=True)
class LivePlayed:
    """What came of a live conversation. raws: the model's turns, in their order. failure: why the
    customer has no further turn, "" where it had its say. timings: what each of the model's turns
    took, without the customer's.
    """

    dialogue: LiveDialogue
    raws: tuple[Raw, ...]
    failure: str = ""
    timings: tuple[Timing, ...] = field(default=(), compare=False)
