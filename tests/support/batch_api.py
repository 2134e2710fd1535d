"""A loopback server with OpenAI's Batch API: files, batches, and what can go wrong with them.

`script(body, number)` (an Act of tests.support.llm_server) answers each line; `fate(number)` says
what becomes of the batch with that number. Batches stay in progress while `hold` is set.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.llm_server import Act, Script
from tests.support.loopback import Handler, Server, running


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a batch: its last `status`, the `errors` of its validation, how many looks it
    takes to end, which lines are not `reached`, and lines that its output holds besides.
    """

    status: str = "completed"
    errors: list = field(default_factory=list)
    looks: int = 1
    reached: Callable[[int], bool] = lambda number: True
    extra: tuple[str, ...] = ()


class BatchApi:
    """Keeps the `files`, the `batches` in the order of their making, the `calls` (method, path),
    and how often each request was `answered`, by its messages. `trouble(method, path)` is the
    status of an error instead, -1 to do what is asked and say nothing, 0 for none.
    """

    def __init__(self, script: Script, fate: Callable[[int], Fate] = lambda number: Fate()) -> None:
        self.script, self.fate = script, fate
        self.files: dict[str, bytes] = {}
        self.batches: list[dict] = []
        self.calls: list[tuple[str, str]] = []
        self.answered: Counter[str] = Counter()
        self.trouble: Callable[[str, str], int] = lambda method, path: 0
        self.hold = threading.Event()
        self.looks: Counter[str] = Counter()
        self.count = 0
        self.mutex = threading.Lock()
        self.url = ""

    def lines(self, number: int) -> list[dict]:
        """The requests of a batch."""
        return [json.loads(line) for line in self.batches[number]["input"].splitlines()]

    def upload(self, content: bytes) -> dict:
        name = f"file-{len(self.files) + len(self.calls)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": 1,
                "filename": "input.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip

    def create(self, asked: dict) -> dict:
        number = len(self.batches)
        batch = {
            "id": f"batch_{number}",
            "object": "batch",
            "status": "validating",
            "created_at": number,
            **asked,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "input": self.files[asked["input_file_id"]].decode(),
        }
        self.batches.append(batch)
        return batch

    def look(self, name: str) -> dict:
        batch = next(batch for batch in self.batches if batch["id"] == name)
        number, total = int(name.partition("_")[2]), len(batch["input"].splitlines())
        fate = self.fate(number)
        self.looks[name] += 1
        if batch["status"] in ("validating", "in_progress"):
            ends = self.looks[name] >= fate.looks and not self.hold.is_set()
            batch["status"] = "in_progress"
            batch["request_counts"] = {"total": total, "completed": total // 2, "failed": 0}
            if ends:
                batch["status"] = fate.status
                batch["errors"] = {"object": "list", "data": fate.errors} if fate.errors else None
                if fate.status != "failed":
                    self._answer(number, batch, fate)
        return batch

    def _answer(self, number: int, batch: dict, fate: Fate) -> None:
        output, failed = list(fate.extra), []
        for place, line in enumerate(self.lines(number)):
            kept = {"id": f"r{place}", "custom_id": line["custom_id"]}
            if not fate.reached(place):
                code = "batch_expired" if fate.status == "expired" else "batch_cancelled"
                if fate.status != "completed":
                    error = {"code": code, "message": "not reached"}
                    failed.append(json.dumps(kept | {"response": None, "error": error}))
                continue
            act = self.script(line["body"], self.count)
            self.count += 1
            response = {
                "status_code": act.status,
                "request_id": "q",
                "body": json.loads(act.text(line["body"])),
            }
            whole = json.dumps(kept | {"response": response, "error": None})
            (output if act.status == 200 else failed).append(whole)
            if act.status == 200:
                self.answered[json.dumps(line["body"].get("messages", line["body"]))] += 1
        # The order of an output file is not that of the input.
        for name, lines in (("output_file_id", output[::-1]), ("error_file_id", failed)):
            if lines:
                batch[name] = f"file-{batch['id']}-{name}"
                self.files[batch[name]] = ("\n".join(lines) + "\n").encode()
        total = len(self.lines(number))
        batch["request_counts"] = {
            "total": total, "completed": len(output), "failed": total - len(output)
        }  # fmt: skip


class _Handler(Handler):
    api: BatchApi

    def _do(self, method):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path.removeprefix("/v1")
        with self.api.mutex:
            status = self.api.trouble(method, path)
            self.api.calls.append((method, path))
            if status > 0:
                # Some servers quote the key.
                message = f"trouble {status}, {self.headers['Authorization']}"
                answer = json.dumps({"error": {"message": message}}).encode()
            else:
                status, answer = (0 if status else 200), self._answer(method, path, content)
        if not status:
            self.close_connection = True
            return
        self.respond(status, answer, {"Content-Type": "application/json"})

    def _answer(self, method, path, content):
        api, words = self.api, path.strip("/").split("/")
        if (method, path) == ("POST", "/files"):
            boundary = b"\r\n--" + self.headers["Content-Type"].partition("boundary=")[2].encode()
            part = next(p for p in (b"\r\n" + content).split(boundary) if b'name="file"' in p)
            return json.dumps(api.upload(part.partition(b"\r\n\r\n")[2])).encode()
        if (method, path) == ("POST", "/batches"):
            return json.dumps(api.create(json.loads(content))).encode()
        if (method, path) == ("GET", "/batches"):
            data = {"object": "list", "data": api.batches[::-1], "has_more": False}
            return json.dumps(data).encode()
        if words[0] == "batches":
            return json.dumps(api.look(words[1])).encode()
        if method == "DELETE":
            del api.files[words[1]]
            return json.dumps({"id": words[1], "object": "file", "deleted": True}).encode()
        return api.files[words[1]]

    def do_GET(self):
        self._do("GET")

    def do_POST(self):
        self._do("POST")

    def do_DELETE(self):
        self._do("DELETE")


@contextmanager
def batch_api(
    script: Script = lambda body, number: Act("fine"),
    fate: Callable[[int], Fate] = lambda number: Fate(),
) -> Iterator[BatchApi]:
    """A running server in a thread of its own, closed at the end."""
    api = BatchApi(script, fate)
    handler = type("Handler", (_Handler,), {"api": api})
    server = Server(handler)
    api.url = f"{server.address}/v1"
    with running(server):
        yield api
