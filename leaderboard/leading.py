"""What is said of who leads (standing.py): the sentence that opens the page and closes `csc
collect`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from csc_tasks.shown import shown
from leaderboard.board import Board, Column, Model, Table
from leaderboard.columns import DRAFT_NOTE
from leaderboard.layout import bound_text, row_names
from leaderboard.standing import Gap, Standing, described, standing

# Names and groups that are written out; of the rest the sentence gives the number.
NAMES = 4
GROUPS = 3

# What a clause starts with where it does not start with a name.
OWN_WORDS = ("the ", "all rows are ", "without such a number: ", "not ranked, as ")


def sentence(table: Table, models: Mapping[str, Model]) -> str:
    """The standing as one sentence of plain text, on one line whatever the names hold."""
    return _started("; ".join(_clauses(table, models))) + "."


def statements(table: Table, models: Mapping[str, Model]) -> list[str]:
    """The same as sentences of their own, for a page: who leads and by how much, then what else can
    and cannot be said. A number and its unit stay on one line.
    """
    return [
        _started(clause)
        .replace(" %", "\N{NO-BREAK SPACE}%")
        .replace(" points", "\N{NO-BREAK SPACE}points")
        + "."
        for clause in _clauses(table, models)
    ]


def _started(text: str) -> str:
    """With a capital, unless it starts with a name, which keeps its own first letter."""
    return text[0].upper() + text[1:] if text.startswith(OWN_WORDS) else text


def who_leads(board: Board) -> list[str]:
    """A line for every table, the first one last, where a terminal is read: its title, and the
    sentence.
    """
    return [
        f"{shown(table.title)}: {sentence(table, board.models)}" for table in reversed(board.tables)
    ]


def standings(board: Board) -> list[dict[str, Any]]:
    """What `csc collect --json` says of every table, the first one first: how its rows stand, in
    full on the metric's own scale, and the sentence. A gap is positive where the first is better.
    """
    return [
        {"table": table.id, "title": table.title, "sentence": sentence(table, board.models)}
        | described(standing(table, board.models), board.models)
        for table in board.tables
    ]


def _clauses(table: Table, models: Mapping[str, Model]) -> list[str]:
    """Who leads, and what else there is to say, each without its full stop."""
    stands = standing(table, models)
    if stands is None:
        drafts = (note for note in table.footnotes if note.startswith(DRAFT_NOTE))
        return [next(drafts, "Nothing in this table is ranked").removesuffix(".")]
    names, column = _names(models), stands.column
    numbers = {slug: _with_unit(value.value, column) for slug, value in stands.order.items()}
    without = []
    if stands.missing:
        listed = _listed([names[slug] for slug in stands.missing])
        without.append(f"without such a number: {listed}")
    if stands.claimed:
        listed = _listed([names[slug] for slug in stands.claimed])
        without.append(f"not ranked, as nobody here computed it again: {listed}")
    what = _what(column)
    if not stands.order:
        if stands.claimed:
            what += " that was computed again here (csc collect --corpus)"
        return [f"Nobody leads: no row has a number for {what}", *without]
    first, *others = stands.order
    if not others:
        value = stands.order[first]
        interval = f" ({_bounds(value.low, value.high, column)})" if value.low is not None else ""
        alone = f"{names[first]} has {numbers[first]}{interval} in {what}"
        return [f"{alone} and no other row to be compared with", *without]
    return [_opening(stands, names, numbers), *_rest(stands, names), *without]


def _opening(stands: Standing, names: Mapping[str, str], numbers: Mapping[str, str]) -> str:
    """Who is first, and how far before the next."""
    column = stands.column
    first, second = list(stands.order)[:2]
    if stands.leads and stands.gap:
        gap = f"{_points(stands.gap.ahead, column)}{_interval(stands.gap, column)}"
        return (
            f"{names[first]} leads in {_what(column)} with {numbers[first]}, {gap} ahead of"
            f" {names[second]}"
        )
    best = "highest" if column.higher_is_better else "lowest"
    start = f"Nobody leads: {names[first]} has the {best} {_what(column)}, {numbers[first]}"
    unknown = ""
    if stands.unknown:
        unknown = f", and could not be compared with {_listed([names[o] for o in stands.unknown])}"
    if stands.gap is None:
        return f"{start}, before {names[second]} with {numbers[second]}{unknown}"
    gap = f"difference {_points(stands.gap.ahead, column)}{_interval(stands.gap, column, ', ')}"
    if stands.gap.significant:
        return f"{start}, before {names[second]} ({gap}){unknown}"
    return f"{start}, but is not significantly different from {names[second]} ({gap}){unknown}"


def _rest(stands: Standing, names: Mapping[str, str]) -> list[str]:
    """The best model behind baselines, and who is not significantly different from whom."""
    parts = []
    if stands.model:
        behind = f"the best that is no baseline is {names[stands.model]}"
        if gap := stands.model_gap:
            points = _points(gap.ahead, stands.column)
            behind += f", {points}{_interval(gap, stands.column)} behind the first"
        parts.append(behind)
    # Of two rows the opening has said it.
    if len(stands.order) == 2:
        return parts
    groups = [_listed([names[slug] for slug in group]) for group in stands.alike[:GROUPS]]
    if len(stands.alike) > GROUPS:
        groups.append(f"{_count(len(stands.alike) - GROUPS, 'more such group')}")
    if groups:
        first, *others = groups
        nor = "".join(f", nor are {group}" for group in others)
        parts.append(f"{first} are not significantly different from each other{nor}")
    elif not stands.uncompared:
        parts.append("all rows are significantly different from each other")
    if left := stands.uncompared - len(stands.unknown):
        parts.append(f"{_count(left, 'pair')} of the others could not be compared")
    return parts


def _names(models: Mapping[str, Model]) -> dict[str, str]:
    """What each row is called in running text."""
    return {
        slug: shown(f"the baseline {models[slug].label}")
        if models[slug].kind == "baseline"
        else shown(name)
        for slug, name in row_names(models).items()
    }


def _what(column: Column) -> str:
    """The column in running text: "strategy accuracy (reference context)"."""
    return f"{_lowered(column.label)} ({_lowered(column.group)})"


def _lowered(text: str) -> str:
    """Without the capital of a heading; BLEU-4 keeps its own."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _number(value: float, column: Column) -> str:
    return f"{value * column.scale:z.{column.digits}f}".replace("-", "−")


def _with_unit(value: float | None, column: Column) -> str:
    if value is None:
        return "N/A"
    return _number(value, column) + (" %" if column.scale == 100 else "")


def _points(value: float, column: Column) -> str:
    return _number(value, column) + (" points" if column.scale == 100 else "")


def _interval(gap: Gap, column: Column, before: str = "") -> str:
    bounds = _bounds(gap.low, gap.high, column)
    return f"{before}{bounds}" if before else f" ({bounds})"


def _bounds(low: float | None, high: float | None, column: Column) -> str:
    if low is None or high is None:
        return "no interval"
    low_text, high_text = (bound_text(bound, column) for bound in (low, high))
    return f"95 % interval {low_text} to {high_text}".replace("-", "−")


def _listed(names: Sequence[str]) -> str:
    if len(names) > NAMES:
        return f"{', '.join(names[: NAMES - 1])} and {len(names) - NAMES + 1} more"
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
