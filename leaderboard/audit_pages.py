"""The audits of customers on a board: which of them are believed, and their pages in its folder."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from csc_tasks.out import replace_file
from csc_tasks.runs.public import public_name
from csc_tasks.runs.results_file import Measurement
from leaderboard.audit.showing import as_html
from leaderboard.board import Board
from leaderboard.customer_audit import CustomerAudit
from leaderboard.reading.audits import PAGES, Report, page_of

NAMED = re.compile(rf"{PAGES}/[0-9a-f]{{16}}\.html", re.ASCII)


def believed_audits(
    audits: Sequence[CustomerAudit], measurements: Iterable[Measurement], corpora: Sequence[str]
) -> list[Report]:
    """What is to be thought of the audits, beside the live runs and trusted corpora of a board."""
    if not audits:
        return []
    from leaderboard.audit.believing import believe

    live = [m.samples for m in measurements if m.provenance.customer and m.samples]
    return believe(audits, live, corpora)


def write_audit_pages(out: Path, board: Board, audits: Iterable[CustomerAudit]) -> None:
    """Write a page for every audit that the board links to; those of an earlier board go."""
    linked = {table.setting.audit_page for table in board.tables}
    pages = {page: audit for audit in audits if (page := page_of(audit)) in linked}
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
