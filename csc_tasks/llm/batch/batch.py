"""A model that is asked in batches: requests are gathered until nobody sends another, go out as one
file, and are answered together, at half the price and within a day.

    csc build csconv ... --llm batch:gpt-4o-mini --price 0.075,0.30
    csc build csconv ... --llm batch:Qwen/Qwen3-8B --batch-command 'vllm run-batch'

Workers notice nothing: `complete` waits longer. As many items are worked at as a batch holds. What
is out is in a folder beside the journal (csc_tasks.llm.batch.files), so a run that was killed
collects it instead of asking again. Lines that come back without a reply are asked again, in the
next batch. The journal knows these replies as those of the same model asked one by one.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from csc_tasks.errors import SettingError
from csc_tasks.llm import responses
from csc_tasks.llm.accepted import Accepted
from csc_tasks.llm.backends import OpenAI, moderation_body
from csc_tasks.llm.batch.command import BatchCommand
from csc_tasks.llm.batch.files import (
    CHAT,
    MODERATION,
    MOST_LINES,
    Answers,
    BatchFolder,
    Endpoint,
    cancelled,
    input_line,
    new_folder,
    parts,
    read_answers,
    read_folders,
)
from csc_tasks.llm.batch.server import BatchServer, Counts, Service, Unreachable
from csc_tasks.llm.exchange import Failure, Reply, Request

# What runs beside a worker needs a few rounds of the event loop until it asks: no request is late
# because the machine is slow.
ROUNDS = 50
# The server holds no more of this account's requests at a time.
TOO_MUCH = "token_limit_exceeded"
# How often a single request is sent again that is too much by itself: for a day.
WAITS, WAIT = 288, 300.0


@dataclass(slots=True)
class Out:
    """A batch that is out: its folders (several where one was too large), the keys whose reply is
    not in the journal yet, the answers, None before they are there, and the bodies of those that
    were refused.
    """

    folders: list[BatchFolder]
    open: set[str]
    answers: Answers | None = None
    refused: dict[str, dict[str, object]] = field(default_factory=dict)
    collecting: "asyncio.Task[Answers] | None" = None
    counts: Counts | None = None


Waiting = tuple[Request, "asyncio.Future[Out | Failure]"]


class Batch:
    """A chat model or moderation endpoint behind OpenAI's Batch API, or behind `command`.

    `root` is the folder for what is out. `pause` is the first pause between tries, in seconds;
    requests are gathered until none has come for four of them. `recorded` says whether the journal
    has the reply to a key; `tell` shows the user a line. Raises SettingError.
    """

    # Who answers is the same model: the journal's rows are valid for both.
    name = "openai"
    at_once = MOST_LINES

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str,
        timeout: float,
        root: Path,
        command: str | None,
        pause: float,
        recorded: Callable[[str], bool],
    ) -> None:
        if not model:
            raise SettingError("--llm batch needs a model: batch:MODEL")
        self.model, self.timeout, self.root, self.pause = model, timeout, root, pause
        self.recorded = recorded
        self.tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
        self.service: Service
        self._server: OpenAI | None = None
        if command is None:
            server = OpenAI(model, base_url=base_url, api_key=api_key, timeout=timeout)
            self.accepted, self.clean, self.base_url = server.accepted, server.clean, base_url
            self.service, self._server = BatchServer(server, pause), server
        else:
            self.accepted, self.clean, self.base_url = Accepted(model), str, ""
            self.service = BatchCommand(command, pause)
        self._held: dict[str, Out] | None = None
        self._all: list[Out] = []
        self._waiting: dict[str, Waiting] = {}
        self._came = 0
        # Why the run ends: what is gathered then is not sent any more.
        self._over: Failure | None = None
        self._gathering: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Batch({self.model!r}, base_url={self.base_url!r})"

    async def complete(self, request: Request) -> Reply | Failure:
        """Wait for the batch that takes this request, and for its end."""
        if request.kind == "moderation" and self._server is None:
            return Failure(
                "fatal",
                "a --batch-command answers no moderation endpoint; name another for this stage",
            )
        out: Out | Failure | None = self._outs().get(request.key)
        if out is None:
            out = await self._gathered(request)
        if isinstance(out, Failure):
            return out
        answers = await self._collected(out)
        response = answers[request.key]
        if isinstance(response, responses.Rejected):
            body = out.refused[request.key]
            response = responses.judge(response, body, self.accepted, request)
        elif isinstance(response, Reply):
            self.accepted.answered(request)
        if isinstance(response, Failure):
            if response.kind in ("busy", "timeout"):
                # The pace and the patience of a connection are not those of a batch.
                response = Failure("server", response.message)
            if response.kind == "fatal":
                self._over = response
            # Replies first: what is answered tells what a failure means.
            for _ in range(2 if response.kind == "fatal" else 1):
                await asyncio.sleep(0)
        # From here to the journal nothing waits, so nothing can come between.
        if out.answers is not None:
            out.open.discard(request.key)
            self._outs().pop(request.key, None)
        return responses.cleaned(response, self.clean)

    async def close(self) -> None:
        """Forget what is in the journal; what is still out is collected by the next round or
        run.
        """
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._waiting.clear()
        # A run that read everything from the journal clears up after one that was killed.
        self._outs()
        for out in list(self._all):
            if not out.open:
                self._all.remove(out)
                for folder in out.folders:
                    await self.service.forget(folder)
                    folder.remove()
            elif out.collecting is not None and not out.collecting.done():
                out.collecting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await out.collecting
                if self._server is not None:
                    self.tell(
                        f"batch {_names(out)} is still out ({len(out.open):,} requests); the same"
                        " command collects it"
                    )
            out.collecting = None
        with contextlib.suppress(OSError):
            # Not where batches of another model, or what is still out, lie in it.
            self.root.rmdir()
        if self._server is not None:
            await self._server.close()

    def left_out(self) -> list[str]:
        """What the server refused and was not told in any form."""
        return self.accepted.left_out()

    def bound(self, request: Request) -> int | None:
        """The most tokens of the reply to this request, None for no bound."""
        return self.accepted.most(request)

    def holds(self, key: str) -> bool:
        """Whether the request is out since an earlier run."""
        return key in self._outs()

    def waits_for(self) -> str:
        """`batches: 2 out, 1,200/5,000 answered`."""
        outs = [out for out in self._all if out.collecting and not out.collecting.done()]
        if not outs:
            return ""
        total = sum(out.counts.total if out.counts else len(out.open) for out in outs)
        done = sum(out.counts.done if out.counts else 0 for out in outs)
        return f"batches: {len(outs):,} out, {done:,}/{total:,} answered"

    def _outs(self) -> dict[str, Out]:
        """Key -> the batch that it is out in, those of earlier runs included."""
        if self._held is None:
            self._held = {}
            for folder in read_folders(self.root):
                if folder.model != self.model:
                    continue
                if folder.server != self.base_url:
                    self.tell(
                        f"{folder.path}: this batch is out at {folder.server or 'a command'}, and"
                        " is not collected from here"
                    )
                    continue
                keys = {line["custom_id"] for line in folder.requests()}
                out = Out([folder], {key for key in keys if not self.recorded(key)})
                self._all.append(out)
                for key in out.open:
                    if key in self._held:
                        self._held[key].open.discard(key)
                    self._held[key] = out
        return self._held

    async def _gathered(self, request: Request) -> Out | Failure:
        """The batch that the request went into."""
        placed: asyncio.Future[Out | Failure] = asyncio.get_running_loop().create_future()
        self._waiting[request.key] = (request, placed)
        self._came += 1
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())
        return await placed

    async def _gather(self) -> None:
        """Wait until no request comes any more, and send what there is."""
        came = -1
        while came != self._came:
            came = self._came
            await asyncio.sleep(4 * self.pause)
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
        self._gathering = None
        waiting, self._waiting = self._waiting, {}
        for endpoint in (CHAT, MODERATION):
            kind = "moderation" if endpoint == MODERATION else "chat"
            group = {
                key: (request, placed)
                for key, (request, placed) in waiting.items()
                if request.kind == kind and not placed.done()
            }
            keys = iter(group)
            lines = (
                input_line(key, endpoint, self._body(request))
                for key, (request, _) in group.items()
            )
            for part in parts(lines):
                out: Out | Failure
                taken = [next(keys) for _ in part]
                try:
                    out = self._over or self._placed(endpoint, taken, part)
                except SettingError as error:
                    out = Failure("fatal", str(error))
                for key in taken:
                    if not group[key][1].done():
                        group[key][1].set_result(out)

    def _placed(self, endpoint: Endpoint, keys: list[str], lines: list[str]) -> Out:
        """A new batch of these requests; it goes out when the first of them waits for it."""
        folder = new_folder(self.root, self.model, self.base_url, endpoint, lines)
        out = Out([folder], set(keys))
        self._all.append(out)
        self._outs().update(dict.fromkeys(keys, out))
        return out

    def _body(self, request: Request) -> dict[str, object]:
        if request.kind == "moderation":
            return moderation_body(self.model, request)
        return self.accepted.body(self.model, request)

    async def _collected(self, out: Out) -> Answers:
        """The answers of a batch; whoever waits first fetches them for all."""
        if out.answers is not None:
            return out.answers
        if out.collecting is None:
            out.collecting = asyncio.create_task(self._collect(out))
        return await asyncio.shield(out.collecting)

    async def _collect(self, out: Out) -> Answers:
        answers: Answers = {}
        try:
            waiting = list(out.folders)
            while waiting:
                folder = waiting.pop(0)
                ended = await self._ended(folder, out)
                if ended is None:
                    halves = folder.halves()
                    place = out.folders.index(folder)
                    out.folders[place : place + 1] = halves
                    waiting = halves + waiting
                else:
                    answers |= ended
        except Unreachable as error:
            return self._all_failed(out, error.failure.message)
        except (OSError, SettingError) as error:
            return self._all_failed(out, str(error))
        out.answers = answers
        return answers

    async def _ended(self, folder: BatchFolder, out: Out) -> Answers | None:
        """The answers of one file, None where it must be halved."""

        def watch(counts: Counts) -> None:
            out.counts = counts

        bodies = {line["custom_id"]: line["body"] for line in folder.requests()}
        keys = list(bodies)
        for _ in range(WAITS):
            await self.service.run(folder, watch)
            if folder.status != "failed" or not _too_much(folder):
                break
            if len(keys) > 1:
                return None
            self.tell(f"{_names(out)}: the server takes no more batches for now")
            folder.batch_id, folder.status, folder.errors, folder.fresh = "", "", [], True
            await asyncio.sleep(WAIT)
        if folder.status == "failed":
            answers = _not_valid(folder, keys)
        else:
            given = read_answers(folder, self.tell)
            rest = {
                "cancelled": cancelled(""),
                "expired": Failure("server", "the batch expired before this request was answered"),
            }.get(folder.status, Failure("server", "the batch came without this line"))
            answers = dict.fromkeys(keys, rest) | given
        for key, answer in answers.items():
            if isinstance(answer, responses.Rejected):
                out.refused[key] = bodies[key]
        return answers

    def _all_failed(self, out: Out, message: str) -> Answers:
        message = f"batch {_names(out)} in {out.folders[0].path.parent}: {message}"
        return dict.fromkeys(out.open, Failure("fatal", self.clean(message)))


def _too_much(folder: BatchFolder) -> bool:
    return any(error.get("code") == TOO_MUCH for error in folder.errors)


def _not_valid(folder: BatchFolder, keys: list[str]) -> Answers:
    """What a file that the server does not take means for its requests: those that it names are
    rejected, the others were never looked at. Where it names none, all of them are.
    """
    named: Answers = {}
    for error in folder.errors:
        line = error.get("line")
        if isinstance(line, int) and 1 <= line <= len(keys):
            named[keys[line - 1]] = responses.Rejected(400, {}, error)
    if named:
        others = Failure("server", "another line kept the batch from being taken")
        return dict.fromkeys(keys, others) | named
    said = "; ".join(str(error.get("message") or error.get("code")) for error in folder.errors)
    return dict.fromkeys(keys, Failure("fatal", f"the batch was not taken: {said or 'no reason'}"))


def _names(out: Out) -> str:
    return ", ".join(folder.batch_id or folder.token for folder in out.folders)
