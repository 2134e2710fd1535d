"""Live conversations: after every reply of the model a customer speaks, whom somebody else plays.

A live conversation is one request. As a chain it asks one turn after the other, each a request of
its own that is made when the customer has spoken, until the customer ends the conversation or the
cap does. While a customer thinks (`coming`), the other conversations go on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lm_eval.api.model import LM

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.errors import SettingError
from csc_tasks.languages import language
from csc_tasks.live import FAILED, LiveDialogue, LiveTurn
from csc_tasks.live.customers import SAME, Customer, Move, Part, customer_of
from csc_tasks.live.dialogue import CAP
from csc_tasks.play.api import is_api
from csc_tasks.play.chains import Chain
from csc_tasks.play.failures import Failure
from csc_tasks.play.played import LivePlayed, Played, Raw
from csc_tasks.play.requests import PlayInstance
from csc_tasks.prompts import TurnPrompt
from csc_tasks.refusals import TooLong
from csc_tasks.timing import Timing

CUSTOMER_ENDPOINTS = ("/chat/completions", "/completions")


@dataclass
class _Said:
    """What was said so far, and what came back for each of the model's turns."""

    turns: list[LiveTurn] = field(default_factory=list)
    raws: list[Raw] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class LiveChain(Chain):
    """One live conversation; `position` counts the model's turns."""

    said: _Said = field(default_factory=_Said, init=False)
    turn: Chain | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.seed = self.requests[0]
        seat = self.seed.live
        assert seat is not None and seat.customer is not None, "somebody plays the customer"
        self.seat, self.customer = seat, seat.customer
        self.part = Part(seat.conversation, seat.brief, self.seed.repeat)
        if seat.conversation.dialogue[0].speaker == CUSTOMER:
            self.coming = self.customer.answer(self.part, ())

    def ask(self) -> PlayInstance | None:
        """The request for the model's next turn; None when the conversation is over. Waits for the
        customer.
        """
        while not self.answers:
            if self.coming is not None:
                move, self.coming = self.coming.result(), None
                self._hear(move)
                continue
            if self.turn is None:
                self.turn = Chain(
                    [self._request()], self.renderer, self.tally, self.limit, self.told
                )
                # Who asks tells this chain what it took.
                self.turn.watch = self.watch
            request = self.turn.ask()
            if request is not None:
                return request
            self._say()
        return None

    def answer(self, text: str | None, truncated: bool | None) -> bool:
        """Book the model's turn, and let the customer answer. False: it is asked once more."""
        assert self.turn is not None, "what was asked is answered"
        done = self.turn.answer(text, truncated)
        if done:
            self._say()
        return done

    def fail(self, failure: Failure) -> None:
        """The turn has no reply; the customer hears nothing."""
        assert self.turn is not None, "what was asked fails"
        self.turn.fail(failure)
        self._say()

    def shorten(self, too_long: TooLong) -> None:
        """The server refused the prompt: it is asked shorter, or the turn fails."""
        assert self.turn is not None, "what was asked is too long"
        self.turn.shorten(too_long)
        if self.turn.answers:
            self._say()

    def _request(self) -> PlayInstance:
        """That for the turn after what was said so far."""
        gold = self.seat.conversation
        said = tuple(Turn(t.speaker, t.text, t.strategy or "") for t in self.said.turns)
        so_far = Conversation(gold.conversation_id, gold.language, gold.topic, gold.source, said)
        prompt = replace(self._prompt, conversation=so_far, turn=len(said))
        return replace(self.seed, prompt=prompt, live=None)

    @property
    def _prompt(self) -> TurnPrompt:
        prompt = self.seed.prompt
        assert isinstance(prompt, TurnPrompt), "a live conversation is made of turns"
        return prompt

    def _say(self) -> None:
        """Take the model's turn in, and let the customer answer it."""
        turn, self.turn = self.turn, None
        assert turn is not None, "a turn was played"
        played = turn.answers[0]
        assert isinstance(played, Played), "a turn is a reply"
        (reply,) = turn.replies.values()
        silence = language(self.seat.conversation.language).words.NO_REPLY
        text = silence if reply.empty else reply.text
        self.said.turns.append(LiveTurn(SUPPORTER, text, None if reply.empty else reply.strategy))
        self.said.raws.append(Raw.of(played))
        self.said.timings.append(played.timing)
        self.position += 1
        # The last prompt that was sent is the one that is logged.
        self.seed.arguments = turn.requests[0].arguments
        self.coming = self.customer.answer(self.part, tuple(self.said.turns))

    def _hear(self, move: Move) -> None:
        """Take the customer's turn in; the conversation ends where it or the cap says so."""
        if move.failed:
            self._end(FAILED, None, move.failed)
            return
        if move.text:
            self.said.turns.append(LiveTurn(CUSTOMER, move.text, unfit=move.unfit))
        if move.ending or self.position >= self.seat.most:
            self._end(move.ending or CAP, move.goal)

    def _end(self, ending: str, goal: bool | None, failure: str = "") -> None:
        gold, seat = self.seat.conversation, self.seat
        dialogue = LiveDialogue(
            gold.conversation_id,
            seat.settings.customer,
            seat.brief,
            tuple(self.said.turns),
            ending,
            goal,
            gold.language,
        )
        raws, timings = tuple(self.said.raws), tuple(self.said.timings)
        self.answers.append(LivePlayed(dialogue, raws, failure, timings))


def chain_of(requests: Sequence[PlayInstance]) -> type[Chain]:
    """Of which kind the chain of a conversation's requests is: live or not."""
    return LiveChain if requests[0].live else Chain


@contextmanager
def seated(lm: LM, requests: Sequence[PlayInstance]) -> Iterator[None]:
    """While this is open, somebody plays the customers of live requests. Raises SettingError where
    nobody can.
    """
    seats = [request.live for request in requests if request.live is not None]
    if not seats:
        yield
        return
    settings = seats[0].settings
    if getattr(lm, "world_size", 1) > 1:
        journal = Path(settings.journal)
        own = journal.with_name(f"{journal.name}.{getattr(lm, 'rank', 0)}")
        settings = replace(settings, journal=str(own))
    url, model = _server(lm) if settings.customer == SAME else (None, "")
    customer: Customer = customer_of(settings, url, model)
    try:
        for seat in seats:
            seat.customer = customer
        yield
    finally:
        for seat in seats:
            seat.customer = None
        customer.close()


def _server(lm: LM) -> tuple[str, str]:
    """(address with its /v1, model) of the evaluated model's own server."""
    if not is_api(lm):
        raise SettingError(
            f"csc_customer={SAME}: the evaluated model ({type(lm).__name__}) is no server that can"
            " play the customer too; serve it (vllm serve, llama-server) and use"
            " local-chat-completions, or name another with csc_customer=openai:MODEL and"
            " csc_customer_url"
        )
    parts: Any = urlsplit(str(lm.base_url or ""))
    path = parts.path.rstrip("/")
    for endpoint in CUSTOMER_ENDPOINTS:
        path = path.removesuffix(endpoint)
    return f"{parts.scheme}://{parts.netloc}{path}", str(lm.model)
