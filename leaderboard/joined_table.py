"""All tables of one kind as one, for a page that has room for one: a column in front says which
corpus, style and other condition a row belongs to.

Rows of different tables are not comparable, so nothing is bold or underlined here. A baseline has
no prompt: where several tables of one corpus show the same one, it stands once.
"""

from collections.abc import Iterator, Sequence

from leaderboard.board import Board, Table
from leaderboard.escaped import md_text
from leaderboard.layout import ABSENT, CEILING, Cell, Line, caption, head, layout
from leaderboard.trust import CLAIMED

_LATER = {"baseline": 1, CEILING: 2}
"""Kinds of rows without a prompt, in the order in which they stand below the models."""


def joined(board: Board, tables: Sequence[Table], metrics: Sequence[str]) -> str:
    """GitHub's Markdown for each kind of table, with its conditions in a line below.

    metrics: the columns that are shown, by the names of their metrics; none: the headline columns.
    """
    kinds = dict.fromkeys(_kind(table) for table in tables)
    parts = []
    for kind in kinds:
        own = [table for table in tables if _kind(table) == kind]
        parts.append(_table(board, kind, own, metrics))
    return "\n".join(filter(None, parts))


def _table(board: Board, kind: str, tables: Sequence[Table], metrics: Sequence[str]) -> str:
    # Tables of one kind may have columns that others lack; a dash stands there.
    heads: dict[str, str] = {}
    rows: list[tuple[str, str, Line, dict[str, str]]] = []
    for table in tables:
        columns, lines = layout(board, table, bool(metrics))
        shown = [place for place, c in enumerate(columns) if not metrics or c.metric in metrics]
        for place in shown:
            column = columns[place]
            heads[column.key] = f"{md_text(column.group)}<br>{md_text(head(column))}"
        for line in lines:
            cells = {columns[place].key: _cell(line.cells[place]) for place in shown}
            rows.append((table.setting.corpus, _prompt(table, line), line, cells))
    if not heads:
        return ""  # none of the metrics that were asked for is one of these tables'
    lines_of = [
        f"| {' | '.join((md_text(corpus), md_text(prompt), _name(line), *cells))} |"
        for corpus, prompt, line, cells in _once(rows, list(heads))
    ]
    captions = "\n".join(
        dict.fromkeys(
            f"- {md_text(caption(table) + _generation(board, table))}" for table in tables
        )
    )
    return (
        f"### {md_text(kind)}\n\n| {' | '.join(('Corpus', 'Prompt', 'Model', *heads.values()))} |\n"
        f"|---|---|---|{'---:|' * len(heads)}\n" + "\n".join(lines_of) + f"\n\n{captions}\n"
    )


def _once(
    rows: Sequence[tuple[str, str, Line, dict[str, str]]], keys: Sequence[str]
) -> Iterator[tuple[str, str, Line, list[str]]]:
    """The rows, corpus by corpus, models before baselines and these before the raters, nothing
    twice, also where a table has fewer columns, and none without a number.
    """
    corpora = list(dict.fromkeys(corpus for corpus, *_ in rows))
    ordered = sorted(rows, key=lambda row: (corpora.index(row[0]), _LATER.get(row[2].kind, 0)))
    seen: dict[tuple[str, str, str], list[list[str]]] = {}
    kept = []
    for corpus, prompt, line, cells in ordered:
        values = [cells.get(key, ABSENT) for key in keys]
        own = seen.setdefault((corpus, prompt, line.label), [])
        if values not in own:
            own.append(values)
            kept.append((corpus, prompt, line, values))
    for corpus, prompt, line, values in kept:
        others = [other for other in seen[corpus, prompt, line.label] if other != values]
        # A row without any number says less than every other row, or nothing.
        if any(value != ABSENT for value in values) and not any(
            all(value in (ABSENT, same) for value, same in zip(values, other, strict=True))
            for other in others
        ):
            yield corpus, prompt, line, values


def _generation(board: Board, table: Table) -> str:
    """How replies were generated, where all models say the same of it; else their names do."""
    rows = [board.models[row.model] for row in table.rows]
    ways = {model.settings.get("gen_kwargs") for model in rows if model.kind != "baseline"}
    way = ways.pop() if len(ways) == 1 else None
    return f" Generation: {way}." if way else ""


def _kind(table: Table) -> str:
    return table.title.partition(" (")[0]


def _prompt(table: Table, line: Line) -> str:
    return ABSENT if line.kind in _LATER else table.setting.prompt or ABSENT


def _name(line: Line) -> str:
    label = md_text(line.label)
    if line.kind in _LATER:
        return f"*{label}*"
    return f"&emsp;{label}" if line.kind == "adapter" else label


def _cell(cell: Cell) -> str:
    number = f"{cell.number}{CLAIMED if cell.claimed else ''}"
    return f"{number} {cell.beside}" if cell.beside else number
