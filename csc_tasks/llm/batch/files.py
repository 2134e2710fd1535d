"""A batch on disk: the requests that go out together as one JSONL file, and what came back.

Beside the journal, in JOURNAL.batches, every batch that is out has a folder:

input.jsonl                  one request per line, its `custom_id` the journal's key
output.jsonl, errors.jsonl   what came back, in the form of OpenAI's Batch API
batch.json                   whose it is: model, server, endpoint, the batch's id there, its end

The folder goes when every reply is in the journal. A run that was killed finds it, and collects the
batch instead of asking again.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from csc_tasks.llm import responses
from csc_tasks.llm.backends import Response
from csc_tasks.llm.exchange import Failure
from csc_tasks.out import replace_file

# The limits of OpenAI's Batch API for one input file.
MOST_LINES, MOST_BYTES = 50_000, 200_000_000

Endpoint = Literal["/v1/chat/completions", "/v1/moderations"]
CHAT: Endpoint = "/v1/chat/completions"
MODERATION: Endpoint = "/v1/moderations"

CANCELLED = ("batch_cancelled", "cancelled")

Answers = dict[str, Response]


@dataclass(slots=True)
class BatchFolder:
    """One batch. `server` is the base URL, "" for a command; `batch_id` its name there, "" before
    it is known; `status` is how it ended, "" before; `errors` are what the server says of the batch
    as a whole or of single lines of its input. `fresh`: made by this process, so
    nobody can have sent it before.
    """

    path: Path
    model: str
    server: str
    endpoint: Endpoint
    batch_id: str = ""
    status: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)
    fresh: bool = False

    @property
    def token(self) -> str:
        """The name of this batch alone, by which a server can be asked whether it has it."""
        return self.path.name

    @property
    def input(self) -> Path:
        """The requests."""
        return self.path / "input.jsonl"

    @property
    def output(self) -> Path:
        """The replies."""
        return self.path / "output.jsonl"

    @property
    def failed(self) -> Path:
        """The lines without a reply."""
        return self.path / "errors.jsonl"

    def save(self) -> None:
        """Record what is known of the batch; raises SettingError where that cannot be written."""
        record = asdict(self)
        del record["path"], record["fresh"]
        replace_file(self.path / "batch.json", json.dumps(record, indent=2) + "\n")

    def requests(self) -> list[dict[str, Any]]:
        """The lines of the input file."""
        return [json.loads(line) for line in _lines(self.input)]

    def remove(self) -> None:
        """Everything is in the journal."""
        shutil.rmtree(self.path, ignore_errors=True)

    def halves(self) -> "list[BatchFolder]":
        """Two batches in place of this one, which was too large."""
        lines = list(_lines(self.input))
        middle = len(lines) // 2
        halves = [
            new_folder(self.path.parent, self.model, self.server, self.endpoint, part)
            for part in (lines[:middle], lines[middle:])
        ]
        self.remove()
        return halves


def new_folder(
    root: Path, model: str, server: str, endpoint: Endpoint, lines: Iterable[str]
) -> BatchFolder:
    """A batch that is about to go out; raises SettingError where it cannot be written."""
    # Names sort by time: of two batches with the same request the later one counts.
    name = f"{time.time_ns():020}-{uuid.uuid4().hex[:12]}"
    folder = BatchFolder(root / name, model, server, endpoint, fresh=True)
    replace_file(folder.input, (f"{line}\n" for line in lines))
    folder.save()
    return folder


def read_folders(root: Path) -> list[BatchFolder]:
    """All batches of a journal, oldest first. What was only half written was never out and is
    removed.
    """
    folders = []
    for path in sorted(root.glob("*/")):
        try:
            record = json.loads((path / "batch.json").read_text(encoding="utf-8"))
            folders.append(BatchFolder(path, **record))
        except (OSError, ValueError, TypeError):
            shutil.rmtree(path, ignore_errors=True)
    return folders


def parts(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines in files that the API takes."""
    part: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 1
        if part and (len(part) >= MOST_LINES or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += length
    if part:
        yield part


def input_line(key: str, endpoint: Endpoint, body: Mapping[str, object]) -> str:
    """A request as a line of the input file, in ASCII: no line separator of Unicode can cut it."""
    return json.dumps({"custom_id": key, "method": "POST", "url": endpoint, "body": body})


def read_answers(folder: BatchFolder, tell: Callable[[str], None]) -> Answers:
    """Key -> what came back; a key that comes twice counts once, and a reply before an error. Lines
    that are no answer to a request of this batch are counted and told.
    """
    keys = {line["custom_id"] for line in folder.requests()}
    answers: Answers = {}
    unread = 0
    for file in (folder.output, folder.failed):
        for text in _lines(file) if file.is_file() else ():
            try:
                line = json.loads(text)
                key = line["custom_id"]
            except (ValueError, TypeError, KeyError):
                unread += 1
                continue
            if not isinstance(key, str) or key not in keys:
                unread += 1
            elif key not in answers or file == folder.output:
                answers.setdefault(key, _answer(line, folder.endpoint))
    if unread:
        tell(f"batch {folder.batch_id or folder.token}: {unread:,} lines answer no request of it")
    return answers


def _answer(line: Mapping[str, Any], endpoint: str) -> Response:
    """A line of an output or error file as a Reply, a Failure or a Rejected.

    OpenAI's has a `response` or an `error`; vLLM's has the status in `response` and the words in
    `error` where it rejects a request.
    """
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict):
        status, body = response.get("status_code"), response.get("body")
        if type(status) is int and status >= 400:
            return responses.Rejected(status, {}, body or error)
        if not error:
            return (responses.read_moderation if endpoint == MODERATION else responses.read)(body)
    code, message = "", ""
    if isinstance(error, dict):
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if code in CANCELLED:
        return cancelled(message)
    return Failure("server", ": ".join(filter(None, (code, message))) or "a line without a reply")


def cancelled(message: str) -> Failure:
    """Somebody wants no more of this batch: nothing is asked again in this run."""
    return Failure(
        "fatal",
        f"the batch was cancelled{message and f' ({message})'}; what was answered is kept, and the"
        " same command asks for the rest",
    )


def _lines(path: Path) -> Iterator[str]:
    """The lines of a JSONL file that are not empty; only a line feed ends one."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            if line.strip():
                yield line.rstrip("\r\n")
