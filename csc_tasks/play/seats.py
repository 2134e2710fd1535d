"""Which conversation plays in which row of lockstep play, and what each row is asked next."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Generic, TypeVar

from csc_tasks.play.chains import Chain
from csc_tasks.play.requests import PlayInstance

Encoded = TypeVar("Encoded")


class Seats(Generic[Encoded]):
    """Which conversation plays in which row. `waiting` rows want their next prompt."""

    def __init__(
        self,
        chains: Sequence[Chain],
        batch_size: int,
        cached: Callable[[Chain, PlayInstance], bool],
        encode: Callable[[PlayInstance], Encoded],
    ) -> None:
        self.queue = deque(sorted(chains, key=lambda chain: -len(chain.requests)))
        self.cached = cached
        self.encode = encode
        self.chains: list[Chain | None] = [
            self.queue.popleft() for _ in range(min(batch_size, len(chains)))
        ]
        self.waiting = list(range(self.count))

    @property
    def count(self) -> int:
        return len(self.chains)

    def chain(self, row: int) -> Chain:
        """The conversation that plays in a row that is not empty."""
        chain = self.chains[row]
        assert chain is not None
        return chain

    def next_requests(self) -> list[tuple[int, PlayInstance, Encoded]]:
        """(row, request, what `encode` makes of it) for the waiting rows; a row for which nothing
        is left to ask stays empty, and one whose customer has not spoken yet goes on waiting.
        """
        asked = []
        waiting = []
        for row in self.waiting:
            while (chain := self.chains[row]) is not None:
                if not _ready(chain):
                    waiting.append(row)
                    break
                request = chain.ask()
                if request is None:
                    self.chains[row] = self.queue.popleft() if self.queue else None
                elif not self.cached(chain, request):
                    asked.append((row, request, self.encode(request)))
                    break
        self.waiting = waiting
        return asked

    def ready(self) -> bool:
        """Whether a waiting row has its next request."""
        return any(_ready(self.chains[row]) for row in self.waiting)

    def wait(self) -> None:
        """Until one of the customers that are waited for has spoken."""
        coming = [chain.coming for row in self.waiting if (chain := self.chains[row])]
        wait([one for one in coming if one is not None], return_when=FIRST_COMPLETED)

    def shrunk(self) -> list[int]:
        """The rows to keep where half of them or more have nothing left to do; they become the rows
        0, 1, ... of this.
        """
        taken = [row for row, chain in enumerate(self.chains) if chain is not None]
        if not taken or len(taken) * 2 > self.count:
            return []
        self.chains = [self.chains[row] for row in taken]
        self.waiting = [taken.index(row) for row in self.waiting]
        return taken


def _ready(chain: Chain | None) -> bool:
    """Whether what a row asks next is known."""
    return chain is None or chain.coming is None or chain.coming.done()
