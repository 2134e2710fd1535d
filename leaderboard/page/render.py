"""board/index.html: the board folder's numbers, style and script, to be opened from a disk or a
server, without any other network.

Data stand in the page as JSON in which every `<`, `>` and `&` is written as an escape, so that no
text of a model or a corpus can end its block; the script sets such texts only as text, and a
content security policy allows this one script, by its hash, and no other. A reliability report
stands in a <template>, and the tables in <main>, as HTML in which every text is escaped.

Where the page would be larger than FIRST_VIEW its details lie beside it, a script a block, each
loaded when it is first looked at: a browser refuses a page from a disk to read files, but not to
run scripts. The policy then also trusts what the one script adds ('strict-dynamic'), and still
nothing that stands in the page. Such a script is one call with one string, the block's JSON.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import languages
from csc_tasks.languages.labels import CARDS, strategy_name
from leaderboard import folder
from leaderboard.board import Board, Table, Value
from leaderboard.efficiency_tables import judged_by
from leaderboard.layout import row_names
from leaderboard.leading import statements
from leaderboard.page.overview import overview
from leaderboard.reliability_report import as_html
from leaderboard.trust import of_row

PAGE = "index.html"
HERE = Path(__file__).resolve().parent
# In the order in which they need each other: main.js starts the page.
SCRIPTS = (
    "dom",
    "data",
    "format",
    "route",
    "bar",
    "table",
    "compare",
    "contrasts",
    "heatmap",
    "curve",
    "efficiency",
    "panels",
    "model",
    "samples",
    "reliability",
    "main",
)
# What page/data.js unpacks.
PACKED = ("value", "low", "high", "stderr", "items", "clusters", "method", "reason")
DIGITS = 6
# Bytes that the page may have before its details go beside it.
FIRST_VIEW = 1_500_000


@dataclass(frozen=True, slots=True)
class Page:
    """The page, and the scripts beside it: path in the board folder -> text."""

    text: str
    beside: dict[str, str]


def write_page(board: Path) -> Path:
    """Write index.html, and what lies beside it, into a board folder from its other files and
    return its path; the same folder gives the same bytes.

    Raises DataError where a file of the board is absent or not as leaderboard/board.py and
    model_report.py describe.
    """
    page = render(board, FIRST_VIEW)
    for name, text in page.beside.items():
        folder.replace_file(board / name, text.encode())
    folder.clear_page(board, page.beside)
    return folder.replace_file(board / PAGE, page.text.encode())


def render(board: Path, first_view: int = FIRST_VIEW) -> Page:
    """The page of a board folder: one file where that has about `first_view` bytes at most."""
    loaded = folder.load_board(board)
    style, script = (HERE / "style.css").read_text(encoding="utf-8"), _script()
    report = folder.load_reliability(board)
    parts = {
        "title": html.escape(loaded.title),
        "style": style,
        "script": script,
        "main": overview(loaded),
        "reliability": f'<template id="reliability">{as_html(report)}</template>' if report else "",
    }
    details = {name: _json(data) for name, data in _details(board, loaded)}
    first = _board_data(loaded, details.keys(), report.title if report else None)
    template = (HERE / "template.html").read_text(encoding="utf-8")
    blocks = [_block(name, text) for name, text in details.items()]
    known = (template, *parts.values(), _json(first), *blocks)
    beside = {}
    # All of it or nothing: what is read one view at a time need not slow down the first.
    if sum(len(text.encode()) for text in known) > first_view:
        beside = {name: f"{folder.PAGE_DATA}/{name}.js" for name in details}
        blocks = []
    board_block = _block("data-board", _json(first | {"beside": beside}))
    parts["data"] = "\n".join([board_block, *blocks])
    dynamic = " 'strict-dynamic'" if beside else ""
    parts["policy"] = (
        f"default-src 'none'; script-src '{_hash(script)}'{dynamic}; style-src '{_hash(style)}';"
        " base-uri 'none'; form-action 'none'"
    )
    # One pass over the template alone: what is put in is not looked at again.
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    return Page(text, {file: _as_script(name, details[name]) for name, file in beside.items()})


def safe_json(data: object) -> str:
    """JSON that can stand inside <script>: no `<`, `>` or `&`, and no lone surrogates, which
    UTF-8 cannot hold.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def compact(data: Any) -> Any:
    """`data` with every Value as a list (order: PACKED) and numbers cut to six significant digits:
    a third of the size.
    """
    if isinstance(data, dict):
        if data.keys() == Value.model_fields.keys():
            return [compact(data[name]) for name in PACKED]
        return {key: compact(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [compact(item) for item in data]
    return float(f"{data:.{DIGITS}g}") if isinstance(data, float) else data


def _board_data(
    board: Board, details: Container[str], reliability: str | None
) -> dict[str, object]:
    """What every view needs."""
    spoken = {code for table in board.tables for code in table.setting.languages}
    names = row_names(board.models)
    rows = {"__all__": {"trusts": True}}
    dumped = board.model_dump(
        exclude={"tables": {"__all__": {"comparisons": True, "rows": rows}}, "contrasts": True}
    )
    for table, own in zip(board.tables, dumped["tables"], strict=True):
        for row, there in zip(table.rows, own["rows"], strict=True):
            # The page asks which numbers are not ranked, which are few.
            claimed = [c.key for c in table.columns if c.key in row.values and not row.ranks(c)]
            there |= {"trust": row.badge, "claimed": claimed}
    return {
        "board": dumped,
        "standings": {table.id: statements(table, board.models) for table in board.tables},
        "judged": [judged_by(board, one) for one in board.efficiency],
        "names": names,
        "wrong": {
            table.id: [line for row in table.rows for line in of_row(row, names[row.model])]
            for table in board.tables
        },
        "strategies": [
            {"id": one.id, "en": strategy_name(one.id, CARDS), "stages": one.stages}
            for one in STRATEGIES
        ],
        "compared": [table.id for table in board.tables if table.comparisons],
        "sampled": [table.id for table in board.tables if f"sample-{table.id}" in details],
        "reliability": reliability,
        "languages": {code: one.name for code, one in languages().items() if code in spoken},
    }


def _details(root: Path, board: Board) -> Iterator[tuple[str, object]]:
    """(name, data) of what only some views need, the views of all models before those of one."""
    for table in board.tables:
        if table.comparisons:
            yield f"comparisons-{table.id}", _comparisons(table)
    for table in board.tables:
        if (root / "samples" / f"{table.id}.json").is_file():
            yield f"sample-{table.id}", folder.load_samples(root, table.id).model_dump()
    for slug in board.models:
        own = [one for one in board.contrasts if slug in (one.first.model, one.second.model)]
        if own:
            yield f"contrasts-{slug}", [one.model_dump() for one in own]
        if (root / "models" / f"{slug}.json").is_file():
            yield f"report-{slug}", folder.load_report(root, slug).model_dump()


def _comparisons(table: Table) -> dict[str, list[list[object]]]:
    """Column -> its pairs, as page/compare.js unpacks them; a row stands for its place in the
    table.
    """
    place = {row.model: number for number, row in enumerate(table.rows)}
    columns: dict[str, list[list[object]]] = {}
    for c in table.comparisons:
        packed: list[object] = [
            place[c.a],
            place[c.b],
            c.difference,
            c.low,
            c.high,
            c.p_holm,
            c.clusters,
        ]
        columns.setdefault(c.column, []).append(packed)
    return columns


def _json(data: object) -> str:
    return safe_json(compact(data))


def _block(name: str, text: str) -> str:
    return f'<script type="application/json" id="{html.escape(name)}">{text}</script>'


def _as_script(name: str, text: str) -> str:
    """A block as a script of its own. The JSON is a string that the page parses: an object literal
    would take a key called __proto__ for something else.
    """
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"cscBlock('{name}', '{quoted}');\n"


def _script() -> str:
    files = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{files}\n}})();\n'


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
