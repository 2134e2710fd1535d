"""What the journal of a build holds.

    csc journal stats FILE                      requests, replies and failures of each stage, and
                                                how many were well-formed at first, after repair
    csc journal costs FILE --price 0.15,0.60    tokens and cost of each stage
    csc journal export FILE > rows.jsonl        every row as JSON, one a line
    csc journal merge FILE FILE --out NEW       one journal of several, to go on with
    csc journal salvage FILE --out NEW          what can still be read of a damaged one

A build may be running on the file meanwhile. merge and salvage only read it: of a request that two
journals have answered, the earlier answer is used, and both are in the costs. Requests that were
given up (the server answered others, never these) are among the failed. Token counts are the
server's; replies that came without one are counted as uncounted, and their cost is not in the sum.
"""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.errors import SettingError
from csc_tasks.llm.budget import costs
from csc_tasks.llm.journal.reading import read_rows, read_totals
from csc_tasks.llm.journal.rescue import merge, salvage
from csc_tasks.llm.journal.totals import Totals
from csc_tasks.llm.options import by_stage
from csc_tasks.price import Price
from csc_tasks.telling import show, show_document, tally

Cells = list[str | int]


def add_arguments(parser: ArgumentParser) -> None:
    """Of `csc journal`."""
    parser.add_argument("action", choices=tuple(ACTIONS))
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="the journal; for merge several"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="for merge and salvage: the new journal"
    )
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[STAGE=]IN,OUT",
        help="for costs: per million tokens; repeatable",
    )
    add_json(parser)


def main(args: Namespace) -> None:
    """Print what was asked for; raises SettingError for a file that is no journal."""
    writes = args.action in ("merge", "salvage")
    if len(args.files) > 1 and args.action != "merge":
        raise SettingError(
            f"csc journal {args.action} takes one journal; `csc journal merge` makes one of several"
        )
    if writes and args.out is None:
        raise SettingError(f"csc journal {args.action} needs --out, the new journal to write")
    if not writes and args.out is not None:
        raise SettingError(f"--out belongs to merge and salvage; csc journal {args.action} prints")
    if args.json and args.action == "export":
        raise SettingError("--json: csc journal export prints JSON lines already")
    ACTIONS[args.action](args)


def print_stats(args: Namespace) -> None:
    """A Markdown table: a row per stage and model, and their sum."""
    totals = read_totals(args.files[0])
    header = [
        "stage",
        "model",
        "items",
        "requests",
        "tries",
        "answered",
        "malformed",
        "refused",
        "failed",
        "given up",
        "out",
        "seconds per reply",
        "asked",
        "ok at first",
        "ok after repair",
    ]
    rows: list[Cells] = [
        [
            t.stage,
            name_of(t),
            t.items,
            t.rows,
            t.tries,
            t.done,
            t.malformed,
            t.refused,
            t.failed,
            t.given_up,
            t.sent,
            mean(t.seconds, t.done),
            t.asked,
            t.at_first,
            t.repaired,
        ]
        for t in totals
    ]
    sums = [
        sum(t.rows for t in totals),
        sum(t.tries for t in totals),
        sum(t.done for t in totals),
        sum(t.malformed for t in totals),
        sum(t.refused for t in totals),
        sum(t.failed for t in totals),
        sum(t.given_up for t in totals),
        sum(t.sent for t in totals),
    ]
    questions = [
        sum(t.asked for t in totals),
        sum(t.at_first for t in totals),
        sum(t.repaired for t in totals),
    ]
    rows.append(["all", "", "", *sums, "", *questions])
    show(table(header, rows))
    show_document(args.json, {"stages": [asdict(t) for t in totals]})


def print_costs(args: Namespace) -> None:
    """A Markdown table: tokens and cost per stage and model, and their sum."""
    priced = costs(read_totals(args.files[0]), by_stage(args.price, Price.parse, "--price"))
    header = [
        "stage",
        "model",
        "answered",
        "tokens in",
        "tokens out",
        "of these thinking",
        "uncounted replies",
        "cost",
    ]
    rows: list[Cells] = [
        [
            t.stage,
            name_of(t),
            t.done,
            t.input_tokens,
            t.output_tokens,
            t.thinking_tokens,
            t.uncounted,
            money(cost),
        ]
        for t, cost in priced
    ]
    known = [cost for _, cost in priced if cost is not None]
    complete = len(known) == len(priced) and not any(t.uncounted for t, _ in priced)
    whole = "–"
    if known:
        whole = f"{sum(known):.4f}" + ("" if complete else " and what is unknown")
    sums = [
        sum(t.done for t, _ in priced),
        sum(t.input_tokens for t, _ in priced),
        sum(t.output_tokens for t, _ in priced),
        sum(t.thinking_tokens for t, _ in priced),
        sum(t.uncounted for t, _ in priced),
    ]
    rows.append(["all", "", *sums, whole])
    show(table(header, rows))
    document = {
        "stages": [asdict(t) | {"cost": cost} for t, cost in priced],
        "cost": sum(known) if known else None,
        "cost_is_complete": complete,
    }
    show_document(args.json, document)


def print_rows(args: Namespace) -> None:
    """One JSON object a line, in the order of first sending."""
    for row in read_rows(args.files[0]):
        # Lone surrogates, which a reply may hold, can only be written as escapes.
        line = json.dumps(row, ensure_ascii=False)
        show(line.encode("utf-8", "backslashreplace").decode())


def merge_files(args: Namespace) -> None:
    """Write one journal of several, and say what is in it."""
    counts = merge(args.files, args.out)
    tally(
        f"{counts['read']:,} requests of {len(args.files)} journals are in {args.out};"
        f" {counts['answered twice']:,} were answered more than once"
    )
    show_document(args.json, counts)


def salvage_file(args: Namespace) -> None:
    """Write what can be read of a damaged journal, and say how much that is."""
    counts = salvage(args.files[0], args.out)
    tally(
        f"{counts['read']:,} requests are in {args.out}; {counts['damaged']:,} of them have a"
        f" damaged reply and are asked again; {counts['lost']:,} could not be read"
    )
    show_document(args.json, counts)


def name_of(totals: Totals) -> str:
    """`backend:model`."""
    return f"{totals.backend}:{totals.model}".rstrip(":")


def mean(whole: float, count: int) -> str:
    """Two digits, or a dash for the mean of nothing."""
    return f"{whole / count:.2f}" if count else "–"


def money(cost: float | None) -> str:
    """Four digits, or a dash where there is no price."""
    return "–" if cost is None else f"{cost:.4f}"


def table(header: list[str], rows: list[Cells]) -> str:
    """Markdown, with thousands separated."""
    lines = [
        header,
        ["---"] * len(header),
        *([f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


ACTIONS = {
    "stats": print_stats,
    "costs": print_costs,
    "export": print_rows,
    "merge": merge_files,
    "salvage": salvage_file,
}


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
