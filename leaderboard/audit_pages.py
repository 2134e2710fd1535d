"""The pages of customers' audits in a board folder, which the board links to."""

import re
from collections.abc import Iterable
from pathlib import Path

from csc_tasks.out import replace_file
from csc_tasks.runs.public import public_name
from leaderboard.audit.showing import as_html
from leaderboard.board import Board
from leaderboard.reading.audits import PAGES, Report

NAMED = re.compile(rf"{PAGES}/[0-9a-f]{{16}}\.html", re.ASCII)


def write_audit_pages(out: Path, reports: Iterable[Report]) -> None:
    """Write a page for every audit that is there as a whole; those of an earlier board go."""
    pages = {report.page: report.whole for report in reports}
    for file in sorted((out / PAGES).glob("*.html")):
        if f"{PAGES}/{file.name}" not in pages and not file.is_symlink():
            file.unlink()
    for name, audit in pages.items():
        # A server's model may be named by a folder of somebody's home.
        shown = audit.model_copy(update={"customer": public_name(audit.customer)})
        replace_file(out / name, as_html(shown))


def audit_pages(out: Path, board: Board) -> dict[str, Path]:
    """Path in the board folder -> file of every page that the board links to."""
    linked = {table.setting.audit_page for table in board.tables} - {None}
    names = sorted(name for name in linked if name and NAMED.fullmatch(name))
    return {name: out / name for name in names if (out / name).is_file()}
