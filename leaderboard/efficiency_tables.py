"""What models' turns took, beside their quality, as text: one table, and every number as CSV."""

from collections.abc import Iterator, Sequence

from leaderboard.board import EFFICIENCY, Board, Column, Efficiency, Value
from leaderboard.columns import leading_column
from leaderboard.layout import ABSENT, UNDEFINED, WITHOUT, bounds_text, row_names
from leaderboard.text_table import TextTable
from leaderboard.trust import CLAIMED

TITLE = "Latency, tokens and cost"
RULE = (
    "As the backends told it when they were asked: claimed, never re-scored. Latency: from sending"
    " a request to the first and the last token of the reply (of the try that was answered), with"
    " as many requests under way at once as stand under Turns; a reply that is not streamed has no"
    " first token of its own. Batch time: from entering a batch to leaving it; replies in a batch"
    " wait for one another, so that it is no user's latency. A reply from a cache has tokens and no"
    " seconds. Medians and 95th percentiles of turns with Woodruff's interval, totals with that of"
    " as many other conversations of the kind, both 95 % and clustered by conversation."
)
_SECONDS = (
    ("first_token_s", "First token, s"),
    ("last_token_s", "Last token, s"),
    ("batch_last_token_s", "Batch time, s"),
)
NUMBERS = (
    *((f"{name}/{q}", f"{head}: {q}") for name, head in _SECONDS for q in ("median", "p95")),
    ("tokens_in/total", "Tokens in"),
    ("tokens_out/total", "Tokens out"),
    ("cost/total", "Cost"),
    ("cost/conversation", "Cost of a conversation"),
)
"""What the table shows, in order: name of a number, heading."""
TEXTS = 3
_KINDS = {"request": "requests", "batch": "in a batch", "cache": "cached", "untold": "untold"}
HEADER = (
    *("table", "model", "task", "field", "statistic", "value", "low", "high", "method", "reason"),
    *("items", "clusters", "turns", "requests", "batch", "cache", "untold", "connections"),
    *("price", "runs", "quality_metric", "quality", "quality_low", "quality_high", "trust"),
)


def efficiency_tables(board: Board, every: bool) -> list[TextTable]:
    """The table of all rows that say what their turns took; none where no row does. every: also
    the columns in which no row has a number.
    """
    if not board.efficiency:
        return []
    names = row_names(board.models)
    shown = [
        (name, head)
        for name, head in NUMBERS
        if every or any(name in one.numbers for one in board.efficiency)
    ]
    rows = []
    reasons = set()
    for one in board.efficiency:
        column, quality = quality_of(board, one)
        cells = [_number(one.numbers.get(name), name, one.turns) for name, _ in shown]
        reasons |= {one.numbers[name].reason for name, _ in shown if name in one.numbers}
        texts = (names[one.model], group_of(board, one), turns_text(one))
        rows.append(((*texts, _quality(column, quality), *cells), False))
    whys = [f"{UNDEFINED}: {text}." for why, text in WITHOUT.items() if why in reasons]
    heads = ("Model", "Task", "Turns", "Quality", *(head for _, head in shown))
    notes = (RULE, *_prices(board, names), *whys)
    return [TextTable(EFFICIENCY, TITLE, heads, TEXTS, tuple(rows), notes)]


def quality_of(board: Board, one: Efficiency) -> tuple[Column | None, Value | None]:
    """The column that a task is judged by, and the row's number in it."""
    table = next(table for table in board.tables if table.id == one.table)
    row = next((row for row in table.rows if row.model == one.model), None)
    column = leading_column([column for column in table.columns if column.task == one.task])
    if row is None or column is None:
        return column, None
    return column, row.values.get(column.key)


def judged_by(board: Board, one: Efficiency) -> str | None:
    """The key of the column that a task is judged by."""
    column, _ = quality_of(board, one)
    return column.key if column else None


def group_of(board: Board, one: Efficiency) -> str:
    """What the tables call a task."""
    columns = (column for table in board.tables for column in table.columns)
    return next((column.group for column in columns if column.task == one.task), one.task)


def turns_text(one: Efficiency) -> str:
    """How many turns there are, and what their seconds are of."""
    kinds = [f"{count:,} {_KINDS[kind]}" for kind, count in one.measured.items() if kind in _KINDS]
    at_once = f", {one.connections} at once" if one.connections else ""
    return f"{one.turns:,}: {', '.join(kinds)}{at_once}"


def rows_of(board: Board) -> Iterator[list[object]]:
    """Every number of every row, unrounded, beside the row's quality."""
    names = row_names(board.models)
    for one in board.efficiency:
        column, quality = quality_of(board, one)
        judged: list[object] = [column.metric if column else "", "", "", ""]
        if quality:
            judged[1:] = [quality.value, quality.low, quality.high]
        counts = [one.measured.get(kind, 0) for kind in _KINDS]
        about = [one.turns, *counts, one.connections, one.price, one.runs]
        for name, value in one.numbers.items():
            field, _, statistic = name.partition("/")
            number = [value.value, value.low, value.high, value.method, value.reason or ""]
            named = [one.table, names[one.model], one.task, field, statistic]
            sizes = [value.items, value.clusters]
            yield [*named, *number, *sizes, *about, *judged, "claimed"]


def digits_of(name: str, value: float) -> int:
    """Decimals of a number: three significant digits at least, of what is no whole number."""
    if name.startswith("tokens") and name.endswith("total"):
        return 0
    magnitude = abs(value)
    digits = 2
    while magnitude and magnitude < 1 and digits < 8:
        magnitude *= 10
        digits += 1
    return digits if magnitude < 100 else 1


def _number(value: Value | None, name: str, turns: int) -> str:
    if value is None or value.value is None:
        return ABSENT
    digits = digits_of(name, value.value)
    text = f"{value.value:,.{digits}f}{CLAIMED}"
    interval = f"({UNDEFINED})"
    if value.low is not None and value.high is not None:
        interval = bounds_text(value.value, value.low, value.high, digits)
    # What is summed misses the turns of which nothing was told; a median does not.
    summed = name.endswith(("/total", "/conversation")) and value.items < turns
    return f"{text} {interval}{f', of {value.items:,} turns' if summed else ''}"


def _quality(column: Column | None, value: Value | None) -> str:
    if column is None or value is None or value.value is None:
        return ABSENT
    number = f"{value.value * column.scale:.{column.digits}f}"
    interval = ""
    if value.low is not None and value.high is not None:
        interval = bounds_text(value.value, value.low, value.high, column.digits, column.scale)
    return f"{column.label} {number} {interval}".strip()


def _prices(board: Board, names: dict[str, str]) -> Sequence[str]:
    """What tokens cost, by price."""
    models: dict[str, list[str]] = {}
    for one in board.efficiency:
        if one.price:
            models.setdefault(one.price, []).append(names[one.model])
    return [
        f"Cost at {price} per million tokens in and out: {', '.join(dict.fromkeys(own))}."
        for price, own in models.items()
    ]
