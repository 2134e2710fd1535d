"""What the reply to a supporter turn or question took: seconds, tokens, and what they cost.

A record of a samples file has it as `timing`, and that of a live conversation as `timings`, one for
each turn of the model; `timings_in` reads both. It is what a backend told when
it was asked: nobody can compute it again, so it is never more than claimed, and nothing that
compares runs or replies looks at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.price import Price

REQUEST, BATCH, CACHE, UNKNOWN = "request", "batch", "cache", ""
"""What the seconds are of: a request of its own, which is what a caller waits for; a batch, in
which a reply waits for others (no user's latency); none, since the reply came from `--use_cache`;
or nothing was told.
"""
MEASURED = (REQUEST, BATCH, CACHE, UNKNOWN)
LARGEST = {"tokens_in": 10**12, "tokens_out": 10**12, "cost": 1e12}
LONGEST = 1e8
"""Seconds; more is no measurement."""


@dataclass(frozen=True, slots=True)
class Timing:
    """measured: what the seconds are of. first_token_s, last_token_s: from sending the request to
    the first and the last token of the reply. cost: in the currency of the price. None: not told.
    """

    measured: str = UNKNOWN
    first_token_s: float | None = None
    last_token_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None

    def priced(self, price: Price | None) -> "Timing":
        """The same with the cost of its tokens, where both are known."""
        if price is None or self.tokens_in is None or self.tokens_out is None:
            return self
        return replace(self, cost=price.of(self.tokens_in, self.tokens_out))

    def to_json(self) -> dict[str, Any]:
        """As it stands in a record: seconds to a tenth of a millisecond."""
        seconds = {
            name: None if value is None else round(value, 4)
            for name, value in asdict(self).items()
            if name.endswith("_s")
        }
        return asdict(self) | seconds


FIELDS = ("first_token_s", "last_token_s", "tokens_in", "tokens_out", "cost")
"""The numbers of a Timing."""


def together(parts: Sequence[Timing]) -> Timing:
    """What several requests for one reply took, one after the other: a strategy that is chosen
    first, a reply that is asked for again.
    """
    if len(parts) == 1:
        return parts[0]
    kinds = {part.measured for part in parts}
    measured = next((kind for kind in (UNKNOWN, CACHE, BATCH, REQUEST) if kind in kinds), UNKNOWN)
    seconds = _sum(part.last_token_s for part in parts)
    before = _sum(part.last_token_s for part in parts[:-1])
    first = parts[-1].first_token_s if parts else None
    return Timing(
        measured,
        None if before is None or first is None else before + first,
        seconds,
        _sum(part.tokens_in for part in parts),
        _sum(part.tokens_out for part in parts),
    )


def timings_in(record: Mapping[str, Any], where: str = "a record") -> list[Timing]:
    """All timings of a logged record: of its turn, or of every turn of a live conversation. Raises
    DataError as `timing_of` does.
    """
    every = record.get("timings")
    if every is None:
        return [timing] if (timing := timing_of(record, where)) else []
    if not isinstance(every, list):
        raise DataError(f"{where}: timings is {every!r:.80}; it must be a list")
    known = (timing_of({"timing": one}, where) for one in every)
    return [timing for timing in known if timing]


def timing_of(record: Mapping[str, Any], where: str = "a record") -> Timing | None:
    """What a logged record says of its timing; None where it says nothing, as files of earlier
    versions do. Keys that this version does not know are passed over.

    Raises DataError that names `where` for what cannot be a timing.
    """
    raw = record.get("timing")
    if raw is None:
        return None
    if not isinstance(raw, Mapping) or raw.get("measured", UNKNOWN) not in MEASURED:
        kinds = ", ".join(repr(kind) for kind in MEASURED)
        raise DataError(
            f"{where}: timing is {raw!r:.80}; it must be an object whose `measured` is one of"
            f" {kinds}"
        )
    numbers: dict[str, Any] = {name: raw.get(name) for name in FIELDS}
    for name, value in numbers.items():
        whole = name.startswith("tokens")
        fits = type(value) is int or (type(value) is float and not whole)
        if value is not None and not (fits and 0 <= value <= LARGEST.get(name, LONGEST)):
            raise DataError(
                f"{where}: timing.{name} is {value!r:.40}; it must be a"
                f" {'whole ' if whole else ''}number of at least 0, or null"
            )
    return Timing(raw.get("measured", UNKNOWN), **numbers)


def _sum(values: Any) -> Any:
    """None where one is None, or where there is none."""
    known = list(values)
    return None if None in known or not known else sum(known)
