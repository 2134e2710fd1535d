"""One agent's server: what is sent in one session, and what of a response is the reply."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM

from csc_tasks import refusals
from csc_tasks.play.agent.description import Agent, follow
from csc_tasks.play.agent.events import DONE, Events
from csc_tasks.play.answers import Answer
from csc_tasks.play.failures import Failure
from csc_tasks.play.server import LARGEST, Sent, Server, TooLarge
from csc_tasks.refusals import Parameters
from csc_tasks.timing import LARGEST as MOST

if TYPE_CHECKING:
    from aiohttp import ClientResponse

SSE = "text/event-stream"
STREAMED = "csc_streamed"
"""The key of a reply that was put together of a stream's events."""


@dataclass(slots=True)
class Session:
    """One conversation with an agent. id: None until the agent has named it. heard: how many of the
    customer's messages it was sent.
    """

    id: str | None
    heard: int = 0

    def news(self, messages: Sequence[Mapping[str, str]], direction: str) -> str:
        """What a stateful agent has not been sent yet: the customer's words since then. direction:
        the stage direction where the customer says nothing, which is in no later prompt.
        """
        said = [message["content"] for message in messages if message["role"] == "user"]
        new = "\n".join(said[self.heard :])
        self.heard = len(said) - (said[-1] == direction)
        return new


class AgentServer(Server):
    """The server of one agent, with a session for every conversation."""

    def __init__(self, lm: LM, parameters: Parameters, answered: Callable[[], int]) -> None:
        super().__init__(lm, parameters, answered)
        self.agent: Agent = lm.description
        self.cleaners += [refusals.cleaner(secret) for secret in self.agent.secrets]
        self.sessions: dict[int, Session] = {}

    def session_of(self, conversation: object) -> Session:
        """The session of a conversation. Where the agent does not name it, it gets a name that no
        other run has: an agent remembers.
        """
        named = None if self.agent.session else uuid.uuid4().hex
        return self.sessions.setdefault(id(conversation), Session(named))

    def again(self, failure: Failure) -> bool:
        """A stateful agent may have heard what it did not answer: only what surely never reached it
        is sent again.
        """
        return not self.agent.stateful or failure.reason == "no connection"

    def reply(self, session: Session, outputs: object) -> Answer | Failure:
        """The reply in a response, without secrets that the agent was sent."""
        if self.agent.session and session.id is None:
            try:
                session.id = str(follow(outputs, self.agent.session))
            except LookupError:
                return Failure("odd", "no session", f"nothing at {self.agent.session}: {outputs}")
        path = self.agent.reply
        if isinstance(outputs, dict) and STREAMED in outputs:
            path, text = str(self.agent.stream), outputs[STREAMED]
            if text is None:
                return Failure("odd", "no reply", f"nothing at {path} of any event: {outputs}")
        else:
            try:
                text = follow(outputs, self.agent.reply)
            except LookupError:
                return Failure("odd", "no reply", f"nothing at {self.agent.reply}: {outputs}")
        if not isinstance(text, str | None):
            return Failure("odd", "no reply", f"no text at {path}: {text!r}")
        text = text or ""
        for clean in self.cleaners:
            text = clean(text)
        return Answer(text, False)

    def tokens(self, outputs: object) -> tuple[int | None, int | None]:
        """As the agent's own paths tell it."""

        def count(path: str | None) -> int | None:
            try:
                value = follow(outputs, path) if path else None
            except LookupError:
                return None
            return value if type(value) is int and 0 <= value <= MOST["tokens_in"] else None

        return count(self.agent.tokens_in), count(self.agent.tokens_out)

    async def read(self, response: "ClientResponse") -> Sent:
        """A stream is put together: the reply, and what its last events say beside it."""
        if self.agent.stream is None or response.content_type != SSE or response.status >= 300:
            return await super().read(response)
        streamed = _Streamed(self.agent.stream)
        events, size = Events(), 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > LARGEST:
                raise TooLarge
            for data in events.take(chunk):
                streamed.take(data)
            if streamed.done:
                break
        for data in events.end():
            streamed.take(data)
        if streamed.fault is not None:
            return Sent(streamed.fault.encode(), response.status, {}, None)
        raw = json.dumps(streamed.last | {STREAMED: streamed.reply}).encode()
        return Sent(raw, response.status, dict(response.headers), streamed.first)


class _Streamed:
    """The reply that the events of a stream make. first: when its first piece was there. last: what
    the last events say beside it. fault: the data of an event that tells an error, or that was cut.
    done: whether the last one is there.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.first: float | None = None
        self.last: dict[str, Any] = {}
        self.fault: str | None = None
        self.done = False
        self._pieces: list[object] = []

    @property
    def reply(self) -> object:
        """The text; a piece that is none; None where no event has any."""
        if others := [piece for piece in self._pieces if not isinstance(piece, str)]:
            return others[0]
        return "".join(map(str, self._pieces)) if self._pieces else None

    def take(self, data: str) -> None:
        """Take the data of an event in; what comes after the last one is nothing."""
        if self.done:
            return
        event = _json(data)
        if event is None and "\n" in data:
            # Some servers leave out the empty line between two events.
            for line in data.split("\n"):
                self.take(line)
        elif isinstance(event, dict):
            self._add(event)
        elif data.strip() == DONE:
            self.done = True
        elif data.lstrip().startswith("{"):
            self.fault, self.done = data, True

    def _add(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            self.fault, self.done = json.dumps(event), True
            return
        self.last |= {name: value for name, value in event.items() if value is not None}
        try:
            piece = follow(event, self.path)
        except LookupError:
            return
        if piece and self.first is None:
            self.first = perf_counter()
        self._pieces.append("" if piece is None else piece)


def _json(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
