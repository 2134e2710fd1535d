"""A loopback deployed agent: what it does with a request is a function's business."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Told:
    """A response: JSON, or the events of a stream."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()


class AgentServer(ThreadingHTTPServer):
    """Keeps (path, headers in lower case, body) of every request in `asked`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[dict, int], Told]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], dict]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/turn"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.asked)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.asked.append((self.path, headers, body))
        told = self.server.answer(body, number)
        streams = bool(told.events)
        text = (
            "".join(f"data: {event}\n\n" for event in told.events)
            if streams
            else json.dumps(told.body)
        )
        self.send_response(told.status)
        kind = "text/event-stream" if streams else "application/json"
        for name, value in {"Content-Type": kind, **told.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        pass


@contextmanager
def agent_server(answer: Callable[[dict, int], Told]) -> Iterator[AgentServer]:
    """A running server, closed at the end."""
    server = AgentServer(answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
