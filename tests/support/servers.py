"""A loopback OpenAI-compatible chat server whose answers come from a function."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer(ThreadingHTTPServer):
    """Keeps every request body in `asked`; `answer(body)` returns (content or None, or a whole
    message, finish_reason). `usage`: what it says of tokens with every reply.
    """

    daemon_threads = True
    # Many clients connect at once; the default of 5 makes some of them wait a second.
    request_queue_size = 128

    def __init__(self, answer: Callable[[dict], tuple[str | None, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[dict] = []
        self.usage: dict | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/chat/completions"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
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
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def chat_server(answer: Callable[[dict], tuple[str | None, str]]) -> Iterator[ChatServer]:
    """A running server, closed at the end."""
    server = ChatServer(answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
