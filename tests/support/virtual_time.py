"""An event loop with a clock of its own: it stands still while anything can run, then jumps to the
next timer.

A test of pauses and time limits is exact in it, takes no time, and is the same on a busy machine.
Nothing in such a test may wait for a socket, a thread or a process: the clock would not know of
them.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0, in seconds. Everything in asyncio that waits (sleep, timeout,
    call_later) goes by it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    """Where the loop would sleep until its next timer, the clock is put forward instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise RuntimeError("everything waits and no timer is set: the test would hang")
        self.loop.now += max(0.0, timeout)
        return super().select(0)


def run(work: Coroutine[object, object, Result]) -> Result:
    """As asyncio.run, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
