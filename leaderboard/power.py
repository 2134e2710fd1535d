"""How many conversations does a comparison need, or how small a difference can it find? Turns of
one conversation count less than one each.

  csc power --conversations 60 --turns 8 --rate 0.4 --icc 0.05
  csc power --difference 0.05 --turns 14 --rate 0.4 --icc 0.05 --correlation 0.5
  csc power --board board/ --metric csc_conv_ref/strategy_acc --difference 0.03
  csc power --board board/ --rank org/model-a org/model-b

Two models answer the same conversations and their difference is tested by the paired t test of `csc
collect` (clusters - 1 degrees of freedom, two-sided). With --board the spread is measured: from the
paired comparisons of one column (the median over pairs of models, or of --models; baselines only
where they are named). --rank takes two models' measured difference too: how many conversations
until these two can be ranked? Without a board the spread is assumed: accuracy --rate of both
models, how alike their hits are on one turn (--correlation), and how alike the differences of one
conversation's turns are (--icc). --comparisons K plans for the strictest step of Holm's correction
over K comparisons.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from csc_tasks.arguments import add_json, check_share
from csc_tasks.errors import SettingError, require
from csc_tasks.telling import show, show_document
from leaderboard.numbers.paired_power import (
    MOST,
    Plan,
    Ranking,
    achieved_power,
    assumed_spread,
    conversations_needed,
    detectable_difference,
    half_width,
    ranking_of,
)


def add_arguments(parser) -> None:
    """The options of `csc power`."""
    parser.add_argument(
        "--conversations",
        type=int,
        metavar="N",
        help="conversations there are: prints the smallest detectable difference",
    )
    parser.add_argument(
        "--difference",
        type=float,
        metavar="D",
        help="difference to detect (0.05 = 5 points): prints conversations needed",
    )
    parser.add_argument("--turns", type=float, metavar="M", help="scored turns in a conversation")
    parser.add_argument("--rate", type=float, metavar="P", help="accuracy to expect")
    parser.add_argument(
        "--icc",
        type=float,
        default=0.05,
        metavar="R",
        help="likeness of the turns of one conversation (default: 0.05)",
    )
    parser.add_argument(
        "--correlation",
        type=float,
        default=0.3,
        metavar="R",
        help="likeness of two models' hits (default: 0.3)",
    )
    parser.add_argument(
        "--board", type=Path, metavar="DIR", help="measure the spread in a board instead"
    )
    parser.add_argument(
        "--metric",
        metavar="TASK/METRIC",
        help="its column (default: the one that the rows of the first table are put in order by)",
    )
    parser.add_argument("--table", metavar="ID", help="its table, where several have that column")
    parser.add_argument(
        "--models",
        nargs=2,
        metavar="MODEL",
        help="two of its models, by slug or name (default: the median pair without baselines)",
    )
    parser.add_argument(
        "--rank",
        nargs=2,
        metavar="MODEL",
        help="two of its models: prints conversations needed to rank them",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        default=0.05,
        metavar="A",
        help="error rate of the test (default: 0.05)",
    )
    parser.add_argument(
        "--power",
        type=float,
        default=0.8,
        metavar="B",
        help="chance to find a true difference (default: 0.8)",
    )
    parser.add_argument(
        "--comparisons",
        type=int,
        default=1,
        metavar="K",
        help="comparisons that Holm corrects for (default: 1)",
    )
    add_json(parser)


def main(args) -> None:
    """Print how many conversations a difference needs, or which difference can be detected.

    Raises SettingError for options that do not go together, DataError for a board without the
    column.
    """
    require("scipy.special", "leaderboard", "csc power")
    _check(args)
    comparison = None
    if args.board:
        from leaderboard.measured_pairs import measured_pairs

        pairs = measured_pairs(args.board, args.table, args.metric, args.rank or args.models)
        if pairs.shares:
            _check_difference(args.difference)
        spread, turns, source = pairs.spread, pairs.turns, pairs.source
        comparison = pairs.comparisons[0] if args.rank else None
    else:
        spread, turns, source = _assumed(args)
    plan = Plan(spread, args.alpha / args.comparisons, args.power)
    document: dict[str, Any] = {
        "source": source,
        "spread": spread,
        "turns": turns,
        "power": args.power,
        "alpha": plan.alpha,
        "comparisons": args.comparisons,
        **{"rank": None, "needed": None, "detectable": []},
    }
    show(source)
    if args.comparisons > 1:
        show(
            f"alpha {args.alpha} over {args.comparisons} comparisons: {plan.alpha:.5f} for the"
            " strictest one"
        )
    if comparison:
        ranking = ranking_of(plan, comparison, args.rank)
        show("\n".join(until_ranked(ranking)))
        document["rank"] = asdict(ranking)
    difference = comparison.difference if comparison else args.difference
    counts = [args.conversations] if args.conversations else []
    if difference is not None:
        needed = conversations_needed(plan, difference)
        asked = math.ceil(needed * turns)
        show(
            f"to detect {difference:.4f} with power {args.power}: {needed:,} conversations"
            f" (about {asked:,} turns)"
        )
        counts += [] if args.conversations is None else [needed]
        said = {"difference": difference, "conversations": needed, "turns": asked}
        document["needed"] = said
    for count in counts or ([] if difference is not None else [30, 60, 100, 200, 500, 1000, 1855]):
        detected = detectable_difference(plan, count)
        half = half_width(plan, count)
        show(
            f"{count:,} conversations: detectable difference {detected:.4f}, interval of a"
            f" difference -+ {half:.4f}"
        )
        row = {"conversations": count, "difference": detected, "half_width": half}
        if difference is not None and count == args.conversations:
            achieved = achieved_power(plan, count, difference)
            show(f"{count:,} conversations: power {achieved:.3f} for {difference:.4f}")
            row |= {"power": achieved, "power_for": difference}
        document["detectable"].append(row)
    show_document(args.json, document)


def until_ranked(ranking: Ranking) -> list[str]:
    """It in lines: whether they can be ranked now, and what the ends of the interval would take."""
    first, second = ranking.models
    count, ranked = ranking.conversations, ranking.ranked
    most = "no bound, as it includes 0" if ranking.most is None else f"{ranking.most:,}"
    return [
        f"{first} minus {second}: {ranking.difference:+.4f} (95 % interval {ranking.low:+.4f} to"
        f" {ranking.high:+.4f}, {count:,} conversations): they can{'' if ranked else 'not'} be"
        f" ranked {'already' if ranked else 'yet'}",
        f"{count:,} conversations: power {ranking.power:.3f} for that difference",
        f"from the ends of that interval: {ranking.fewest:,} conversations to {most}",
    ]


def _assumed(args) -> tuple[float, float, str]:
    if args.turns is None or args.rate is None:
        raise SettingError(
            "give --turns and --rate, or --board with results to measure the spread in"
        )
    _check_difference(args.difference)
    spread = assumed_spread(args.rate, args.turns, args.icc, args.correlation)
    design = 1 + (args.turns - 1) * args.icc
    words = (
        f"assumed: {args.turns:g} turns a conversation, accuracy {args.rate:g}, correlation"
        f" {args.correlation:g}, ICC {args.icc:g}"
    )
    return (
        spread,
        args.turns,
        f"{words} (design effect {design:.2f}; a turn is worth {1 / design:.2f} independent ones)",
    )


def _check_difference(difference: float | None) -> None:
    """Raise SettingError for a difference of shares that is none: it is mostly meant in points."""
    check_share("--difference", None if difference is None else abs(difference), one=False)


def _check(args) -> None:
    for name in ("rate", "alpha", "power"):
        check_share(f"--{name}", getattr(args, name), zero=False, one=False)
    check_share("--icc", args.icc)
    if not -1 <= args.correlation < 1:
        raise SettingError(f"--correlation {args.correlation:g}: must lie between -1 and below 1")
    if args.turns is not None and not 1 <= args.turns <= 10_000:
        raise SettingError(f"--turns {args.turns:g}: must be between 1 and 10,000")
    if args.conversations is not None and not 2 <= args.conversations <= MOST:
        raise SettingError(f"--conversations {args.conversations}: must be between 2 and {MOST:,}")
    if args.difference is not None and not math.isfinite(args.difference):
        raise SettingError(f"--difference {args.difference}: must be a number")
    for name in ("models", "rank", "metric", "table"):
        if getattr(args, name) and not args.board:
            raise SettingError(f"--{name} is about a board; give --board DIR")
    if args.rank and (args.models or args.difference is not None):
        other = "--models" if args.models else "--difference"
        raise SettingError(
            f"--rank and {other}: --rank names the two models and takes their measured difference;"
            " give one of them"
        )
    if args.comparisons < 1:
        raise SettingError(f"--comparisons {args.comparisons}: must be at least 1")
    if args.alpha / args.comparisons >= args.power:
        raise SettingError(f"--power {args.power:g}: must be larger than --alpha")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
