"""Recorded conversations that passed the rules, in a random order that depends on each of them
alone; the texts wait in a file.

A source may hold hundreds of thousands: only keys, places and topics stay in memory. The order is
that of a hash over the seed and the content, so that what a small build takes is a part of what a
larger one takes, whatever else the source holds.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from builders import spool
from builders.sources import RawConversation, raw_id
from csc_tasks.draws import digest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation lies in the file; `key` orders, `topic` is "" where the source names
    none.
    """

    key: bytes
    at: spool.Place
    topic: str


class Candidates:
    """Fill it by `add`, then read `places`; a context manager. Its file has no name and goes with
    the process, however that ends.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self._spool = spool.Spool(folder)
        self._places: list[Place] = []
        self._keys: set[bytes] = set()

    def __enter__(self) -> "Candidates":
        return self

    def __exit__(self, *_) -> None:
        self._spool.close()

    def add(self, raw: RawConversation) -> bool:
        """Keep `raw`; False where the same turns are there already."""
        key = digest(f"{self.seed} {raw_id(raw)}")[:16]
        if key in self._keys:
            return False
        self._keys.add(key)
        self._places.append(Place(key, self._spool.add(raw.to_json()), raw.topic))
        return True

    def places(self) -> list[Place]:
        """All of them in the order of their keys. Nothing can be added afterwards."""
        self._keys.clear()
        self._places.sort(key=lambda place: place.key)
        return self._places

    def read(self, place: Place) -> RawConversation:
        """The conversation at this place."""
        return RawConversation.from_json(self._spool.read(place.at))

    def digest(self) -> str:
        """16 hex digits that stand for all candidates, for build.json."""
        total = hashlib.sha256()
        for place in self._places:
            total.update(place.key)
        return total.hexdigest()[:16]
