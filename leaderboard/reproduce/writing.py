"""A report's tables as Markdown, LaTeX and CSV."""

import io
from collections.abc import Sequence
from itertools import groupby

from csc_tasks.csv_cells import GuardedWriter
from leaderboard.escaped import md_text, tex_text
from leaderboard.reproduce.exhibits import REPORTED, Cell, Heading, Number, ReportTable, cell_text
from leaderboard.trust import CLAIMED


def markdown(table: ReportTable) -> str:
    """The table as GitHub's Markdown, with its title, where it stands in the paper, and its
    notes.
    """
    # Markdown has no cells that span columns.
    heads = [
        f"{md_text(column.group)}<br>{md_text(column.label)}"
        if column.group
        else md_text(column.label)
        for column in table.columns
    ]
    lines = [
        f"| {' | '.join(heads)} |",
        f"|{'|'.join('---:' if right else '---' for right in numeric(table))}|",
    ]
    for row in table.rows:
        cells = [_md_cell(cell) for cell in row.cells]
        cells[0] = _md_label(cells[0], row.kind)
        lines.append(f"| {' | '.join(cells)} |")
    notes = "\n".join(f"{number}. {md_text(note)}" for number, note in enumerate(table.notes, 1))
    parts = [f"# {md_text(table.title)}", md_text(table.paper), "\n".join(lines), notes]
    return "\n\n".join(filter(None, parts)) + "\n"


def latex(table: ReportTable) -> str:
    r"""The table as LaTeX (package booktabs and, for Chinese texts, one that typesets them)."""
    alignment = "".join("r" if right else "l" for right in numeric(table))
    body: list[str] = []
    before = ""
    for row in table.rows:
        if body and row.kind != before and {row.kind, before} & {"baseline", REPORTED}:
            body.append(r"\midrule")
        cells = [_tex_cell(cell) for cell in row.cells]
        if row.kind == "adapter":
            cells[0] = rf"\quad {cells[0]}"
        body.append(f"{' & '.join(cells)} " + r"\\")
        before = row.kind
    notes = [rf"\item {tex_text(note)}" for note in table.notes]
    if notes:
        notes = [r"\begin{itemize}\footnotesize", *notes, r"\end{itemize}"]
    lines = [
        r"\begin{table*}",
        r"\centering\small",
        rf"\caption{{{tex_text(f'{table.title} ({table.paper})')}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *_tex_groups(table.columns),
        f"{' & '.join(tex_text(column.label) for column in table.columns)} " + r"\\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def as_csv(table: ReportTable) -> str:
    """The table unrounded, a line per row. A column with intervals is followed by its bounds, the
    last column says what kind of row it is.
    """
    out = io.StringIO()
    writer = GuardedWriter(out)
    bounded = [
        any(isinstance(row.cells[i], Number) and _has_interval(row.cells[i]) for row in table.rows)
        for i in range(len(table.columns))
    ]
    heads: list[object] = []
    for column, has_bounds in zip(table.columns, bounded, strict=True):
        label = column.label.rstrip(" ↑↓")
        name = f"{column.group}: {label}" if column.group else label
        heads += [name, f"{name} (low)", f"{name} (high)"] if has_bounds else [name]
    writer.row([*heads, "kind"])
    for row in table.rows:
        values: list[object] = []
        for cell, has_bounds in zip(row.cells, bounded, strict=True):
            values += _csv_cell(cell)[: 3 if has_bounds else 1]
        writer.row([*values, row.kind])
    return out.getvalue()


def numeric(table: ReportTable) -> list[bool]:
    """Which columns hold numbers: they are aligned to the right."""
    return [
        any(isinstance(row.cells[i], Number | int) for row in table.rows)
        for i in range(len(table.columns))
    ]


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, Number) and cell.low is not None and cell.high is not None


def _csv_cell(cell: Cell) -> list[object]:
    if isinstance(cell, Number):
        bounds = (cell.value, cell.low, cell.high)
        return ["" if number is None else number for number in bounds]
    return ["" if cell is None else cell, "", ""]


def _md_label(text: str, kind: str) -> str:
    if kind == "adapter":
        return f"&emsp;{text}"
    return f"*{text}*" if kind in ("baseline", REPORTED) else text


def _md_cell(cell: Cell) -> str:
    if not isinstance(cell, Number):
        return md_text(cell_text(cell))
    marked = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}
    text = marked.get(cell.mark, cell.text) + (CLAIMED if cell.claimed else "")
    return f"{text} {cell.interval}" if cell.interval else text


def _tex_cell(cell: Cell) -> str:
    text = tex_text(cell_text(cell))
    if not isinstance(cell, Number):
        return text
    marked = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}
    text = marked.get(cell.mark, text) + (r"$^\dagger$" if cell.claimed else "")
    if not cell.interval:
        return text
    return rf"{text} {{\scriptsize {tex_text(cell.interval.replace('± ', '±'))}}}"


def _tex_groups(columns: Sequence[Heading]) -> list[str]:
    """The line of group headings and its rules; nothing where no column has a group."""
    if not any(column.group for column in columns):
        return []
    spans, rules, at = [], [], 1
    for group, members in groupby(columns, key=lambda column: column.group):
        size = len(list(members))
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{tex_text(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    return [f"{' & '.join(spans)} " + r"\\", " ".join(rules)]
