"""A report as data: sections of tables whose cells are words, counts or values with intervals; and
the report as Markdown or HTML.

reliability.json is such a report; `as_html` makes a fragment of it that any page can hold. All
names are text from outside and are escaped.
"""

import html
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from csc_tasks.errors import DataError
from csc_tasks.reading import read_text
from csc_tasks.shown import shown
from leaderboard.board import Strict, Value


class Section(Strict):
    """One table. text: what it says and how to read it. columns: headings. digits: of the values in
    it.
    """

    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | Value, ...], ...]
    digits: int = 2


class Report(Strict):
    """reliability.json. notes: what was read and what is missing. signatures: what was asked, one
    line per rater.
    """

    format: Literal[1] = 1
    title: str
    notes: tuple[str, ...]
    signatures: tuple[str, ...]
    sections: tuple[Section, ...]


def load_report(file: Path) -> Report:
    """Read reliability.json; raises DataError for anything else."""
    text = read_text(file, "give the report of csc agreement")
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{file}: {place}: {first['msg']}; make it again with csc agreement"
        ) from None


def cell_text(cell: str | int | Value, digits: int) -> str:
    """A cell on one line: `0.74 (0.61 to 0.85)`, – where it is undefined."""
    if isinstance(cell, str):
        return shown(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if cell.value is None:
        return "–"
    interval = "" if cell.low is None else f" ({cell.low:z.{digits}f} to {cell.high:z.{digits}f})"
    return f"{cell.value:z.{digits}f}{interval}"


def as_markdown(report: Report) -> str:
    """The report as one Markdown document."""
    parts = [f"# {report.title}", *(f"- {note}" for note in report.notes)]
    for section in report.sections:
        rows = [
            "|".join(
                ["", *(cell_text(cell, section.digits).replace("|", "\\|") for cell in row), ""]
            )
            for row in section.rows
        ]
        head = ["|".join(["", *section.columns, ""]), "|" + "---|" * len(section.columns)]
        parts += ["", f"## {section.title}", "", section.text, "", *head, *rows]
    if report.signatures:
        parts += ["", "## Signatures", "", *(f"- `{signature}`" for signature in report.signatures)]
    return "\n".join(parts) + "\n"


def as_html(report: Report) -> str:
    """The report as an HTML fragment: h2, paragraphs, tables; numbers carry class "number"."""
    parts = [f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in report.notes)}</ul>"]
    for section in report.sections:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in section.columns)
        body = "".join(
            f"<tr>{''.join(_cell(cell, section.digits) for cell in row)}</tr>"
            for row in section.rows
        )
        parts.append(
            f"<section><h2>{html.escape(section.title)}</h2><p>{html.escape(section.text)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"
        )
    if report.signatures:
        signatures = (f"<li><code>{html.escape(text)}</code></li>" for text in report.signatures)
        parts.append(f"<ul>{''.join(signatures)}</ul>")
    return "\n".join(parts)


def _cell(cell: str | int | Value, digits: int) -> str:
    kind = "" if isinstance(cell, str) else ' class="number"'
    return f"<td{kind}>{html.escape(cell_text(cell, digits))}</td>"
