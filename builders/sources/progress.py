"""How far a large file has been read: one line on stderr that a terminal redraws, or a line every
half minute where stderr is a file.
"""

import sys
import time
from typing import TextIO

from csc_tasks.telling import is_quiet

REDRAW, LOG = 0.25, 30.0


class ReadingProgress:
    """`with ReadingProgress("calls.csv", bytes) as progress: progress.at(position)`; a short
    reading says nothing.
    """

    def __init__(self, name: str, size: int, stream: TextIO | None = None) -> None:
        self.name, self.size, self.stream = name, size, stream or sys.stderr
        self._terminal = self.stream.isatty()
        self._started = self._drawn = time.monotonic()
        self._shown = False

    def __enter__(self) -> "ReadingProgress":
        return self

    def __exit__(self, *_) -> None:
        if self._shown and self._terminal:
            print(file=self.stream)

    def at(self, position: int) -> None:
        """So many bytes are read."""
        now = time.monotonic()
        if is_quiet() or now - self._drawn < (REDRAW if self._terminal else LOG):
            return
        self._drawn, self._shown = now, True
        left = (now - self._started) * (self.size - position) / max(position, 1)
        line = (
            f"reading {self.name}: {position / max(self.size, 1):.0%} of {self.size / 2**20:,.0f}"
            f" MB, {left:.0f} s left"
        )
        print(
            f"\r{line}  " if self._terminal else line,
            end="" if self._terminal else "\n",
            file=self.stream,
            flush=True,
        )
