"""How many requests may be out at once: up to the user's concurrency, fewer when the server says it
is too much.

Additive increase, multiplicative decrease, as in TCP: a rejection (429) lowers the number once for
all requests sent before it was known, and nobody sends until the server's pause is over; every full
round of successes raises it again. Waiting is first come, first served, except that a rejected
request goes to the front: it must not starve.

Requests also keep a distance: replies that arrive together would be read together and the next
requests sent together, so that the server idles while this process works and the other way round.
With a distance of a part of what even spacing would be, such a clump dissolves.
"""

import asyncio
import random
from collections import deque

# Of the even spacing (latency / limit): small enough never to hold back a server that has become
# faster.
DISTANCE = 0.7
# What is left of the limit after a rejection. TCP's half is for queues that must drain; a server
# that rejects has none.
LESS = 0.7
# Timers are not exact: an admission that comes this much too late is made up for by the next ones.
SLACK = 0.005


class Pace:
    """The gate in front of one server. Belongs to one event loop at a time; times are seconds of
    that loop's clock.

    `first_pause` doubles with each rejection in a row for which the server named no time, up to
    `longest_pause`. `distance` is the part of the even spacing that requests keep.
    """

    def __init__(
        self,
        concurrency: int,
        first_pause: float = 0.5,
        longest_pause: float = 60.0,
        distance: float = DISTANCE,
    ) -> None:
        self.concurrency = concurrency
        self.first_pause = first_pause
        self.longest_pause = longest_pause
        self.distance = distance
        self.limit = float(concurrency)
        self.lowest = float(concurrency)
        self.running = 0
        # Rises with every lowering. A rejection of a request sent before the last one says nothing
        # new.
        self.generation = 0
        self._rejected_in_a_row = 0
        self._open_at = 0.0
        self._next_at = 0.0
        # The quickest answer of late, in seconds; slow ones say more about their length than about
        # the server.
        self._quickest = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed: Exception | None = None

    async def enter(self, again: bool = False) -> int:
        """Wait for a turn; returns the generation to hand back. `again`: this request has been
        rejected before and goes first.
        """
        if self._closed:
            raise self._closed
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if again else self._waiting.append)(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have been given in the moment of the cancellation.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise
        return self.generation

    def leave(self) -> None:
        """The request is no longer out."""
        self.running -= 1
        self._let_in()

    def succeeded(self, seconds: float) -> None:
        """The server answered, in so long: one more request at once after each full round of
        answers, or an eighth more.
        """
        self._rejected_in_a_row = 0
        self._quickest = min(seconds, self._quickest * 1.01 or seconds)
        self.limit = min(
            float(self.concurrency), self.limit + max(1.0, self.limit / 8) / self.limit
        )

    def rejected(self, generation: int, retry_after: float | None) -> float:
        """The server said "too fast": send less. Returns the pause after which this request may
        come again.
        """
        if generation == self.generation:
            self._rejected_in_a_row += 1
            self.slow_down(generation)
        pause = retry_after
        # A server that names too short a time again and again is believed three times.
        if not pause or self._rejected_in_a_row > 3:
            pause = max(
                pause or 0.0,
                min(
                    self.longest_pause, self.first_pause * 2 ** max(0, self._rejected_in_a_row - 1)
                ),
            )
        # A little more than that, differently each time, so that clients that were rejected
        # together do not return together.
        pause *= random.uniform(1.0, 1.1)
        # One rejection without a word about time, amid answers, concerns that request; two in a
        # row, or a time, concern everybody.
        if retry_after or self._rejected_in_a_row > 1:
            self._open_at = max(self._open_at, asyncio.get_running_loop().time() + pause)
        return pause

    def slow_down(self, generation: int) -> None:
        """The server is overloaded (it timed out): send less, without a pause."""
        if generation == self.generation:
            self.generation += 1
            self.limit = max(1.0, self.limit * LESS)
            self.lowest = min(self.lowest, self.limit)

    def close(self, reason: Exception) -> None:
        """Nobody gets a turn any more: those who wait, and all who come, raise `reason`."""
        self._closed = self._closed or reason
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(self._closed)

    def _let_in(self) -> None:
        while self._waiting and self.running < int(self.limit):
            now = asyncio.get_running_loop().time()
            wait = max(self._open_at, self._next_at) - now
            if wait > 0:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._wake)
                return
            turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                self._next_at = (
                    max(self._next_at, now - SLACK) + self.distance * self._quickest / self.limit
                )
                turn.set_result(None)

    def _wake(self) -> None:
        self._timer = None
        self._let_in()
