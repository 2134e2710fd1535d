"""The progress bar of a build: one line on stderr that a terminal redraws, or a line every half
minute where stderr is a file.
"""

import asyncio
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from csc_tasks.telling import is_quiet

if TYPE_CHECKING:
    from csc_tasks.llm.client import LLM

REDRAW = 0.25
LOG = 30.0
# Rates are those of the last so many seconds: a resumed build first runs through its journal much
# faster than it will go on.
WINDOW = 60.0
# A rate of less than so many seconds is noise.
LEAST = 1.0


class Progress:
    """Counts items and draws. `total` items; `name` opens the line; `stream` is stderr; `clock`
    returns seconds and never goes back.
    """

    def __init__(
        self,
        total: int,
        name: str = "",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.total, self.name, self.stream = total, name, stream or sys.stderr
        self.done = self.dropped = self.running = 0
        self.started = clock()
        self._terminal = self.stream.isatty()
        self._drawn = 0
        # (time, items ended, replies) at each drawing; the first when the round began.
        self._past: deque[tuple[float, int, int]] = deque()

    def begin(self) -> None:
        """An item starts."""
        self.running += 1

    def end(self) -> None:
        """It is over."""
        self.running -= 1

    def start(self, llm: "LLM") -> None:
        """The round begins: `llm` may have answered others before."""
        llm.tell = self.print
        self.started = self._clock()
        self._past.append((self.started, 0, llm.answered))

    async def draw_on(self, llm: "LLM") -> None:
        """Draw until cancelled."""
        while True:
            await asyncio.sleep(REDRAW if self._terminal else LOG)
            self._draw(self.line(llm))

    def finish(self, llm: "LLM") -> None:
        """Draw the last line and leave it standing."""
        self._draw(self.line(llm))
        if self._drawn:
            self.stream.write("\n")
        self._drawn = 0

    def print(self, line: str) -> None:
        """Show a line of its own above the bar."""
        self._clear()
        print(line, file=self.stream, flush=True)

    def line(self, llm: "LLM") -> str:
        """`name 12/100 done, 1 dropped, 16 in flight | 0:12:34 left | 181.2 requests/s | batches: 1
        out, 5/10 answered | 2 timed out, 5 failed and tried again | 1.2M in, 300.1k out | cost
        1.23`.

        The rate is that of this round's last minute, and is left out where there is none yet; time-
        outs, tries, tokens and cost are those of the whole run, cost and tokens with earlier ones.
        """
        now = self._clock()
        ended = self.done + self.dropped
        self._past.append((now, ended, llm.answered))
        while len(self._past) > 2 and now - self._past[0][0] > WINDOW:
            self._past.popleft()
        then, ended_then, answered_then = self._past[0]
        seconds = now - then
        stages = llm.budget.stages.values()
        uncounted = sum(stage.uncounted for stage in stages)
        if ended >= self.total:
            left = clock(now - self.started)
        elif seconds >= LEAST and ended > ended_then:
            left = f"{clock((self.total - ended) * seconds / (ended - ended_then))} left"
        else:
            left = "? left"
        rate = (llm.answered - answered_then) / seconds if seconds >= LEAST else None
        cost = llm.budget.cost
        parts = (
            f"{self.name} {self.done:,}/{self.total:,} done, {self.dropped:,} dropped,"
            f" {self.running:,} in flight".strip(),
            left,
            "" if rate is None else f"{rate:.1f} requests/s",
            *(backend.waits_for() for backend in dict.fromkeys(llm.backends.values())),
            troubles(llm.failures),
            (
                f"{short(sum(stage.input for stage in stages))} in,"
                f" {short(sum(stage.output for stage in stages))} out"
            ),
            f"{uncounted:,} uncounted" if uncounted else "",
            "" if cost is None else f"cost {cost:.2f}",
        )
        return " | ".join(filter(None, parts))

    def _draw(self, line: str) -> None:
        if is_quiet():
            return
        if not self._terminal:
            print(line, file=self.stream, flush=True)
            return
        line = line[: shutil.get_terminal_size().columns - 1]
        self.stream.write("\r" + line.ljust(self._drawn))
        self.stream.flush()
        self._drawn = len(line)

    def _clear(self) -> None:
        if self._terminal and self._drawn:
            self.stream.write("\r" + " " * self._drawn + "\r")


def troubles(failures: Mapping[str, int]) -> str:
    """`2 timed out, 7 told to wait, 5 failed`: the tries of a run without a reply, by what became
    of them; "" where there are none.
    """
    words = {
        "timed out": failures.get("timeout", 0),
        "told to wait": failures.get("busy", 0),
        "failed and tried again": failures.get("server", 0) + failures.get("transport", 0),
        "rejected": failures.get("rejected", 0),
    }
    return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)


def short(count: int) -> str:
    """950, 12.3k, 4.5M."""
    for bound, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= bound:
            return f"{count / bound:.1f}{unit}"
    return str(count)


def clock(seconds: float) -> str:
    """H:MM:SS, days included in the hours."""
    seconds = round(seconds)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
