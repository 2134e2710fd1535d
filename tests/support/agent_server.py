"""A loopback deployed agent: what it does with a request is a function's business."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.support.loopback import Handler, Server, running


@dataclass(frozen=True)
class Told:
    """A response: JSON, or the events of a stream."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()


class AgentServer(Server):
    """Keeps (path, headers in lower case, body) of every request in `asked`."""

    def __init__(self, answer: Callable[[dict, int], Told]) -> None:
        super().__init__(_Handler)
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], dict]] = []

    @property
    def url(self) -> str:
        return f"{self.address}/turn"


class _Handler(Handler):
    server: AgentServer

    def do_POST(self) -> None:
        body = self.sent_json()
        with self.server.lock:
            number = len(self.server.asked)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.asked.append((self.path, headers, body))
        told = self.server.answer(body, number)
        if told.events:
            kind = "text/event-stream"
            text = "".join(f"data: {event}\n\n" for event in told.events)
        else:
            kind, text = "application/json", json.dumps(told.body)
        self.respond(told.status, text.encode(), {"Content-Type": kind, **told.headers})


def agent_server(answer: Callable[[dict, int], Told]) -> AbstractContextManager[AgentServer]:
    """A running server, closed at the end."""
    return running(AgentServer(answer))
