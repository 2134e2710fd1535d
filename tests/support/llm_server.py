"""A loopback OpenAI-compatible server (chat and completions) that misbehaves to order.

A script, `script(body, number)`, decides what happens to each request: an Act. `number` counts
requests from 0. `in_turn` makes a script of a list. As a program it answers every request after
`--latency` seconds, in a process of its own:

    python -m tests.support.llm_server --latency 0.3
"""

import argparse
import asyncio
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from csc_tasks.languages import languages
from csc_tasks.llm.exchange import Failure
from csc_tasks.llm.responses import Rejected

PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


@dataclass(frozen=True, slots=True)
class Act:
    """What the server does with one request.

    Without `status` or `body`: a chat completion of `content`, or a text completion where a
    `prompt` was sent. `drop` closes the connection instead of answering, `cut` in the middle of the
    body. `delay` is in seconds. `message` adds fields to the completion's message, `choices`
    replaces its choices.
    """

    content: str | list | None = "fine"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    message: Mapping = field(default_factory=dict)
    finish: str = "stop"
    usage: object = field(
        default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    )
    choices: list | None = None
    delay: float = 0.0
    drop: bool = False
    cut: bool = False
    trickle: float = 0.0

    def text(self, asked: Mapping) -> bytes:
        """The body of the response to a request's body."""
        model = asked.get("model", "")
        if self.body is not None:
            return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        if self.status != 200:
            return json.dumps(
                {"error": {"message": f"no luck ({self.status})", "type": "error", "code": None}}
            ).encode()
        choice = {"index": 0, "finish_reason": self.finish}
        if "prompt" in asked:
            choice["text"] = self.content
        else:
            choice["message"] = {"role": "assistant", "content": self.content, **self.message}
        choices = [choice] if self.choices is None else self.choices
        found = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": f"{model}-served",
            "choices": choices,
        }
        return json.dumps(found | ({} if self.usage is None else {"usage": self.usage})).encode()


Script = Callable[[dict, int], Act]


def in_turn(*acts: Act, then: Act | None = None) -> Script:
    """The acts one after the other, then `then` for ever (default: the last one)."""
    return lambda body, number: acts[number] if number < len(acts) else then or acts[-1]


def echo(body: dict, number: int = 0) -> Act:
    """The last message said back: what tells whether an answer belongs to its question."""
    return Act(f"echo {body['messages'][-1]['content']}")


def first_asked(messages: list[dict]) -> list[dict]:
    """The messages without the replies that could not be used, and what was said about them."""
    demands = tuple(
        one.asking.repair.partition("${problem}")[0] for one in languages().values() if one.asking
    )
    left = []
    for message in messages:
        if message["role"] == "user" and message["content"].startswith(demands):
            left.pop()
        else:
            left.append(message)
    return left


def fingerprint(body: dict) -> str:
    """What makes two requests the same one."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class LlmServer:
    """Keeps the bodies, paths, headers and times of all requests, and how many were out at once at
    most (`most`).
    """

    def __init__(self, script: Script, keep: bool = True) -> None:
        self.script = script
        self.keep = keep
        self.asked: list[dict] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.answered: list[dict] = []
        self.most = self.running = self.count = 0
        self.url = ""

    async def serve(
        self, started: Callable[[], None], port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen until cancelled."""
        server = await asyncio.start_server(
            self._connection, "127.0.0.1", port, backlog=512, ssl=tls
        )
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started()
        try:
            await server.serve_forever()
        finally:
            server.close()

    async def _connection(self, reader, writer):
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    async def _request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
        number, self.count = self.count, self.count + 1
        self.running += 1
        self.most = max(self.most, self.running)
        if self.keep:
            self.asked.append(body)
            self.paths.append(head[0].split(" ")[1])
            self.headers.append(headers)
            self.times.append(time.monotonic())
        try:
            act = self.script(body, number)
            if act.delay:
                await asyncio.sleep(act.delay)
        finally:
            self.running -= 1
        if act.drop:
            return False
        content = act.text(body)
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **act.headers,
        }
        lines = [
            f"HTTP/1.1 {act.status} {PHRASES.get(act.status, 'Status')}",
            *(f"{name}: {value}" for name, value in fields.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if act.cut:
            writer.write(content[: len(content) // 2])
            await writer.drain()
            return False
        if act.trickle:
            for byte in content:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(act.trickle)
            return True
        writer.write(content)
        await writer.drain()
        if self.keep and act.status == 200:
            self.answered.append(body)
        return True


@contextmanager
def llm_server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[LlmServer]:
    """A running server in a thread of its own, closed at the end."""
    server, ready = LlmServer(script), threading.Event()
    running = {}

    async def work():
        running["loop"] = asyncio.get_running_loop()
        running["task"] = asyncio.create_task(server.serve(ready.set, tls=tls))
        await asyncio.wait([running["task"]])

    thread = threading.Thread(target=asyncio.run, args=(work(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        # asyncio.run cancels the connections that are still open.
        running["loop"].call_soon_threadsafe(running["task"].cancel)
        thread.join(10)
        assert not thread.is_alive()


class InProcess:
    """The same script without HTTP, for tests in virtual time: `delay` is of the running loop's
    clock and `times` are too.

    `serve` puts it in place of the connections of an LLM; what is made of an answer or a status is
    the backend's own.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.times: list[float] = []
        self.most = self.running = self.count = 0

    def serve(self, llm) -> None:
        """Answer what `llm` posts from now on."""
        for backend in llm.backends.values():
            backend._post = partial(self._post, backend.timeout)

    async def _post(self, timeout, path, body, read):
        number, self.count = self.count, self.count + 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.times.append(asyncio.get_running_loop().time())
        try:
            act = self.script(body, number)
            async with asyncio.timeout(timeout):
                await asyncio.sleep(act.delay)
        except TimeoutError:
            return Failure("timeout", f"no reply within {timeout:g} s")
        finally:
            self.running -= 1
        if act.drop:
            return Failure("transport", "the server closed the connection")
        content = json.loads(act.text(body))
        return (
            read(content)
            if act.status == 200
            else Rejected(act.status, act.headers, content.get("error", content))
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--content", default="fine")
    args = parser.parse_args()
    act = Act(args.content, delay=args.latency)
    server = LlmServer(lambda body, number: act, keep=False)
    asyncio.run(server.serve(lambda: print(server.url, flush=True)))


if __name__ == "__main__":
    main()
