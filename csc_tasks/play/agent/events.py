"""A stream of server-sent events, taken apart as it comes: the data of each event.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, but for
an event that the stream ends in: it counts, since servers leave the last line break out.
"""

import re
from collections.abc import Iterator

DONE = "[DONE]"
"""The data after which nothing comes, whether or not the server closes the stream."""
_END = re.compile(rb"\r\n|\n|\r")
_BOM = "\ufeff"


class Events:
    """Holds what of a stream is not yet a whole event."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._data: list[str] = []
        self._after_return = False
        self._first = True

    def take(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that end in the next bytes of the stream."""
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        *ends, rest = _END.split(chunk)
        for end in ends:
            line = b"".join((*self._begun, end))
            self._begun.clear()
            yield from self._line(line)
        if rest:
            # Joined only once the line ends: one of any length takes linear time.
            self._begun.append(rest)

    def end(self) -> Iterator[str]:
        """The data of an event that the stream ends in."""
        if self._begun:
            yield from self._line(b"".join(self._begun))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[str]:
        text = line.decode("utf-8", errors="replace")
        if self._first:
            self._first, text = False, text.removeprefix(_BOM)
        if not text:
            if self._data:
                yield "\n".join(self._data)
            self._data.clear()
            return
        name, _, value = text.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
