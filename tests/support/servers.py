"""A loopback OpenAI-compatible chat server whose answers come from a function."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.support.loopback import Handler, Server, running


class ChatServer(Server):
    """Keeps every request body in `asked`; `answer(body)` returns (content or None, or a whole
    message, finish_reason). `usage`: what it says of tokens with every reply.
    """

    def __init__(self, answer: Callable[[dict], tuple[str | None, str]]) -> None:
        super().__init__(_Handler)
        self.answer = answer
        self.asked: list[dict] = []
        self.usage: dict | None = None

    @property
    def url(self) -> str:
        return f"{self.address}/v1/chat/completions"


class _Handler(Handler):
    server: ChatServer

    def do_POST(self) -> None:
        body = self.sent_json()
        with self.server.lock:
            self.server.asked.append(body)
        content, reason = self.server.answer(body)
        message = {
            "role": "assistant",
            **(content if isinstance(content, dict) else {"content": content}),
        }
        choice = {"index": 0, "message": message, "finish_reason": reason}
        whole = {"object": "chat.completion", "model": body["model"], "choices": [choice]}
        if self.server.usage is not None:
            whole["usage"] = self.server.usage
        reply = json.dumps({"id": "x"} | whole).encode()
        self.respond(200, reply, {"Content-Type": "application/json"})


def chat_server(
    answer: Callable[[dict], tuple[str | None, str]],
) -> AbstractContextManager[ChatServer]:
    """A running server, closed at the end."""
    return running(ChatServer(answer))
