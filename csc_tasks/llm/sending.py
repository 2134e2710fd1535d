"""Sending one request until there is a reply: its row in the journal, the server's pace, the bounds
on tries and waiting, what is given up, and what ends the run.

A request that gets no reply while others do is given up: the journal says so, its item is dropped,
and no later run asks it again unless the user wants that. Whether others do is known for certain
only when the next reply is in; if the run stops before, the next one asks again.
"""

import asyncio
import random
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakValueDictionary

from csc_tasks.errors import SettingError
from csc_tasks.llm.accepted import AUTO
from csc_tasks.llm.answers import Reading, read_answer
from csc_tasks.llm.backends import Backend
from csc_tasks.llm.budget import Budget
from csc_tasks.llm.exchange import Failure, Reply, Request
from csc_tasks.llm.journal.journal import Journal, Row
from csc_tasks.llm.journal.request import journal_row
from csc_tasks.llm.outcomes import TIMED_OUT, Fatal, GivenUp, JournalLost, Stopped, Unanswered
from csc_tasks.llm.pace import Pace
from csc_tasks.llm.shards import Elsewhere, Shard
from csc_tasks.refusals import INSTEAD

if TYPE_CHECKING:
    from pydantic import BaseModel

    from csc_tasks.llm.outcomes import OpenRound

# A request that is told "too fast" this often, while others are answered, is itself what the server
# does not want.
MOST_REJECTIONS = 20
# So many requests in a row that come to nothing, without a reply to any other, and the server is
# taken to be gone. It takes several: at the end of a build all that are left may be hopeless.
MOST_SILENT = 5
# Tries after a time-out that was everybody's; one that was this request's alone is not repeated.
TIMEOUT_RETRIES = 2
# More time-outs than so many among so many tries are the server's.
FEW_TIMEOUTS, OF_TRIES = 2, 20
UNREACHABLE = "unreachable"
# The longest pause, in seconds, between tries after errors other than "too fast".
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class LoopState:
    """What belongs to one event loop: a gate before each backend, a lock for each request that is
    out, and the event that wakes those who wait when the run is stopped.
    """

    loop: asyncio.AbstractEventLoop
    paces: dict[int, Pace]
    locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    halt: asyncio.Event = field(default_factory=asyncio.Event)


class Sender:
    """Backends behind their journal and budget. One event loop at a time; a builder may run
    several, one after the other.

    `backends`: stage -> backend. `concurrency`: most requests out at once. `retries` bounds tries
    after transport errors and 5xx, `max_wait` the seconds a server may keep everything waiting.
    With `retry_dropped`, requests that an earlier run gave up are asked again. `first_pause` is the
    first, in seconds, of the doubling pauses between tries. Raises SettingError for a number out of
    range.

    `shard` is the part of the items that is asked about, None for all; `elsewhere` counts the
    requests that are left to other parts. `sent`, `answered` and `replayed` count requests of this
    run, `failures` the failed tries by kind; `tell` shows the user a line; `stopped` is why nothing
    more is sent, or None.

    With `only_reads`, what the journal does not hold raises Unanswered, and `open_rounds` says
    where. `keys`, where it is a set, gets the keys of all requests that are asked or read.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        journal: Journal,
        budget: Budget,
        *,
        concurrency: int,
        retries: int,
        max_wait: float,
        retry_dropped: bool,
        first_pause: float,
    ) -> None:
        if not 1 <= concurrency <= 1000:
            raise SettingError(f"concurrency {concurrency} is not in 1..1000")
        self.backends, self.journal, self.budget = dict(backends), journal, budget
        self.concurrency, self.retries, self.max_wait = concurrency, retries, max_wait
        self.retry_dropped, self.first_pause = retry_dropped, first_pause
        budget.carry_over(journal.totals())
        self.sent = self.answered = self.replayed = self.elsewhere = 0
        self.shard: Shard | None = None
        self.failures: Counter[str] = Counter()
        # Given up since the last reply, and how many of these were left without a word.
        self._unproven: list[str] = []
        self._silent = 0
        # Whether each of the last tries timed out.
        self._timeouts: deque[bool] = deque(maxlen=OF_TRIES)
        # Given up by an earlier run.
        self._earlier: set[str] = set()
        self.tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
        self.stopped: Exception | None = None
        self._last_answer = 0.0
        # The (model, parameter) pairs the user was told about.
        self._noted: set[tuple[str, str]] = set()
        self._state: LoopState | None = None
        self.only_reads = False
        self.open_rounds: list[OpenRound] = []
        self.keys: set[str] | None = None

    @property
    def borne(self) -> float:
        """How many requests may be out at once by now, at the server that bears the fewest; 0 where
        they go out in batches.
        """
        if self.together > self.concurrency:
            return 0.0
        paces = self._state.paces.values() if self._state else ()
        return min((pace.limit for pace in paces), default=float(self.concurrency))

    @property
    def together(self) -> int:
        """How many items are worked at together: as many as the backend that wants the most."""
        return max(self.concurrency, *(backend.at_once for backend in self.backends.values()))

    async def disconnect(self) -> None:
        """Close the connections of this event loop; whoever ran the loop calls it last."""
        for backend in set(self.backends.values()):
            await backend.close()

    def stop(self, reason: Exception) -> None:
        """Send nothing more: what waits or comes raises `reason`; what is out may still come in,
        and what is recorded can be read. What was given up without a reply to another since is
        left for the next run.
        """
        self.stopped = self.stopped or reason
        if not isinstance(reason, JournalLost):
            self.take_up(self._unproven)
            self._unproven.clear()
        if self._state is not None:
            for pace in self._state.paces.values():
                pace.close(self.stopped)
            self._state.halt.set()
        self.budget.wake()

    def check(self) -> None:
        """Raise why nothing more is sent, if that is so."""
        if self.stopped:
            raise self.stopped

    def take_up(self, keys: Iterable[str]) -> None:
        """Leave requests that were given up in this run for the next one."""
        for key in keys:
            if key not in self._earlier:
                self.journal.take_up(key)

    async def reading(
        self, backend: Backend, request: Request, model: "type[BaseModel] | None"
    ) -> Reading:
        """The reply to a request, from the journal or from the backend, read as `model` (None:
        text). Raises GivenUp, Stopped, Fatal, JournalLost, and DataError for a request that is no
        JSON.
        """
        parts: dict[str, object] = {
            "messages": request.messages,
            "schema": request.schema,
            "sampling": request.sampling,
        }
        # Only what the user chose: what a server was found not to take changes no key.
        if request.form != AUTO:
            parts["response_format"] = request.form
        key, row = journal_row(backend, request, parts)
        if self.keys is not None:
            self.keys.add(key)
        state = self._on_this_loop()
        # The same request asked twice at once is sent once; the second reads what the first
        # recorded.
        async with state.locks.setdefault(key, asyncio.Lock()):
            damaged = self.journal.damaged
            recorded = self.journal.reply(key)
            if self.journal.damaged > damaged:
                self.tell(
                    f"{self.journal.path}: the recorded reply of {request.stage},"
                    f" {request.item_id} is damaged and is asked for again"
                )
            if recorded is not None:
                self.replayed += 1
                # A resumed build first reads thousands of rows; the bar and Ctrl-C need a turn in
                # between.
                await asyncio.sleep(0)
                return read_answer(Reply.recorded(recorded), model, request.attempt)
            if (earlier := self.journal.given_up(key)) is not None:
                self._earlier.add(key)
                if not self.retry_dropped:
                    await asyncio.sleep(0)
                    why, problem = earlier
                    raise GivenUp(f"{request.stage}: {why}", problem, request.item_id, key)
            if self.only_reads:
                raise Unanswered(f"{request.stage}, {request.item_id}: not answered yet")
            if self.shard is not None and not self.shard.owns(request.item_id):
                self.elsewhere += 1
                raise Elsewhere(request.stage, request.item_id)
            try:
                return await self._send(state, backend, replace(request, key=key), model, key, row)
            except (Stopped, Fatal, JournalLost) as error:
                self.stop(error)
                raise

    async def _send(
        self,
        state: LoopState,
        backend: Backend,
        request: Request,
        model: "type[BaseModel] | None",
        key: str,
        row: Row,
    ) -> Reading:
        """Send until there is a reply, within the bounds; every try is in the journal before it is
        out.
        """
        pace, answered, started = state.paces[id(backend)], self.answered, state.loop.time()
        failures = rejections = 0
        where = (
            f"{backend.name}:{backend.model} at {backend.base_url} ({request.stage},"
            f" {request.item_id})"
        )
        while True:
            generation = await pace.enter(again=rejections > 0)
            held: float | None = None
            try:
                anew = not backend.holds(key)
                if anew:
                    held = await self.budget.room(backend, request, row["request"], self.check)
                    self.sent += 1
                self.journal.send(key, row, anew)
                sent_at, answered_then = state.loop.time(), self.answered
                response = await backend.complete(request)
                if isinstance(response, Reply):
                    self._last_answer = state.loop.time()
                    self._timeouts.append(False)
                    pace.succeeded(self._last_answer - sent_at)
                    return self._recorded(request, model, key, response)
                self.failures[response.kind] += 1
                self.journal.fail(key, response.message)
                alone = self._alone(response, self.answered > answered_then, pace)
                pause = 0.0
                if response.kind == "busy":
                    rejections += 1
                    pause = pace.rejected(generation, response.retry_after)
                elif response.kind == "timeout":
                    pace.slow_down(generation)
            finally:
                self.budget.release(held)
                pace.leave()
            if response.kind == "fatal":
                raise Fatal(f"{where}: {response.message}")
            if response.kind == "rejected":
                self._give_up(request, key, response.feature, response.message)
            if response.kind == "unsupported":
                self._note_unsupported(backend, response)
            elif response.kind == "busy":
                since = max(started, self._last_answer)
                silent = state.loop.time() - since
                if self._bear(response, rejections, silent, where):
                    text = f"rejected {rejections} times, at last {response.message}"
                    self._lose(request, key, UNREACHABLE, text, answered, where)
                await self._rest(state, pause)
            else:
                failures += 1
                timed_out = response.kind == "timeout"
                most = min(self.retries, TIMEOUT_RETRIES) if timed_out else self.retries
                if failures > most or (timed_out and alone):
                    text = response.message
                    if failures > 1:
                        text = f"no reply in {failures} tries, at last {text}"
                    why = TIMED_OUT if timed_out else UNREACHABLE
                    self._lose(request, key, why, text, answered, where)
                doubled = min(LONGEST_PAUSE, self.first_pause * 2 ** (failures - 1))
                await self._rest(state, doubled * random.uniform(0.8, 1.2))

    def _recorded(
        self, request: Request, model: "type[BaseModel] | None", key: str, reply: Reply
    ) -> Reading:
        """The reply, read, counted and put into the journal."""
        self.answered += 1
        self._unproven.clear()
        self._silent = 0
        reading = read_answer(reply, model, request.attempt)
        self.journal.finish(key, asdict(reply), reading.outcome, reading.problem, reply.usage)
        self.budget.add(request.stage, reply.usage)
        return reading

    def _alone(self, failure: Failure, others: bool, pace: Pace) -> bool:
        """Whether a time-out says something of this request rather than of the server: no other is
        out, or `others` were answered meanwhile and hardly any timed out of late.
        """
        self._timeouts.append(failure.kind == "timeout")
        return pace.running == 1 or (others and sum(self._timeouts) <= FEW_TIMEOUTS)

    def _bear(self, failure: Failure, rejections: int, silent: float, where: str) -> bool:
        """Whether this request has been told to wait too often; raises Stopped where waiting makes
        no sense. `silent` are the seconds in which nothing was answered.
        """
        if (failure.retry_after or 0) > self.max_wait:
            raise Stopped(
                f"{where}: {failure.message}; the server asks to wait {failure.retry_after:,.0f} s"
                f" (--max-wait {self.max_wait:g}): run the same command again then"
            )
        if silent > self.max_wait:
            raise Stopped(
                f"{where}: {failure.message}; nothing was answered for {self.max_wait:g} s: run the"
                " same command again later"
            )
        return rejections > MOST_REJECTIONS

    def _lose(
        self, request: Request, key: str, why: str, problem: str, answered: int, where: str
    ) -> NoReturn:
        """This request alone is hopeless where others are answered; else the server is gone.
        `answered` are the replies there were when it was sent first.
        """
        if self.answered <= answered:
            self._silent += 1
            never = why == UNREACHABLE and not self.answered and not self.replayed
            if never or self._silent > MOST_SILENT:
                raise Stopped(
                    f"{where}: {problem}; nothing else was answered meanwhile: run the same command"
                    " again when the server is back"
                )
        self._give_up(request, key, why, problem)

    def _give_up(self, request: Request, key: str, why: str, problem: str) -> NoReturn:
        """Record that this request gets no reply; one that was still out when the run was stopped
        is left for the next.
        """
        if self.stopped:
            raise self.stopped
        self.journal.give_up(key, why, problem)
        self._unproven.append(key)
        raise GivenUp(f"{request.stage}: {why}", problem, request.item_id, key)

    def _note_unsupported(self, backend: Backend, failure: Failure) -> None:
        """Say once what the server does not take and what is done without it."""
        if (backend.model, failure.feature) not in self._noted:
            self._noted.add((backend.model, failure.feature))
            self.tell(
                f"{backend.name}:{backend.model} does not take {failure.feature}:"
                f" {INSTEAD[failure.feature]} ({failure.message})"
            )

    async def _rest(self, state: LoopState, seconds: float) -> None:
        """Sleep, or raise at once when the run is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await state.halt.wait()
        except TimeoutError:
            return
        # Only `stop` sets the event, and it gives the reason first.
        assert self.stopped is not None
        raise self.stopped

    def _on_this_loop(self) -> LoopState:
        """The state of the event loop that runs, a new one where the loop is."""
        loop = asyncio.get_running_loop()
        if self._state is None or self._state.loop is not loop:
            self._state = LoopState(
                loop,
                {
                    id(backend): Pace(backend.at_once, self.first_pause, distance=0.0)
                    if backend.at_once
                    else Pace(self.concurrency, self.first_pause)
                    for backend in self.backends.values()
                },
            )
            if self.stopped:
                self.stop(self.stopped)
        return self._state
