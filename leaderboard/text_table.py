"""Tables of texts as Markdown, LaTeX and HTML: those of a board that are not of its metrics."""

import html
from dataclasses import dataclass

from leaderboard.escaped import md_text, tex_text


@dataclass(frozen=True, slots=True)
class TextTable:
    """heads: a text per column. texts: how many of the columns are texts; the others are numbers.
    rows: a text per column, and whether that of the column `emphasis` is emphasised.
    """

    id: str
    title: str
    heads: tuple[str, ...]
    texts: int
    rows: tuple[tuple[tuple[str, ...], bool], ...]
    notes: tuple[str, ...]
    emphasis: int = 0


def markdown(table: TextTable) -> str:
    """The table as GitHub's Markdown, with its title and notes."""
    rule = "|".join("---" if i < table.texts else "---:" for i in range(len(table.heads)))
    lines = [f"| {' | '.join(table.heads)} |", f"|{rule}|"]
    for cells, clear in table.rows:
        texts = _emphasised(table, list(map(md_text, cells)), clear, "**{}**")
        lines.append(f"| {' | '.join(texts)} |")
    notes = "\n".join(f"{number}. {md_text(note)}" for number, note in enumerate(table.notes, 1))
    body = "\n".join(lines)
    return f"### {md_text(table.title)}\n\n{body}\n\n{notes}\n"


def latex(table: TextTable) -> str:
    r"""The table as LaTeX (package booktabs)."""
    rows = [
        " & ".join(_emphasised(table, list(map(tex_text, cells)), clear, r"\textbf{{{}}}")) + r" \\"
        for cells, clear in table.rows
    ]
    lines = [
        r"\begin{table*}",
        r"\centering\small",
        rf"\caption{{{tex_text(table.title)}}}",
        rf"\begin{{tabular}}{{{'l' * table.texts}{'r' * (len(table.heads) - table.texts)}}}",
        r"\toprule",
        " & ".join(map(tex_text, table.heads)) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\begin{itemize}\footnotesize",
        *(rf"\item {tex_text(note)}" for note in table.notes),
        r"\end{itemize}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def as_html(table: TextTable) -> str:
    """The table as an HTML fragment without style; every text is escaped."""
    heads = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.heads)
    rows = []
    for cells, clear in table.rows:
        texts = _emphasised(table, list(map(html.escape, cells)), clear, "<strong>{}</strong>")
        rest = "".join(f"<td>{text}</td>" for text in texts[1:])
        rows.append(f'<tr><th scope="row">{texts[0]}</th>{rest}</tr>')
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
    body = "\n".join(rows)
    return (
        f'<table id="{html.escape(table.id)}">\n<caption>{html.escape(table.title)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n<ol>{notes}</ol>\n"
    )


def _emphasised(table: TextTable, texts: list[str], emphasised: bool, mark: str) -> list[str]:
    if emphasised:
        texts[table.emphasis] = mark.format(texts[table.emphasis])
    return texts
