"""Values that wait on disk while a build runs, so that memory holds only where they lie."""

import json
import tempfile
import weakref
from pathlib import Path
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where a value lies, in bytes."""

    offset: int
    length: int


class Spool:
    """JSON values in a file without a name, which goes with the process, however that ends.

    `folder` is where the file lies: where there is room for the values; None for the system's
    temporary folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._end = 0
        self.close = weakref.finalize(self, self._file.close)

    def add(self, value: Any) -> Place:
        """Keep `value`."""
        line = json.dumps(value, ensure_ascii=False).encode()
        place = Place(self._end, len(line))
        self._file.seek(place.offset)
        self._file.write(line)
        self._end += len(line)
        return place

    def read(self, place: Place) -> Any:
        """The value at this place."""
        self._file.seek(place.offset)
        return json.loads(self._file.read(place.length))
