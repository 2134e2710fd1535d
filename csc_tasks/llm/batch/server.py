"""Sending a batch to a server with OpenAI's Batch API: upload, create, poll, download.

The id of a batch is recorded as soon as it is known. A process that dies between the server's
answer and that record leaves a batch whose metadata carry our name for it, by which the next run
finds it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from csc_tasks import refusals
from csc_tasks.llm import responses
from csc_tasks.llm.backends import OpenAI
from csc_tasks.llm.batch.files import BatchFolder
from csc_tasks.llm.exchange import Failure

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

Result = TypeVar("Result")

ENDS = ("completed", "failed", "expired", "cancelled")
# Under this key of a batch's metadata stands its token.
NAME = "csc_tasks_batch"
# Tries of one call, with doubling pauses: two minutes with the usual first pause.
TRIES = 9
LONGEST_PAUSE = 60.0
# The longest time between two looks at a batch, in seconds, and the part of its age that it is.
LONGEST_POLL, PART_OF_AGE = 300.0, 0.1
# An upload of 200 MB takes longer than a reply.
UPLOAD_SECONDS = 3600.0
# For deleting files, on which nothing waits.
FORGET_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a batch is, in requests."""

    done: int
    total: int


Watch = Callable[[Counts], None]


class Unreachable(Exception):
    """The batch cannot be sent or collected; `failure` says why, and it may still be out."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Service(Protocol):
    """Who answers a batch."""

    async def run(self, folder: BatchFolder, watch: Watch) -> None:
        """Send the batch, or find the one that is out, and wait for its end: its `status` and its
        files are then in the folder. Raises Unreachable.
        """

    async def forget(self, folder: BatchFolder) -> None:
        """Everything is in the journal; what others keep of the batch may go."""


class BatchServer:
    """The Batch API of `server`. `pause` is the first of the pauses between tries; the first look
    at a batch is after ten of them.
    """

    def __init__(self, server: OpenAI, pause: float) -> None:
        self.server, self.pause = server, pause

    async def run(self, folder: BatchFolder, watch: Watch) -> None:
        """See Service."""
        if folder.status:
            return
        batch = await self._sent(folder)
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            counts = batch.request_counts
            if counts is not None:
                # Servers that have no number yet say null.
                done = (counts.completed or 0) + (counts.failed or 0)
                watch(Counts(done, counts.total or 0))
            if batch.status in ENDS:
                break
            age = loop.time() - started
            await asyncio.sleep(min(LONGEST_POLL, max(10 * self.pause, PART_OF_AGE * age)))
            batch = await self._call(lambda client: client.batches.retrieve(folder.batch_id))
        for file_id, file in (
            (batch.output_file_id, folder.output),
            (batch.error_file_id, folder.failed),
        ):
            if file_id:
                content = await self._downloaded(file_id)
                file.write_bytes(content)
        errors = (batch.errors.data if batch.errors else None) or []
        folder.errors = [error.model_dump() for error in errors]
        folder.status = batch.status
        folder.save()

    async def forget(self, folder: BatchFolder) -> None:
        """Delete the files at the server: they hold what the journal does."""
        if not folder.batch_id:
            return

        async def delete(client: "AsyncOpenAI") -> None:
            batch = await client.batches.retrieve(folder.batch_id)
            for file_id in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
                if file_id:
                    await client.files.delete(file_id)

        # Whether it worked is all the same: a server deletes them by itself in time.
        await self._try(delete, min(FORGET_SECONDS, self.server.timeout))

    async def _sent(self, folder: BatchFolder) -> "Batch":
        """The batch, which is sent if it is not out."""
        if folder.batch_id:
            return await self._call(lambda client: client.batches.retrieve(folder.batch_id))
        batch = None if folder.fresh else await self._found(folder)
        if batch is None:
            content = folder.input.read_bytes()
            file = await self._call(
                lambda client: client.files.create(
                    file=("input.jsonl", content), purpose="batch", timeout=UPLOAD_SECONDS
                ),
                UPLOAD_SECONDS,
            )
            batch = await self._created(folder, file.id)
        folder.batch_id = batch.id
        folder.save()
        return batch

    async def _created(self, folder: BatchFolder, file_id: str) -> "Batch":
        """A new batch of an uploaded file. A try whose answer was lost may have made it."""
        tried = False

        async def create(client: "AsyncOpenAI") -> "Batch":
            nonlocal tried
            earlier = await self._with_name(client, folder.token) if tried else None
            tried = True
            return earlier or await client.batches.create(
                input_file_id=file_id,
                endpoint=folder.endpoint,
                completion_window="24h",
                metadata={NAME: folder.token},
            )

        return await self._call(create)

    async def _found(self, folder: BatchFolder) -> "Batch | None":
        """The batch that an earlier run made without recording its id, None where it made none."""
        return await self._call(lambda client: self._with_name(client, folder.token))

    async def _with_name(self, client: "AsyncOpenAI", token: str) -> "Batch | None":
        async for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(NAME) == token:
                return batch
        return None

    async def _downloaded(self, file_id: str) -> bytes:
        async def content(client: "AsyncOpenAI") -> bytes:
            return (await client.files.content(file_id, timeout=UPLOAD_SECONDS)).content

        return await self._call(content, UPLOAD_SECONDS)

    async def _call(
        self, work: "Callable[[AsyncOpenAI], Awaitable[Result]]", seconds: float = 0.0
    ) -> Result:
        """What one call gives, tried again where that makes sense; raises Unreachable."""
        for number in range(TRIES):
            given = await self._try(work, seconds or self.server.timeout)
            if not isinstance(given, Failure):
                return given
            message = self.server.clean(given.message)
            if given.kind == "fatal":
                break
            if number + 1 < TRIES:
                wait = given.retry_after or self.pause * 2**number
                await asyncio.sleep(min(LONGEST_PAUSE, wait))
        raise Unreachable(Failure("fatal", refusals.shortened(" ".join(message.split()))))

    async def _try(
        self, work: "Callable[[AsyncOpenAI], Awaitable[Result]]", seconds: float
    ) -> Result | Failure:
        """One try. Nothing raised here leaves: its frames hold the key."""
        try:
            async with asyncio.timeout(seconds):
                return await work(self.server.client())
        except TimeoutError:
            return Failure("timeout", f"no reply within {seconds:g} s")
        except self.server.status_error as error:
            status, body = error.status_code, refusals.error_of(error.body)
            again = (status in (408, 409, 429) or status >= 500) and not refusals.no_credit(body)
            return Failure(
                "server" if again else "fatal",
                f"{status}: {refusals.message(body)}",
                refusals.retry_after(dict(error.response.headers)),
            )
        except Exception as error:
            return responses.broken(error)
