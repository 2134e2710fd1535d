"""A board's table for a terminal: aligned columns, no wider than a screen. What does not fit is
counted, and `csc tables` has it.
"""

import unicodedata
from collections.abc import Collection, Sequence

from csc_tasks.shown import shown
from leaderboard.board import Board, Column, Table
from leaderboard.layout import UNDEFINED, Cell, Line, caption, head, layout, why_without
from leaderboard.trust import CLAIMED, CLAIMED_TITLE

WIDTH = 120
LONGEST_NAME = 40
_GAP = "  "
_MARKS = {"best": "*", "second": "+", "": " "}


def as_text(board: Board, table: Table, width: int = WIDTH) -> str:
    """The headline columns: the first metric in all its contexts with intervals, then as many
    others, without, as `width` characters hold.
    """
    columns, lines = layout(board, table, False)
    names = ["", "", "Model", *(_name(line) for line in lines)]
    trusts = ["", "", "Trust", *(line.trust for line in lines)]
    blocks: list[list[str]] = []
    left = width - _widest(names) - len(_GAP) - _widest(trusts)
    for place, column in enumerate(columns):
        with_interval = column.metric == columns[0].metric
        cells = [_cell(line.cells[place], with_interval) for line in lines]
        block = [*_heads(column), *cells]
        left -= len(_GAP) + _widest(block)
        if left < 0 and blocks:
            break
        blocks.append(block)
    title = f"{shown(table.title)}: {shown(caption(table))}"
    marks = {mark for line in lines for cell in line.cells[: len(blocks)] for mark in [_mark(cell)]}
    several = any(row.spreads for row in table.rows)
    legend = _legend(table, columns[: len(blocks)], marks, several, len(columns) - len(blocks))
    aligned = _aligned([names, trusts], blocks)
    return "\n".join([title, "", *aligned, "", legend])


def _name(line: Line) -> str:
    """A row's name, cut where it is longer than a name has room for."""
    name = shown(line.label)
    if line.kind == "baseline":
        name += f" ({line.kind})"
    if _wide(name) <= LONGEST_NAME:
        return name
    while _wide(name) >= LONGEST_NAME:
        name = name[:-1]
    return f"{name}…"


def _heads(column: Column) -> tuple[str, str, str]:
    """Three lines, since numbers are narrow: the context, and the metric's name in two."""
    *words, last, arrow = shown(head(column)).split(" ")
    return shown(column.group).removesuffix(" context"), " ".join(words), f"{last} {arrow}"


def _cell(cell: Cell, with_interval: bool) -> str:
    """The number with its mark, all marks in one column."""
    beside = f" {cell.beside}" if with_interval and cell.beside else ""
    return f"{cell.number}{beside}{_mark(cell)}"


def _mark(cell: Cell) -> str:
    return CLAIMED if cell.claimed else _MARKS[cell.mark]


def _aligned(words: Sequence[Sequence[str]], numbers: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns as wide as their widest cell, words to the left and numbers to the right."""
    widths = [_widest(block) for block in (*words, *numbers)]
    lines = []
    for row in zip(*words, *numbers, strict=True):
        # A heading ends above the last digit, before the place for the mark.
        cells = [
            text + " " * (width - _wide(text))
            if place < len(words)
            else " " * (width - _wide(text)) + text
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_GAP.join(cells).rstrip())
    return [*lines[:3], "-" * max(map(_wide, lines)), *lines[3:]]


def _legend(
    table: Table, columns: Sequence[Column], marks: Collection[str], several: bool, hidden: int
) -> str:
    parts = ["± 95 % interval, clustered by conversation"]
    if several:
        parts.append("×N: mean over N runs, sd between them")
    if _MARKS["best"] in marks:
        parts.append("* significantly better than every other row")
    if _MARKS["second"] in marks:
        parts.append("+ than every row below")
    if CLAIMED in marks:
        parts.append(f"{CLAIMED} {CLAIMED_TITLE}")
    if absent := why_without(table, columns):
        parts.append(f"{UNDEFINED}: {'; '.join(absent)}")
    if hidden:
        parts.append(f"{hidden} more column{'s' if hidden > 1 else ''}: csc tables")
    return "; ".join(parts)


def _widest(block: Sequence[str]) -> int:
    return max(map(_wide, block))


def _wide(text: str) -> int:
    """Columns of a terminal that `text` takes: two for a Chinese character, none for what combines
    with the one before it.
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
