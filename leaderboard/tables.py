"""A board's tables as text: Markdown, CSV, LaTeX, HTML.

  csc tables board/
  csc tables board/ --format latex --columns all > tables.tex
  csc tables board/ --format csv --table conversations

Table 6's layout: reference and generated context side by side, a base model above its adapters.
Shares are in percent, with their 95 %
interval: `57.0 ± 4.0`, or `0.27 (0.10 to 0.58)` where it is not symmetric (bootstrapped corpus
metrics). Best is bold and second underlined only where the paired interval says so. Reported rows
stand apart below. CSV holds every number unrounded, one row per model and column, for spreadsheets
and scripts.
"""

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from csc_tasks.arguments import check_known
from csc_tasks.csv_cells import GuardedWriter
from csc_tasks.shown import shown

FORMATS = ("md", "csv", "latex", "html")
UNDEFINED = "–"


def add_arguments(parser) -> None:
    parser.add_argument("board", type=Path, help="a board folder that csc collect wrote")
    parser.add_argument("--format", choices=FORMATS, default="md", help="default: md")
    parser.add_argument("--table", metavar="ID", help="only this table (default: all)")
    parser.add_argument(
        "--columns",
        choices=("headline", "all"),
        default="headline",
        help="default: headline; CSV has all",
    )


def main(args) -> None:
    from leaderboard.folder import checked_board

    board = checked_board(args.board)
    check_known("--table", [args.table] if args.table else [], [table.id for table in board.tables])
    tables = [table for table in board.tables if args.table in (None, table.id)]
    if args.format == "csv":
        print(as_csv(board, tables), end="")
        return
    write = {"md": markdown, "latex": latex, "html": as_html}[args.format]
    print("\n".join(write(board, table, args.columns == "all") for table in tables), end="")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell: a number and its interval as text, and how it is marked.

    interval: `± 4.0` where the interval is symmetric, `(0.10 to 0.58)` where it is not, "" where
    there is none.
    """

    number: str
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the model's label, and a Cell per column. kind: model, adapter, baseline or
    reported.
    """

    label: str
    kind: str
    cells: tuple[Cell, ...]


def markdown(board, table, every: bool = False) -> str:
    """The table as GitHub's Markdown, with its title and footnotes."""
    columns, lines = _layout(board, table, every)
    # Markdown has no cells that span columns.
    heads = [f"{_md(c.group)}<br>{_md(_head(c))}" for c in columns]
    rows = [f"| {' | '.join(('Model', *heads))} |", f"|---|{'---:|' * len(columns)}"]
    for line in lines:
        label = _md(line.label) + (" *(reported)*" if line.kind == "reported" else "")
        label = (
            f"&emsp;{label}"
            if line.kind == "adapter"
            else f"*{label}*"
            if line.kind == "baseline"
            else label
        )
        rows.append(f"| {' | '.join((label, *(_md_cell(cell) for cell in line.cells)))} |")
    notes = "\n".join(
        f"{number}. {_md(note)}" for number, note in enumerate(_footnotes(table, columns), 1)
    )
    return (
        f"### {_md(table.title)}\n\n{_md(_caption(table))}\n\n" + "\n".join(rows) + f"\n\n{notes}\n"
    )


def latex(board, table, every: bool = False) -> str:
    r"""The table as LaTeX (packages booktabs and, for Chinese names, one that typesets them)."""
    columns, lines = _layout(board, table, every)
    spans, rules, at = [], [], 2
    for name, own in groupby(columns, key=lambda c: c.group):
        size = len(list(own))
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{_tex(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    body, before = [], ""
    for line in lines:
        if before and line.kind in ("baseline", "reported") and line.kind != before:
            body.append(r"\midrule")
        if line.kind == "reported" and before != "reported":
            body.append(
                rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{Reported, not measured"
                r" here}} \\"
            )
        indent = r"\quad " if line.kind == "adapter" else ""
        body.append(
            f"{indent}{_tex(line.label)} & {' & '.join(_tex_cell(cell) for cell in line.cells)} "
            + r"\\"
        )
        before = line.kind
    notes = "\n".join(rf"\item {_tex(note)}" for note in _footnotes(table, columns))
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\small",
            rf"\caption{{{_tex(f'{table.title}. {_caption(table)}')}}}",
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            f" & {' & '.join(spans)} " + r"\\",
            " ".join(rules),
            f"Model & {' & '.join(_tex(_head(c)) for c in columns)} " + r"\\",
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
    columns, lines = _layout(board, table, every)
    spans = "".join(
        f'<th scope="colgroup" colspan="{len(list(own))}">{html.escape(name)}</th>'
        for name, own in groupby(columns, key=lambda c: c.group)
    )
    heads = "".join(f'<th scope="col">{html.escape(_head(c))}</th>' for c in columns)
    rows = "\n".join(
        f'<tr class="{line.kind}"><th scope="row">{html.escape(line.label)}'
        f"{' <em>(reported)</em>' if line.kind == 'reported' else ''}</th>"
        + "".join(f"<td>{_html_cell(cell)}</td>" for cell in line.cells)
        + "</tr>"
        for line in lines
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in _footnotes(table, columns))
    return (
        f'<table id="{html.escape(table.id)}">\n<caption>{html.escape(table.title)}.'
        f" {html.escape(_caption(table))}</caption>\n"
        '<thead><tr><th scope="col"'
        f' rowspan="2">Model</th>{spans}</tr><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n"
        f"<ol>{notes}</ol>\n"
    )


def as_csv(board, tables: Sequence) -> str:
    """All numbers, on the metrics' own scales: a row per table, model and column; reported rows
    have kind `reported`.
    """
    out = io.StringIO()
    writer = GuardedWriter(out)
    writer.row(
        [
            "table",
            "model",
            "kind",
            "base",
            "task",
            "metric",
            "language",
            "value",
            "stderr",
            "low",
            "high",
            "method",
            "items",
            "clusters",
            "mark",
            "signature",
        ]
    )
    for table in tables:
        for row in table.rows:
            model = board.models[row.model]
            for c in table.columns:
                if (v := row.values.get(c.key)) is not None:
                    numbers = [v.value, v.stderr, v.low, v.high, v.method, v.items, v.clusters]
                    names = [
                        model.name,
                        model.kind,
                        model.base_name or "",
                        c.task,
                        c.metric,
                        c.language or "",
                    ]
                    writer.row(
                        [table.id, *names, *numbers, _mark(table, c, row.model), c.signature]
                    )
        for row in table.reported:
            for c in table.columns:
                if c.key in row.values:
                    names = [
                        _reported(row),
                        "reported",
                        "",
                        c.task,
                        c.metric,
                        c.language or "",
                    ]
                    writer.row([table.id, *names, row.values[c.key], *[""] * 7, row.source])
    return out.getvalue()


def _layout(board, table, every: bool) -> tuple[list, list[Line]]:
    """The columns that are shown and all rows with their cells."""
    columns = [c for c in table.columns if every or c.headline]
    columns = columns or list(table.columns)
    lines = []
    for row in table.rows:
        model = board.models[row.model]
        lines.append(Line(model.label, model.kind, tuple(_cell(table, c, row) for c in columns)))
    for row in table.reported:
        numbers = (
            Cell(_number(row.values[c.key], c) if c.key in row.values else UNDEFINED)
            for c in columns
        )
        lines.append(Line(_reported(row), "reported", tuple(numbers)))
    return columns, lines


def _footnotes(table, columns: Sequence) -> list[str]:
    """The table's notes, without the signatures of columns that are not shown."""
    shown = {(c.label, c.signature) for c in columns}
    hidden = {
        f"{c.label}: {c.signature}" for c in table.columns if (c.label, c.signature) not in shown
    }
    return [note for note in table.footnotes if note not in hidden]


def _cell(table, column, row) -> Cell:
    value = row.values.get(column.key)
    if value is None or value.value is None:
        return Cell(UNDEFINED)
    return Cell(
        _number(value.value, column), _interval(value, column), _mark(table, column, row.model)
    )


def _interval(value, column) -> str:
    """`± half width`, or both bounds: a half width would give an asymmetric interval bounds that it
    does not have.
    """
    if value.low is None or value.high is None:
        return ""
    width = value.high - value.low
    # t intervals are symmetric but for rounding errors, far below any digit that is shown.
    if abs((value.high - value.value) - (value.value - value.low)) <= 1e-9 * max(
        width, abs(value.value)
    ):
        return f"± {_number(width / 2, column)}"
    return f"({_number(value.low, column)} to {_number(value.high, column)})"


def _mark(table, column, slug: str) -> str:
    return (
        "best"
        if table.best.get(column.key) == slug
        else "second"
        if table.second.get(column.key) == slug
        else ""
    )


def _number(value: float, column) -> str:
    return f"{value * column.scale:.{column.digits}f}"


def _head(column) -> str:
    return f"{column.label} {'↑' if column.higher_is_better else '↓'}"


def _reported(row) -> str:
    return " ".join(
        [
            row.name,
            *([row.size] if row.size else []),
            *([f"+ {row.tuned_on}"] if row.tuned_on else []),
        ]
    )


def _caption(table) -> str:
    """What all rows share, in a line."""
    s = table.setting
    parts = [f"corpus {s.corpus} ({s.config}/{s.split}, {' and '.join(s.languages)})"]
    parts += [f"revision {s.revision}"] if s.revision else []
    parts += [f"prompt style {s.prompt}"] if s.prompt else []
    parts += (
        [f"chat template {'applied' if s.chat_template else 'not applied'}"]
        if s.chat_template is not None
        else []
    )
    parts += [f"reference {s.reference}"] if s.reference else []
    parts += [f"limited to {s.limit} documents"] if s.limit is not None else []
    return f"{'; '.join([*parts, f'task version {s.task_version}'])}."


def _md(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no end of a cell."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", shown(text))


def _md_cell(cell: Cell) -> str:
    number = {"best": f"**{cell.number}**", "second": f"<u>{cell.number}</u>"}.get(
        cell.mark, cell.number
    )
    return f"{number} {cell.interval}" if cell.interval else number


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "±": r"$\pm$",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in shown(text))


def _tex_cell(cell: Cell) -> str:
    number = _tex(cell.number)
    number = {"best": rf"\textbf{{{number}}}", "second": rf"\underline{{{number}}}"}.get(
        cell.mark, number
    )
    interval = _tex(cell.interval.replace("± ", "±"))
    return rf"{number} {{\scriptsize{interval}}}" if interval else number


def _html_cell(cell: Cell) -> str:
    number = html.escape(cell.number)
    number = {"best": f"<strong>{number}</strong>", "second": f"<u>{number}</u>"}.get(
        cell.mark, number
    )
    return f"{number} <small>{html.escape(cell.interval)}</small>" if cell.interval else number


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
