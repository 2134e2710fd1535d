"""`--plan N`: the first N items of a build as a pilot, and what the whole will take.

The pilot goes into the build's own journal and is asked in the build's own order, so nothing of it
is paid twice when the build goes on. `builders.outlook` says how the intervals are made.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builders.cards.render import count_lines
from builders.dataset import parquet_size
from builders.outlook import (
    NOTHING,
    NothingKept,
    Outlook,
    Part,
    Range,
    added,
    ratio_of,
    share,
    sum_of,
)
from builders.partial import quietly
from builders.schema import COLUMNS
from csc_tasks.errors import SettingError
from csc_tasks.llm.client import llm_from_args
from csc_tasks.llm.journal.usage import Used, usage_of
from csc_tasks.llm.progress import clock
from csc_tasks.price import Price
from csc_tasks.telling import show

if TYPE_CHECKING:
    from builders.runner import Builder, Built

LEAST = 2
UNITS = ("B", "kB", "MB", "GB", "TB")


def add_plan(parser: ArgumentParser) -> None:
    """Add `--plan` and `--yes`."""
    parser.add_argument(
        "--plan",
        type=int,
        metavar="N",
        help=(
            "build N items, say what the whole will take (requests, tokens, cost, hours, disk) and"
            " keep, and ask whether to go on; nothing of it is asked or paid twice"
        ),
    )
    parser.add_argument("--yes", action="store_true", help="for --plan: go on without asking")


def check_plan(args: Namespace) -> None:
    """Raise SettingError for options of a plan that do not fit."""
    items = getattr(args, "plan", None)
    if items is None and getattr(args, "yes", False):
        raise SettingError("--yes belongs to --plan")
    if items is not None and items < LEAST:
        raise SettingError(f"--plan {items}: at least {LEAST}, to know how items differ")
    if items is not None and (args.shard or args.executor):
        raise SettingError("--plan is for a build on one machine: plan it first, then divide it")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a stage, or the whole build, takes; `cost` is None without prices, `uncounted` are the
    pilot's replies without a token count.
    """

    requests: Range
    input: Range
    output: Range
    cost: Range | None
    seconds: Range
    bytes: Range
    uncounted: int


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot showed: its `outlook`, stage -> what it takes in the whole ("" is all of them),
    what it made (None where it kept nothing), and how many requests the server bore at once.
    """

    outlook: Outlook
    stages: Mapping[str, Needs]
    built: "Built | None"
    borne: float


def plan(builder: "type[Builder]", args: Namespace, journal: Path) -> bool:
    """Whether the build is to be made: after a pilot what the user says, without --plan always.

    Raises what a build raises.
    """
    if getattr(args, "plan", None) is None:
        return True
    show("\n".join(lines(pilot(builder, args, journal), journal)))
    return _go_on(args)


def pilot(builder: "type[Builder]", args: Namespace, journal: Path) -> Pilot:
    """Make the first `args.plan` items; raises what a build raises."""
    build = quietly(builder, args)
    build.pilot = args.plan
    built = None
    with llm_from_args(build.args, journal, build.stages, build.in_turn) as llm:
        if any(backend.name == "scripted" for backend in llm.backends.values()):
            build.stand_in()
        llm.keys = set()
        with suppress(NothingKept):
            built = build.make(llm)
        used = usage_of(llm.journal.path, llm.keys)
        prices, borne = llm.budget.prices, llm.borne
    outlook = build.outlook
    assert outlook is not None  # `make` of a pilot leaves it
    return Pilot(outlook, needs(used, outlook, build.item_of, prices), built, borne)


def needs(
    used: Iterable[Used],
    outlook: Outlook,
    item_of: Callable[[str], str],
    prices: Mapping[str, Price],
) -> dict[str, Needs]:
    """Stage -> what it takes in the whole; "" is all of them together."""
    # Stage -> item -> requests of the pilot.
    of_stage: dict[str, dict[str, list[Used]]] = defaultdict(lambda: defaultdict(list))
    for request in used:
        of_stage[request.stage][item_of(request.item_id)].append(request)
    totals: dict[str, Needs] = {}
    together: list[Needs] = []
    for part in outlook.parts:
        # A part without stages has those that no other has.
        left = [stage for stage in of_stage if stage not in totals]
        stages = [stage for stage in left if not part.stages or stage in part.stages]
        items: dict[str, list[Used]] = defaultdict(list)
        for stage in stages:
            for item, requests in of_stage[stage].items():
                items[item] += requests
            totals[stage] = _needs(of_stage[stage], part, prices)
        together.append(_needs(items, part, prices))
    return totals | {"": _sum(together)}


def _needs(items: Mapping[str, Sequence[Used]], part: Part, prices: Mapping[str, Price]) -> Needs:
    def total(value: Callable[[Used], float]) -> Range:
        of_item = {item: sum(map(value, requests)) for item, requests in items.items()}
        if part.sizes:
            in_order = [of_item.get(item, 0) for item in part.sizes]
            sizes = list(part.sizes.values())
            return ratio_of(in_order, sizes, part.whole.middle, part.ahead)
        values = list(of_item.values())
        # Those that a stage was not asked about.
        return sum_of(values + [0] * (part.done - len(values)), part.whole)

    def cost(request: Used) -> float:
        price = prices.get(request.stage, prices.get(""))
        return price.of(request.input or 0, request.output or 0) if price else 0.0

    return Needs(
        total(lambda request: request.tries),
        total(lambda request: request.input or 0),
        total(lambda request: request.output or 0),
        total(cost) if prices else None,
        total(lambda request: request.seconds),
        total(lambda request: request.bytes),
        sum(None in (one.input, one.output) for requests in items.values() for one in requests),
    )


def _sum(parts: Sequence[Needs]) -> Needs:
    """All parts together."""

    def total(values: Iterable[Range | None]) -> Range:
        result = NOTHING
        for value in values:
            result = added(result, value or NOTHING)
        return result

    return Needs(
        total(part.requests for part in parts),
        total(part.input for part in parts),
        total(part.output for part in parts),
        total(part.cost for part in parts) if parts[0].cost is not None else None,
        total(part.seconds for part in parts),
        total(part.bytes for part in parts),
        sum(part.uncounted for part in parts),
    )


def dataset_bytes(built: "Built | None", rows: Range) -> Range:
    """What the rows of the whole take on disk, without the card."""
    if built is None:
        return NOTHING
    total, most = NOTHING, max(sum(map(len, splits.values())) for splits in built.rows.values())
    for config, splits in built.rows.items():
        part = [row for split in splits.values() for row in split]
        texts = [float(len(json.dumps(row, ensure_ascii=False).encode())) for row in part]
        fixed, times = 0, 1.0
        if config.partition("_")[0] in COLUMNS:
            fixed = parquet_size(config, [])
            times = (parquet_size(config, part) - fixed) / sum(texts)
        whole = sum_of(texts, Range(*(number * len(part) / most for number in rows)))
        total = added(total, Range(*(fixed + times * bound for bound in whole)))
    return total


def lines(made: Pilot, journal: Path) -> list[str]:
    """The plan in words and numbers."""
    outlook, stages, concurrency = made.outlook, made.stages, made.borne
    whole, all_stages = outlook.parts[0].whole, stages[""]
    names = [name for name in stages if name] if len(stages) > 2 else []
    header = ["", "requests", "tokens in", "tokens out"]
    header += ["cost"] if all_stages.cost is not None else []
    table = [header]
    for name in [*names, ""]:
        of = stages[name]
        table.append([name or "all", *map(_count, (of.requests, of.input, of.output))])
        if of.cost is not None:
            table[-1].append(_range(of.cost, "{:,.4f}".format))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rate = share(outlook.kept, outlook.tried)
    hours = "those of the batches, each up to a day"
    if concurrency:
        seconds = Range(*(bound / concurrency for bound in all_stages.seconds))
        hours = f"{_range(seconds, clock)} with {concurrency:g} requests out at once"
    dataset = dataset_bytes(made.built, outlook.rows)
    notes = [
        f"A pilot of {outlook.tried:,} {outlook.unit}; the whole tries {_count(whole)}"
        f"{', with ' + outlook.also if outlook.also else ''}. In brackets: 95 % intervals.",
        "",
        *(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ),
        "",
        f"kept: {outlook.kept:,} of {outlook.tried:,}, {_range(rate, '{:.1%}'.format)} (Wilson)",
        *count_lines({"dropped": outlook.dropped}),
        f"rows of the whole: {_count(outlook.rows)}",
        f"hours: {hours}",
        f"disk: {_size(added(all_stages.bytes, dataset))}, of which {_size(all_stages.bytes)} is"
        " the journal",
        "Sums are predicted by Student's t over the pilot's items; see builders/outlook.py.",
        f"How many replies of each stage were well-formed: csc journal stats {journal}",
    ]
    if all_stages.uncounted:
        notes.append(
            f"{all_stages.uncounted:,} replies came without a token count, and are not in tokens"
            " and cost."
        )
    if all_stages.cost is None:
        notes.append("With --price IN,OUT the cost is here too.")
    if outlook.tried < concurrency:
        notes.append(
            "The pilot has fewer items than --concurrency: a server that is busier may be slower."
        )
    return notes


def _go_on(args: Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        show(
            "Nothing else was asked. To go on: the same command with --yes, or without --plan; the"
            " pilot is not asked again."
        )
        return False
    try:
        answer = input("go on? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def _range(of: Range, form: Callable[[float], str]) -> str:
    """`1,234 (1,200–1,300)`; one number where it is known."""
    low, middle, high = map(form, of)
    return middle if low == high else f"{middle} ({low}–{high})"


def _count(of: Range) -> str:
    return _range(of, "{:,.0f}".format)


def _size(of: Range) -> str:
    """Bytes in the unit that fits the largest."""
    power = 0
    while of.high >= 1000 ** (power + 1) and power + 1 < len(UNITS):
        power += 1
    return _range(of, lambda value: f"{value / 1000**power:.1f} {UNITS[power]}")
