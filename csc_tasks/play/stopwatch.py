"""How long the requests for one reply take."""

from time import perf_counter

from csc_tasks.timing import BATCH, Timing, together


class Stopwatch:
    """Collects what the requests for one reply took, one after the other."""

    def __init__(self) -> None:
        self._parts: list[Timing] = []
        self._started = 0.0
        self._first: float | None = None

    def add(self, timing: Timing) -> None:
        """A request is answered, and took this."""
        self._parts.append(timing)

    def start(self) -> None:
        """A request enters a batch."""
        self._started, self._first = perf_counter(), None

    def token(self) -> None:
        """A token of its reply is there."""
        if self._first is None:
            self._first = perf_counter()

    def stop(self, tokens_in: int, tokens_out: int) -> Timing:
        """The request that entered a batch is answered; returns what it took."""
        first = None if self._first is None else self._first - self._started
        timing = Timing(BATCH, first, perf_counter() - self._started, tokens_in, tokens_out)
        self.add(timing)
        return timing

    @property
    def last(self) -> Timing | None:
        """What the request that was answered last took."""
        return self._parts[-1] if self._parts else None

    def taken(self) -> Timing:
        """What all of them took; the next reply starts anew."""
        timing, self._parts = together(self._parts), []
        return timing
