"""The board's tables as HTML, so that the page says what it says without JavaScript too.

Where there is JavaScript, table.js draws the same rows again, with sorting, filters and bars. The
classes are shared: style.css knows one table. Every text is escaped.
"""

import html
from collections.abc import Iterable, Sequence

from leaderboard.board import Board, Column, Model, Table
from leaderboard.efficiency_tables import efficiency_tables
from leaderboard.layout import (
    CEILING,
    CEILING_LABEL,
    UNDEFINED,
    Cell,
    Line,
    caption,
    headings,
    layout,
    row_names,
    why_without,
)
from leaderboard.leading import statements
from leaderboard.text_table import TextTable
from leaderboard.trust import CLAIMED, CLAIMED_TITLE, of_row


def overview(board: Board) -> str:
    """The first view: the title, who leads, and every table with its headline columns."""
    first = "".join(_standing(table, board) for table in board.tables[:1])
    sections = "\n".join(
        _section(board, table, first=number == 0) for number, table in enumerate(board.tables)
    )
    parts = (first, sections + _efficiency(board) + _set_aside(board))
    return f"<h1>{_text(board.title)}</h1>\n" + "\n".join(parts)


def _standing(table: Table, board: Board) -> str:
    """Who leads and by how much, and below it what else can and cannot be said."""
    leader, *others = statements(table, board.models)
    listed = "".join(f"<li>{_text(text)}</li>" for text in others)
    return f'<p class="leader">{_text(leader)}</p>' + (
        f'<ul class="standing">{listed}</ul>' if listed else ""
    )


def _efficiency(board: Board) -> str:
    """What the models' turns took. The script puts a picture above the table (efficiency.js)."""
    texts = []
    for table in efficiency_tables(board, False):
        heads = "".join(f'<th scope="col">{_text(head)}</th>' for head in table.heads)
        rows = "".join(
            f'<tr><th scope="row">{_text(cells[0])}</th>'
            + "".join(
                f"<td{_number_class(table, place)}>{_text(cell)}</td>"
                for place, cell in enumerate(cells[1:], 1)
            )
            + "</tr>"
            for cells, _ in table.rows
        )
        notes = "".join(f"<li>{_text(note)}</li>" for note in table.notes)
        texts.append(
            f'\n<section class="card" id="efficiency"><h2>{_text(table.title)}</h2>\n'
            f'<div class="scroller" role="region" tabindex="0" aria-label="{_text(table.title)}">'
            f'<table class="plain"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
            '</div><details class="footnotes"><summary>How these numbers are made</summary>'
            f"<ul>{notes}</ul></details></section>"
        )
    return "".join(texts)


def _number_class(table: TextTable, place: int) -> str:
    return "" if place < table.texts else ' class="number"'


def _set_aside(board: Board) -> str:
    """The files that could not be used, each with its reason."""
    if not board.quarantine:
        return ""
    files = "".join(
        f"<li><code>{_text(one.file)}</code>: {_text(one.reason)}</li>" for one in board.quarantine
    )
    return (
        f'\n<section class="card" id="set-aside"><h2>Set aside ({len(board.quarantine)})</h2>\n'
        f"<p>These files cannot be used; nothing of them is in the tables.</p><ul>{files}</ul>"
        "</section>"
    )


def _section(board: Board, table: Table, first: bool) -> str:
    columns, lines = layout(board, table, False)
    # The first table's sentence stands at the top of the page.
    leader = "" if first else _standing(table, board)
    slugs, names = [row.model for row in table.rows], row_names(board.models)
    measured = [
        _row(line, columns, _name(board.models[slug], names[slug], line.trust), slug)
        for slug, line in zip(slugs, lines, strict=False)
    ]
    wrong = [text for row in table.rows for text in of_row(row, names[row.model])]
    apart = ""
    if table.ceiling:
        name = f"{_text(CEILING_LABEL)}<small>{CEILING}</small>"
        apart = f"<tbody>{_row(lines[len(slugs)], columns, name)}</tbody>"
        lines = [line for line in lines if line.kind != CEILING]
    if len(lines) > len(slugs):
        heading = (
            f'<tr class="heading"><th colspan="{len(columns) + 1}" scope="rowgroup"><span>Reported'
            " in a paper: not measured here, not ranked</span></th></tr>"
        )
        reported = (_row(line, columns, _text(line.label)) for line in lines[len(slugs) :])
        apart += f'<tbody class="apart">{heading}{"".join(reported)}</tbody>'
    whys = [f"{UNDEFINED}: {text}." for text in why_without(table, columns)]
    notes = "".join(f"<li>{_text(note)}</li>" for note in (*table.footnotes, *whys))
    return (
        f'<section class="card"><h2>{_text(table.title)}</h2>\n'
        f'<p class="setting">{_text(caption(table))}{_audit_link(table)}</p>{leader}\n'
        f'<div class="scroller" role="region" tabindex="0"'
        f' aria-label="{_text(table.title)}: all rows">'
        f'<table class="board" id="table-{_text(table.id)}">{_head(columns)}\n'
        f"<tbody>{''.join(measured)}</tbody>{apart}</table></div>\n"
        f"{_wrong(wrong)}"
        f'<details class="footnotes"><summary>How these numbers are made</summary><ul>{notes}</ul>'
        "</details></section>"
    )


def _audit_link(table: Table) -> str:
    """To the audit of the customer of live conversations, where there is one."""
    page = table.setting.audit_page
    return f' <a href="{_text(page)}">The audit of the customer</a>' if page else ""


def _wrong(lines: Sequence[str]) -> str:
    """What does not hold in the results files, where there is anything."""
    if not lines:
        return ""
    listed = "".join(f"<li>{_text(text)}</li>" for text in lines)
    return (
        f'<details class="footnotes wrong"><summary>Statements that do not hold ({len(lines)})'
        f"</summary><ul>{listed}</ul></details>\n"
    )


def _head(columns: Sequence[Column]) -> str:
    groups: list[str] = []
    labels: list[str] = []
    for name, own in headings(columns):
        edge = ' class="edge"' if groups else ""
        groups.append(f'<th class="group" scope="colgroup" colspan="{len(own)}">{_text(name)}</th>')
        labels.append(
            f'<th scope="col"{edge}>{_text(own[0])}</th>'
            + "".join(f'<th scope="col">{_text(label)}</th>' for label in own[1:])
        )
    return (
        f'<thead><tr><th class="name" scope="col" rowspan="2">Model</th>{"".join(groups)}</tr>'
        f"<tr>{''.join(labels)}</tr></thead>"
    )


def _name(model: Model, name: str, trust: str) -> str:
    """What stands in a row's first cell: the name, how far its numbers can be trusted, and below
    them what else a reader must know of the row.
    """
    notes = []
    if model.kind == "baseline":
        notes.append("baseline")
    if model.kind == "adapter" and model.base_name:
        notes.append(f"adapter on {model.base_name}")
    badge = f' <span class="trust {trust.replace(",", "")}">{trust}</span>'
    # A long name is broken where it has a slash before it is broken within a word.
    return (
        _text(name).replace("/", "/<wbr>")
        + badge
        + "".join(f"<small>{_text(note)}</small>" for note in notes)
    )


def _row(line: Line, columns: Sequence[Column], name: str, slug: str = "") -> str:
    cells = zip(line.cells, _edges(columns), strict=True)
    model = f' data-model="{_text(slug)}"' if slug else ""
    return (
        f'<tr class="{line.kind}"{model}><th class="name" scope="row">{name}</th>'
        f"{''.join(_cell(cell, edge) for cell, edge in cells)}</tr>"
    )


def _edges(columns: Sequence[Column]) -> Iterable[bool]:
    """Whether a column is the first under its heading, from the second heading on."""
    starts = [False for _ in columns]
    place = 0
    for _, labels in headings(columns):
        starts[place] = place > 0
        place += len(labels)
    return starts


def _cell(cell: Cell, edge: bool) -> str:
    interval = f' <small class="interval">{_text(cell.interval)}</small>' if cell.interval else ""
    interval += f' <small class="spread">{_text(cell.spread)}</small>' if cell.spread else ""
    kind = f" {cell.mark}" if cell.mark else ""
    claimed = f'<span class="claimed" title="{CLAIMED_TITLE}">{CLAIMED}</span>' * cell.claimed
    start = '<td class="edge">' if edge else "<td>"
    return f'{start}<span class="number{kind}">{_text(cell.number)}</span>{claimed}{interval}</td>'


def _text(text: str) -> str:
    return html.escape(text)
