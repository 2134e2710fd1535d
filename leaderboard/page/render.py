"""board/index.html: the board folder's numbers, style and script in one file that needs no server
and no network.

Data stand in the page as JSON in which every `<`, `>` and `&` is written as an escape, so that no
text of a model or a corpus can end its block; the script sets such texts only as text, and a
content security policy allows this one script, by its hash, and no other. A reliability report
stands in a <template>, as HTML in which every text is escaped.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import languages
from csc_tasks.languages.labels import CARDS, strategy_name
from leaderboard import folder
from leaderboard.board import Value
from leaderboard.judging.report import as_html

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
    "heatmap",
    "curve",
    "panels",
    "model",
    "samples",
    "reliability",
    "main",
)
# What page/data.js unpacks.
PACKED = ("value", "low", "high", "stderr", "items", "clusters", "method")
DIGITS = 6


def write_page(board: Path) -> Path:
    """Write index.html into a board folder from its other files and return its path; the same
    folder gives the same bytes.

    Raises DataError where a file of the board is absent or not as leaderboard/board.py and
    report.py describe.
    """
    return folder.replace_file(board / PAGE, render(board).encode())


def render(board: Path) -> str:
    """The page of a board folder."""
    found = folder.load_board(board)
    style, script = (HERE / "style.css").read_text(encoding="utf-8"), _script()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri"
        " 'none'; form-action 'none'"
    )
    parts = {"title": html.escape(found.title), "policy": policy, "style": style, "script": script}
    parts["data"] = "\n".join(_blocks(board, found))
    template = (HERE / "template.html").read_text(encoding="utf-8")
    # One pass over the template alone: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def safe_json(data) -> str:
    """JSON that can stand inside <script>: no `<`, `>` or `&`, and no half characters, which UTF-8
    cannot hold.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def compact(data):
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


def _blocks(root: Path, board) -> Iterator[str]:
    sampled = [
        table.id for table in board.tables if (root / "samples" / f"{table.id}.json").is_file()
    ]
    strategies = [
        {"id": one.id, "en": strategy_name(one.id, CARDS), "stages": one.stages}
        for one in STRATEGIES
    ]
    report = folder.load_reliability(root)
    spoken = {code for table in board.tables for code in table.setting.languages}
    data = {
        "board": board.model_dump(),
        "strategies": strategies,
        "sampled": sampled,
        "reliability": report.title if report else None,
        "languages": {code: one.name for code, one in languages().items() if code in spoken},
    }
    yield _block("data-board", data)
    if report:
        yield f'<template id="reliability">{as_html(report)}</template>'
    for slug in board.models:
        if (root / "models" / f"{slug}.json").is_file():
            yield _block(f"report-{slug}", folder.load_report(root, slug).model_dump())
    for table in sampled:
        yield _block(f"sample-{table}", folder.load_samples(root, table).model_dump())


def _block(name: str, data) -> str:
    return (
        '<script type="application/json"'
        f' id="{html.escape(name)}">{safe_json(compact(data))}</script>'
    )


def _script() -> str:
    files = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{files}\n}})();\n'


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
