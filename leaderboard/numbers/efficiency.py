"""What a model's turns took: medians, 95th percentiles and totals of seconds, tokens and cost, with
intervals clustered by conversation.

It all rests on what the backend told when it was asked (csc_tasks/timing.py), which nobody can
compute again. Seconds of requests, which a caller waits for, and of batches, in which replies wait
for one another, are numbers apart; a reply from a cache has none.

The interval of a quantile is Woodruff's (1952): the interval of the share of turns below it, with
its clustered error, read off the turns in their order. A total's is that of as many other
conversations of the kind.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from csc_tasks.errors import SettingError
from csc_tasks.metrics import Estimate, estimate
from csc_tasks.price import Price
from csc_tasks.runs.samples_file import Run
from csc_tasks.timing import BATCH, FIELDS, REQUEST, Timing, timings_in
from leaderboard.board import Efficiency, Value
from leaderboard.numbers.intervals import COUNT, Scale, with_interval

Floats = NDArray[np.float64]
QUANTILES = {"median": 0.5, "p95": 0.95}
OTHERWISE = "untold"
"""What turns count as of which the backend told no time, or that failed."""
_SHARE = Scale(0.0, 1.0, corpus=True)
"""With fewer conversations than corpus metrics need, an interval's end rests on single turns."""


@dataclass(frozen=True, slots=True)
class Timings:
    """What the turns of a run took, as logged: an entry per turn, NaN where nothing was told.

    ids: the turn's conversation. measured: what its seconds are of. numbers: by name of a field of
    Timing. connections: how many requests were under way at once, None where they were not
    requests or nobody knows. runs: how many runs the turns are of; run_of: of which each is, from
    0, where they are several.
    """

    ids: tuple[str, ...]
    measured: tuple[str, ...]
    numbers: Mapping[str, Floats]
    connections: int | None = None
    price: str = ""
    runs: int = 1
    run_of: tuple[int, ...] = ()


def timings_of(run: Run, model: str, prices: Mapping[str, Price]) -> Timings | None:
    """The timings in a samples file; None where no turn has any. prices: by name of a model, "" for
    all others; they stand for what the run recorded. Raises DataError.
    """
    price = prices.get(model, prices.get(""))
    ids: list[str] = []
    known: list[Timing] = []
    for record in run.records:
        for timing in timings_in(record, str(run.file)):
            ids.append(record["conversation_id"])
            known.append(timing.priced(price))
    if not known:
        return None
    columns = np.asarray([[getattr(one, name) for name in FIELDS] for one in known], dtype=float).T
    csc = run.results["configs"][run.task]["metadata"]["csc"]
    play = csc.get("play")
    connections = play.get("connections") if isinstance(play, Mapping) else None
    return Timings(
        tuple(ids),
        tuple(one.measured for one in known),
        dict(zip(FIELDS, columns, strict=True)),
        connections if type(connections) is int else None,
        str(price or _recorded_price(csc.get("price"))),
    )


def _recorded_price(given: object) -> Price | str:
    """The price that a run recorded; "" for none, and for what is none."""
    try:
        return Price.parse(str(given)) if given else ""
    except SettingError:
        return ""


def pooled(parts: Sequence[Timings | None]) -> Timings | None:
    """The turns of several runs of one row together; None where none has any."""
    known = [part for part in parts if part]
    if not known:
        return None
    return Timings(
        tuple(id_ for part in known for id_ in part.ids),
        tuple(kind for part in known for kind in part.measured),
        {name: np.concatenate([part.numbers[name] for part in known]) for name in FIELDS},
        known[-1].connections if len({part.connections for part in known}) == 1 else None,
        known[-1].price if len({part.price for part in known}) == 1 else "",
        len(known),
        tuple(number for number, part in enumerate(known) for _ in part.ids),
    )


def efficiency(model: str, task: str, table: str, timings: Timings) -> Efficiency:
    """All there is to say about the timings of one row in one task."""
    kinds = np.asarray(timings.measured)
    numbers: dict[str, Value] = {}
    for name, values in timings.numbers.items():
        if name.endswith("_s"):
            numbers |= _quantiles(name, values, kinds == REQUEST, timings.ids)
            numbers |= _quantiles(f"batch_{name}", values, kinds == BATCH, timings.ids)
        else:
            everyone = np.ones(len(kinds), dtype=bool)
            numbers |= _quantiles(name, values, everyone, timings.ids)
            numbers |= _totals(name, values, timings)
    counts = Counter(kind or OTHERWISE for kind in timings.measured)
    return Efficiency(
        model=model,
        task=task,
        table=table,
        turns=len(kinds),
        measured=dict(sorted(counts.items())),
        connections=timings.connections,
        price=timings.price,
        runs=timings.runs,
        numbers=numbers,
    )


def _quantiles(
    name: str, values: Floats, chosen: NDArray[np.bool_], ids: Sequence[str]
) -> dict[str, Value]:
    places = np.flatnonzero(chosen & ~np.isnan(values)).tolist()
    if not places:
        return {}
    own = [ids[place] for place in places]
    return {f"{name}/{q}": quantile(values[places], own, p) for q, p in QUANTILES.items()}


def quantile(values: Floats, clusters: Sequence[str], share: float) -> Value:
    """A quantile of `values`, (n,), with the interval of Woodruff (1952)."""
    value = float(np.quantile(values, share))
    below = estimate((values <= value).astype(float).tolist(), clusters)
    around = with_interval(Estimate(share, below.stderr, below.items, below.clusters), _SHARE)
    low, high = around.low, around.high
    if low is not None and high is not None:
        ordered, size = np.sort(values), len(values)
        low = min(value, float(ordered[max(0, math.ceil(low * size) - 1)]))
        high = max(value, float(ordered[min(size, math.ceil(high * size)) - 1]))
    return around.model_copy(update={"value": value, "stderr": None, "low": low, "high": high})


def _totals(name: str, values: Floats, timings: Timings) -> dict[str, Value]:
    """A run's total, and the mean of a conversation in it; of several runs of one row, of a run.
    Both are of the turns that told: `items` of them.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return {}
    run_of = timings.run_of or (0,) * len(timings.ids)
    sums: dict[str, dict[int, float]] = {}
    for place in known.tolist():
        own = sums.setdefault(timings.ids[place], {})
        own[run_of[place]] = own.get(run_of[place], 0.0) + float(values[place])
    # A run that told nothing of a conversation says nothing about what one takes.
    each = [sum(own.values()) / len(own) for own in sums.values()]
    conversation = replace(estimate(each, list(sums)), items=len(known))
    mean = estimate([sum(own.values()) / timings.runs for own in sums.values()], list(sums))
    size = len(sums)
    assert mean.value is not None
    total = Estimate(
        mean.value * size, None if mean.stderr is None else mean.stderr * size, len(known), size
    )
    return {
        f"{name}/total": with_interval(total, COUNT),
        f"{name}/conversation": with_interval(conversation, COUNT),
    }


def prices_of(texts: Sequence[str]) -> dict[str, Price]:
    """`[MODEL=]IN,OUT`, repeated -> {model: price}, "" for all other models. Raises SettingError
    for one given twice.
    """
    prices: dict[str, Price] = {}
    for text in texts:
        name, _, price = text.rpartition("=")
        if name in prices:
            raise SettingError(f"--price is given twice for {name or 'all other models'}")
        prices[name] = Price.parse(price)
    return prices


def check_models(prices: Mapping[str, Price], names: Iterable[str]) -> None:
    """Raise SettingError for the price of a model that is not there."""
    known = set(names)
    if unknown := sorted(prices.keys() - known - {""}):
        there = ", ".join(sorted(known))
        raise SettingError(f"--price {unknown[0]}=...: no model of this name; there are: {there}")
