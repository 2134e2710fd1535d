"""What the loopback HTTP servers of the tests share: they listen on a free port of this machine, in
a thread, and print nothing.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar


class Server(ThreadingHTTPServer):
    """`address` begins every URL of it."""

    daemon_threads = True
    # Many clients connect at once; the default of 5 makes some of them wait a second.
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.lock = threading.RLock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Connections stay open."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two packets: without this the second waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, *_) -> None:
        pass

    def sent_json(self) -> dict:
        """The body of the request."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def respond(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole response; its length is added to the headers."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


Running = TypeVar("Running", bound=Server)


@contextmanager
def running(server: Running) -> Iterator[Running]:
    """The server in a thread of its own, closed at the end."""
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
