"""A board's tables as text: Markdown, CSV, JSON, LaTeX, HTML.

  csc tables board/
  csc tables board/ --format latex --columns all > tables.tex
  csc tables board/ --format csv --table conversations
  csc tables board/ --format json | jq '.[] | select(.metric == "strategy_acc")'
  csc tables board/ --joined strategy_acc,bleu_4

Table 6's layout: reference and generated context side by side, a base model above its adapters.
Shares are in percent, with their 95 %
interval: `57.0 ± 4.0`, or `0.27 (0.10 to 0.58)` where it is not symmetric (near a bound; corpus
metrics). Best is bold and second underlined only where the paired interval says so, among numbers
that were computed again from the runs' replies; the others carry a †. Where several raters labelled
the turns a row says what one of them reaches against the others, the ceiling. Reported rows stand
apart below. CSV and JSON hold every number unrounded, a row or object per model and column, for
spreadsheets and scripts. Contrasts (two runs of one model that differ in one condition) stand below
the tables, with paired differences; `--table contrasts` prints them alone, and as rows. What the
turns took (seconds, tokens, cost), as far as the runs say it, stands last; `--table efficiency`
prints it alone, and as rows. `--table breakdowns --format csv` prints every number by stage, topic,
language and turn, with its corrected p.
"""

import html
import json
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from csc_tasks.arguments import add_json, check_known, listed
from csc_tasks.csv_cells import csv_text
from csc_tasks.errors import SettingError
from csc_tasks.telling import STDOUT, mention, show, show_document
from leaderboard import breakdown_rows, contrast_tables, efficiency_tables, number_rows, text_table
from leaderboard.board import BREAKDOWNS, CONTRASTS, EFFICIENCY, Board, Table
from leaderboard.escaped import md_text, tex_text
from leaderboard.joined_table import joined
from leaderboard.layout import (
    CEILING,
    Cell,
    caption,
    footnotes,
    head,
    headings,
    layout,
)
from leaderboard.trust import CLAIMED

ROWS = ("csv", "json")
FORMATS = ("md", *ROWS, "latex", "html")
Rows = tuple[Sequence[str], Iterable[Sequence[object]]]


def add_arguments(parser) -> None:
    """The options of `csc tables`."""
    parser.add_argument("board", type=Path, help="a board folder that csc collect wrote")
    parser.add_argument("--format", choices=FORMATS, help="default: md")
    add_json(parser)
    parser.add_argument(
        "--table",
        metavar="ID",
        help="only this table, contrasts, efficiency or breakdowns (default: all)",
    )
    parser.add_argument(
        "--columns",
        choices=("headline", "all"),
        default="headline",
        help="default: headline; CSV and JSON have all",
    )
    parser.add_argument(
        "--joined",
        metavar="METRIC,...",
        nargs="?",
        const="",
        help=(
            "the tables of each kind as one (Markdown), with the columns of these metrics"
            " (default: headline)"
        ),
    )


def main(args) -> None:
    """Print a board's tables, or args.table, as args.format. Raises DataError for a folder without
    a board, SettingError for a table that it has not.
    """
    from leaderboard.folder import checked_board

    board = checked_board(args.board)
    if args.json == STDOUT and args.format in (None, "json") and args.joined is None:
        args.format = "json"
    elif args.json == STDOUT:
        raise SettingError("--json is --format json; give no other --format and no --joined")
    args.format = args.format or "md"
    known = [table.id for table in board.tables] + [CONTRASTS] * bool(board.contrasts)
    known += [EFFICIENCY] * bool(board.efficiency)
    known.append(BREAKDOWNS)
    check_known("--table", [args.table] if args.table else [], known)
    if args.table == BREAKDOWNS and args.format not in ROWS:
        raise SettingError(
            f"--table {BREAKDOWNS}: printed as CSV or JSON alone; add --format csv or json"
        )
    tables = [table for table in board.tables if args.table in (None, table.id)]
    if args.joined is not None:
        if args.format != "md" or args.columns != "headline":
            raise SettingError("--joined is Markdown, with the metrics that it names itself")
        metrics = listed(args.joined)
        check_known("--joined", metrics, sorted({c.metric for t in tables for c in t.columns}))
        show(joined(board, tables, metrics), end="")
        return
    if args.json:
        show_document(args.json, _objects(*_rows(args, board, tables)))
    if args.format in ROWS:
        _print_rows(args, board, tables)
        return
    write, write_texts = {
        "md": (markdown, text_table.markdown),
        "latex": (latex, text_table.latex),
        "html": (as_html, text_table.as_html),
    }[args.format]
    every = args.columns == "all"
    texts = [write(board, table, every) for table in tables]
    if args.table in (None, CONTRASTS):
        texts += map(write_texts, contrast_tables.contrast_tables(board, every))
    if args.table in (None, EFFICIENCY):
        texts += map(write_texts, efficiency_tables.efficiency_tables(board, every))
    show("\n".join(texts), end="")


def as_csv(board: Board, tables: Sequence[Table]) -> str:
    """All numbers of the tables, on the metrics' own scales, as CSV."""
    return csv_text(number_rows.HEADER, number_rows.rows_of(board, tables))


def _print_rows(args: Namespace, board: Board, tables: Sequence[Table]) -> None:
    """Tables, contrasts, efficiency and breakdowns have columns of their own: one of the four is
    printed.
    """
    header, rows = _rows(args, board, tables)
    if args.format == "json":
        objects = _objects(header, rows)
        show(json.dumps(objects, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        show(csv_text(header, rows), end="")
    if args.table is None and board.contrasts:
        count = len(board.contrasts)
        mention(f"note: {count} contrasts have other columns: --table {CONTRASTS}")
    if args.table is None and board.efficiency:
        mention(f"note: latency, tokens and cost: --table {EFFICIENCY}")


def _rows(args: Namespace, board: Board, tables: Sequence[Table]) -> Rows:
    """The header and the rows of the one of the four that is asked for."""
    made: Rows = {
        CONTRASTS: lambda: (contrast_tables.HEADER, contrast_tables.rows_of(board)),
        EFFICIENCY: lambda: (efficiency_tables.HEADER, efficiency_tables.rows_of(board)),
        BREAKDOWNS: lambda: (breakdown_rows.HEADER, breakdown_rows.rows_of(args.board, board)),
    }.get(args.table, lambda: (number_rows.HEADER, number_rows.rows_of(board, tables)))()
    return made


def _objects(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    return [
        {name: _json_cell(name, cell) for name, cell in zip(header, row, strict=True)}
        for row in rows
    ]


def _json_cell(name: str, cell: object) -> object:
    """Empty cells are null, and what is true or false is no text."""
    if cell == "":
        return None
    return cell == "true" if name == "contradicted" else cell


def markdown(board, table, every: bool = False) -> str:
    """The table as GitHub's Markdown, with its title and footnotes."""
    columns, lines = layout(board, table, every)
    # Markdown has no cells that span columns.
    heads = [f"{md_text(c.group)}<br>{md_text(head(c))}" for c in columns]
    rows = [
        f"| {' | '.join(('Model', 'Trust', *heads))} |",
        f"|---|---|{'---:|' * len(columns)}",
    ]
    for line in lines:
        label = md_text(line.label)
        if line.kind == "adapter":
            label = f"&emsp;{label}"
        elif line.kind in ("baseline", CEILING):
            label = f"*{label}*"
        cells = (_md_cell(cell) for cell in line.cells)
        rows.append(f"| {' | '.join((label, line.trust, *cells))} |")
    notes = "\n".join(
        f"{number}. {md_text(note)}" for number, note in enumerate(footnotes(table, columns), 1)
    )
    return (
        f"### {md_text(table.title)}\n\n{md_text(caption(table))}\n\n"
        + "\n".join(rows)
        + f"\n\n{notes}\n"
    )


def latex(board, table, every: bool = False) -> str:
    r"""The table as LaTeX (packages booktabs and, for Chinese names, one that typesets them)."""
    columns, lines = layout(board, table, every)
    spans: list[str] = []
    rules: list[str] = []
    heads: list[str] = []
    at = 3
    for name, labels in headings(columns):
        size = len(labels)
        heads += labels
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{tex_text(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    body, before = [], ""
    for line in lines:
        if before and line.kind in ("baseline", CEILING, "reported") and line.kind != before:
            body.append(r"\midrule")
        if line.kind == "reported" and before != "reported":
            body.append(
                rf"\multicolumn{{{len(columns) + 2}}}{{l}}{{\emph{{Reported, not measured"
                r" here}} \\"
            )
        indent = r"\quad " if line.kind == "adapter" else ""
        words = [indent + tex_text(line.label), line.trust, *map(_tex_cell, line.cells)]
        body.append(f"{' & '.join(words)} " + r"\\")
        before = line.kind
    notes = "\n".join(rf"\item {tex_text(note)}" for note in footnotes(table, columns))
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\small",
            rf"\caption{{{tex_text(f'{table.title}. {caption(table)}')}}}",
            rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}",
            r"\toprule",
            f" & & {' & '.join(spans)} " + r"\\",
            " ".join(rules),
            f"Model & Trust & {' & '.join(map(tex_text, heads))} " + r"\\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\begin{itemize}\footnotesize",
            notes,
            r"\end{itemize}",
            r"\end{table*}",
            "",
        ]
    )


def as_html(board, table, every: bool = False) -> str:
    """The table as an HTML fragment without style, for pages of one's own; every text is
    escaped.
    """
    columns, lines = layout(board, table, every)
    spans = "".join(
        f'<th scope="colgroup" colspan="{len(labels)}">{html.escape(name)}</th>'
        for name, labels in headings(columns)
    )
    heads = "".join(
        f'<th scope="col">{html.escape(label)}</th>'
        for _, labels in headings(columns)
        for label in labels
    )
    rows = "\n".join(
        f'<tr class="{line.kind}"><th scope="row">{html.escape(line.label)}</th>'
        f"<td>{html.escape(line.trust)}</td>"
        + "".join(f"<td>{_html_cell(cell)}</td>" for cell in line.cells)
        + "</tr>"
        for line in lines
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in footnotes(table, columns))
    return (
        f'<table id="{html.escape(table.id)}">\n<caption>{html.escape(table.title)}.'
        f" {html.escape(caption(table))}</caption>\n"
        '<thead><tr><th scope="col"'
        f' rowspan="2">Model</th><th scope="col" rowspan="2">Trust</th>{spans}</tr>'
        f"<tr>{heads}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n"
        f"<ol>{notes}</ol>\n"
    )


def _md_cell(cell: Cell) -> str:
    number = {"best": f"**{cell.number}**", "second": f"<u>{cell.number}</u>"}.get(
        cell.mark, cell.number
    )
    number += CLAIMED if cell.claimed else ""
    return f"{number} {cell.beside}" if cell.beside else number


def _tex_cell(cell: Cell) -> str:
    number = tex_text(cell.number)
    number = {"best": rf"\textbf{{{number}}}", "second": rf"\underline{{{number}}}"}.get(
        cell.mark, number
    )
    number += r"$^\dagger$" if cell.claimed else ""
    beside = tex_text(cell.beside.replace("± ", "±"))
    return rf"{number} {{\scriptsize{beside}}}" if beside else number


def _html_cell(cell: Cell) -> str:
    number = html.escape(cell.number)
    number = {"best": f"<strong>{number}</strong>", "second": f"<u>{number}</u>"}.get(
        cell.mark, number
    )
    number += CLAIMED if cell.claimed else ""
    return f"{number} <small>{html.escape(cell.beside)}</small>" if cell.beside else number


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
