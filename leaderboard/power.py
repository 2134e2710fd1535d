"""How many conversations does a comparison need, or how small a difference can it find? Turns of
one conversation count less than one each.

  csc power --conversations 60 --turns 8 --rate 0.4 --icc 0.05
  csc power --difference 0.05 --turns 14 --rate 0.4 --icc 0.05 --correlation 0.5
  csc power --board board/ --metric csc_conv_ref/strategy_acc --difference 0.03

Two models answer the same conversations and their difference is tested by the paired t test of `csc
collect` (clusters - 1 degrees of freedom, two-sided). With --board the spread is measured: from the
paired comparisons of one column (the median over pairs, or of --models). Without, it is assumed:
accuracy --rate of both models, how alike their hits are on one turn (--correlation), and how alike
the differences of one conversation's turns are (--icc). --comparisons K plans for the strictest
step of Holm's correction over K comparisons.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from csc_tasks.arguments import check_known, check_share
from csc_tasks.errors import DataError, SettingError, require

if TYPE_CHECKING:
    from leaderboard.board import Table

MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison to be made. spread: standard deviation of a conversation's share in the
    difference, so that SE = spread / sqrt(n).
    """

    spread: float
    alpha: float = 0.05
    power: float = 0.8


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
        help="two of its models, by slug or name (default: the median pair)",
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


def main(args) -> None:
    """Print how many conversations a difference needs, or which difference can be detected.

    Raises SettingError for options that do not go together, DataError for a board without the
    column.
    """
    require("scipy.special", "leaderboard", "csc power")
    _check(args)
    spread, turns, source = _measured(args) if args.board else _assumed(args)
    plan = Plan(spread, args.alpha / args.comparisons, args.power)
    print(source)
    if args.comparisons > 1:
        print(
            f"alpha {args.alpha} over {args.comparisons} comparisons: {plan.alpha:.5f} for the"
            " strictest one"
        )
    counts = [args.conversations] if args.conversations else []
    if args.difference is not None:
        needed = conversations_needed(plan, args.difference)
        asked = math.ceil(needed * turns)
        print(
            f"to detect {args.difference:.4f} with power {args.power}: {needed:,} conversations"
            f" (about {asked:,} turns)"
        )
        counts += [] if args.conversations is None else [needed]
    for count in counts or (
        [] if args.difference is not None else [30, 60, 100, 200, 500, 1000, 1855]
    ):
        detected = detectable_difference(plan, count)
        half = half_width(plan, count)
        print(
            f"{count:,} conversations: detectable difference {detected:.4f}, interval of a"
            f" difference -+ {half:.4f}"
        )
        if args.difference is not None and count == args.conversations:
            print(
                f"{count:,} conversations: power {achieved_power(plan, count, args.difference):.3f}"
                f" for {args.difference:.4f}"
            )


def achieved_power(plan: Plan, conversations: int, difference: float) -> float:
    """The chance that the paired t test over `conversations` rejects at plan.alpha when the true
    difference is `difference`.

    By the noncentral t distribution with conversations - 1 degrees of freedom, both tails. 0 with
    fewer than two conversations.
    """
    from scipy.special import nctdtr, ndtr, stdtrit

    if conversations < 2:
        return 0.0
    if plan.spread == 0:
        return 1.0 if difference else plan.alpha
    freedom, shift = conversations - 1, abs(difference) / plan.spread * math.sqrt(conversations)
    critical = stdtrit(freedom, 1 - plan.alpha / 2)
    # The lower tail by symmetry: asked for it directly, the series gives up where the shift is
    # large.
    upper, lower = 1 - nctdtr(freedom, shift, critical), 1 - nctdtr(freedom, -shift, critical)
    if math.isnan(upper + lower):
        # Beyond a shift of about 37 the series underflows; there the normal approximation of the
        # noncentral t is exact enough.
        upper, lower = (
            ndtr(
                (shift - critical * (1 - 1 / (4 * freedom)))
                / math.sqrt(1 + critical**2 / (2 * freedom))
            ),
            0.0,
        )
    return float(upper + lower)


def conversations_needed(plan: Plan, difference: float) -> int:
    """The fewest conversations with which the test has plan.power. Raises SettingError where even
    ten million are too few.
    """
    if difference == 0:
        raise SettingError(
            "--difference 0: no number of conversations shows a difference that is not there"
        )
    low, high = 1, 2
    while achieved_power(plan, high, difference) < plan.power:
        low, high = high, high * 2
        if high > MOST:
            raise SettingError(
                f"--difference {difference}: more than {MOST:,} conversations would be needed;"
                " choose a larger one"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if achieved_power(plan, middle, difference) >= plan.power
            else (middle, high)
        )
    return high


def detectable_difference(plan: Plan, conversations: int) -> float:
    """The smallest difference that the test finds with plan.power."""
    return _smallest(
        lambda difference: achieved_power(plan, conversations, difference) >= plan.power,
        plan.spread,
    )


def half_width(plan: Plan, conversations: int) -> float:
    """Half the width of the interval of a difference, at level 1 - plan.alpha."""
    from scipy.special import stdtrit

    return float(
        stdtrit(conversations - 1, 1 - plan.alpha / 2) * plan.spread / math.sqrt(conversations)
    )


def assumed_spread(rate: float, turns: float, icc: float, correlation: float) -> float:
    """The spread of a paired difference of two accuracies `rate` whose hits on one turn correlate
    by `correlation`.

    The variance of one turn's difference, 2 rate (1 - rate) (1 - correlation), times the design
    effect 1 + (turns - 1) icc over turns.
    """
    return math.sqrt(2 * rate * (1 - rate) * (1 - correlation) * (1 + (turns - 1) * icc) / turns)


def _smallest(is_enough: Callable[[float], bool], scale: float) -> float:
    """The smallest positive number that is enough, to a millionth of `scale`."""
    low, high = 0.0, scale
    if scale == 0:
        return 0.0
    while not is_enough(high):
        low, high = high, high * 2
    while high - low > scale * 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


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


def _measured(args) -> tuple[float, float, str]:
    """(spread, turns a conversation, words) from the paired comparisons of a board's column."""
    from leaderboard.folder import checked_board

    board = checked_board(args.board)
    check_known("--table", [args.table] if args.table else [], [t.id for t in board.tables])
    given = [t for t in board.tables if args.table in (None, t.id)]
    metric = args.metric or _usual(args.board, given)
    check_known(
        "--metric",
        [metric],
        sorted({c.key for t in given for c in t.columns if c.ranked or c.key == metric}),
    )
    tables = [t for t in given if metric in {c.key for c in t.columns}]
    if len(tables) != 1:
        raise DataError(
            f"{args.board}: {metric} is in several tables; choose one with --table:"
            f" {', '.join(t.id for t in tables)}"
        )
    if next(c.scale for c in tables[0].columns if c.key == metric) == 100:
        _check_difference(args.difference)
    slugs = {
        name: model.slug for model in board.models.values() for name in (model.name, model.slug)
    }
    wanted = None
    if args.models:
        check_known("--models", args.models, sorted(slugs))
        wanted = {slugs[name] for name in args.models}
    pairs = [
        (c.stderr, c.items, c.clusters)
        for c in tables[0].comparisons
        if c.column == metric and c.stderr and wanted in (None, {c.a, c.b})
    ]
    if not pairs:
        raise DataError(
            f"{args.board}: no paired comparison of {metric} to measure in; two models with"
            " logged samples are needed"
        )
    spread = median(stderr * math.sqrt(clusters) for stderr, _, clusters in pairs)
    turns = median(items / clusters for _, items, clusters in pairs)
    who = " and ".join(args.models) if args.models else f"median of {len(pairs)} pairs"
    return (
        spread,
        turns,
        (
            f"measured: {metric}, {who}, {turns:.1f} turns a conversation, spread {spread:.4f}"
            " a conversation"
        ),
    )


def _usual(folder: Path, tables: Sequence["Table"]) -> str:
    """The column that the rows of the first table with a ranked one are put in order by."""
    from leaderboard.columns import leading_column

    leading = [leading_column(table.columns) for table in tables]
    columns = [column for column in leading if column]
    if not columns:
        raise DataError(f"{folder}: no ranked column; name one with --metric TASK/METRIC")
    return columns[0].key


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
    if args.comparisons < 1:
        raise SettingError(f"--comparisons {args.comparisons}: must be at least 1")
    if args.alpha / args.comparisons >= args.power:
        raise SettingError(f"--power {args.power:g}: must be larger than --alpha")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
