"""One supporter turn, one answer or one live conversation as a request to a model."""

from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.instance import Instance

from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.live import Brief
from csc_tasks.live.customers import Customer, CustomerSettings
from csc_tasks.play.way import Way
from csc_tasks.prompts import AnswerPrompt, TurnPrompt
from csc_tasks.settings import PlaySettings

GENERATE = "csc_generate"
CHOOSE = "csc_choose"
"""The types of our requests; lm_eval calls the model's method of that name."""

FORMAT = 5
"""Moves when PlayInstance's fields do. lm_eval's --cache_requests keeps requests as pickles, and
those of another form are made again.
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The strategy of a forced request: its id, and what it was chosen by: the twelve names'
    log-likelihoods in the table's order, or `written`, what a server wrote that was made to write
    one of the names.
    """

    strategy: str
    loglikelihoods: list[float] | None = None
    written: str = ""


@dataclass
class Seat:
    """The customer's side of a live conversation: the recorded conversation and its brief, who is
    to play it, and the most turns that the model may have. customer: who plays, while one does.
    """

    conversation: Conversation
    brief: Brief
    settings: CustomerSettings
    most: int
    customer: Customer | None = None

    @property
    def expected(self) -> int:
        """As many turns of the model as the recorded supporter had, or the most."""
        supporter = sum(turn.speaker == SUPPORTER for turn in self.conversation.dialogue)
        return min(self.most, supporter)


@dataclass(kw_only=True)
class PlayInstance(Instance):
    """A request for one supporter turn or one answer.

    `prompt` renders it, `templated` says whether the run applies the model's chat template,
    `generated` whether the model's own earlier turns stand in for the gold supporter's, and
    `settings` how it is played. After the call `way` is how it was played, `thought` what was done
    about the model's thinking, and `left_out` names the request parameters that an API server
    refused. `repeat` is which time of several the same is asked (`csc_repeats`), from 0.

    A `forced` request is asked twice: for the strategy, which then is `chosen`, and for the reply
    after its name (forced.py). `forcing` says how, for the results. A `live` one is a whole
    conversation (live.py).
    """

    prompt: TurnPrompt | AnswerPrompt
    system_instruction: str | None = None
    templated: bool = False
    generated: bool = False
    settings: PlaySettings = field(default_factory=PlaySettings)
    way: Way | None = None
    thought: dict[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    repeat: int = 0
    forced: bool = False
    chosen: Chosen | None = None
    forcing: dict[str, str] | None = None
    live: Seat | None = None

    @property
    def expected(self) -> int:
        """How many turns it is expected to be."""
        return self.live.expected if self.live else 1

    @property
    def choosing(self) -> bool:
        """Whether the strategy of a forced request is still to be chosen."""
        return self.forced and self.chosen is None

    @property
    def chooses(self) -> bool:
        """Whether the strategy's likelihoods are asked for rather than a reply."""
        return bool(self.request_type == CHOOSE)

    @property
    def conversation(self) -> tuple[str | None, int | None, int]:
        """What the requests of one conversation in one task and repeat have in common."""
        return self.task_name, self.doc_id, self.repeat
