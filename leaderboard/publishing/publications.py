"""What `csc publish` sends: the files of each publication, written into the board's folder
`publish`.
"""

import re
from pathlib import Path

from csc_tasks import hub
from csc_tasks.errors import DataError
from csc_tasks.file_names import safe_name
from csc_tasks.hub import Publication
from csc_tasks.telling import tally
from leaderboard import folder
from leaderboard.audit_pages import NAMED, audit_pages
from leaderboard.board import Board
from leaderboard.page.render import PAGE, write_page
from leaderboard.publishing import eval_results, flat
from leaderboard.publishing.cards import dataset_card, space_card

STAGING = "publish"
MARKER = "board.json"
# What earlier publications of a board may have put there and this one no longer has.
OURS = r"(results|comparisons)/test-\d+-of-\d+\.parquet|raw/[^/]+/[^/]+\.json|reliability\.json"
_RAW = re.compile(r"raw/[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-][^/\\]*\.json")


def results_publication(
    root: Path, board: Board, name: str, space: str | None, licence: str, **wishes
) -> Publication:
    """The dataset of results, its card and parquet files written below DIR/publish/dataset. Raises
    DataError for what must not go out.
    """
    staged = root / STAGING / "dataset"
    rows = {"results": list(flat.results(board)), "comparisons": list(flat.comparisons(board))}
    files = {
        "README.md": staged / "README.md",
        MARKER: root / MARKER,
        **reliability_file(root),
        **raw_files(root, board),
    }
    for config in (config for config, found in rows.items() if found):
        path = f"{config}/test-00000-of-00001.parquet"
        files[path] = flat.write_parquet(rows[config], staged / path)
    configs = tuple(config for config, found in rows.items() if found)
    if not configs:
        raise DataError(
            f"{root / MARKER}: the board has no measured value; there is nothing to publish"
        )
    card = dataset_card(board, name, configs, licence, space, rated=folder.RELIABILITY in files)
    folder.replace_file(files["README.md"], card.encode())
    return Publication(
        name,
        files,
        f"Results of {len(board.models)} models, newest run {board.date[:10]}",
        stale=OURS,
        marker=MARKER,
        **wishes,
    )


def space_publication(
    root: Path, board: Board, name: str, results: str | None, private: bool
) -> Publication:
    """The static Space: the page, made anew from the board, the numbers and a card."""
    page = write_page(root)
    card = folder.replace_file(
        root / STAGING / "space" / "README.md", space_card(board, results).encode()
    )
    files = {"README.md": card, PAGE: page, MARKER: root / MARKER, **reliability_file(root)}
    files |= folder.page_files(root) | audit_pages(root, board)
    message = f"Page of {len(board.models)} models, newest run {board.date[:10]}"
    return Publication(
        name,
        files,
        message,
        repo_type="space",
        private=private,
        stale=rf"{re.escape(folder.RELIABILITY)}|{folder.PAGE_DATA}/[^/]+\.js|{NAMED.pattern}",
        marker=MARKER,
    )


def reliability_file(root: Path) -> dict[str, Path]:
    """The reliability report of a board that has one. Raises DataError for one that is no
    report.
    """
    return {folder.RELIABILITY: root / folder.RELIABILITY} if folder.load_reliability(root) else {}


def raw_files(root: Path, board: Board) -> dict[str, Path]:
    """Path -> local file of every results file the board names. Raises DataError for one that is
    absent or leads out of raw/.
    """
    files = {}
    rows = [row for table in board.tables for row in table.rows]
    for name in sorted({run.raw for row in rows for _, run in row.all_runs}):
        file = root / name
        if not _RAW.fullmatch(name) or not file.resolve().is_relative_to((root / "raw").resolve()):
            raise DataError(
                f"{root / MARKER}: {name!r} is no file of raw/; make the board again with csc"
                " collect"
            )
        if not file.is_file():
            raise DataError(f"{file} is missing; make the board again with csc collect")
        files[name] = file
    return files


def propose(root: Path, model: str, entries: list[dict], again: str) -> None:
    """Open a pull request on one model that brings its evaluation results to hold these entries;
    other entries there stay.
    """
    if not hub.exists(model, "model", again):
        tally(f"model {model}: no such repository, or the token may not see it; skipped")
        return
    there = hub.read(model, eval_results.PATH, "model", again)
    text = eval_results.merged(entries, there, f"{hub.page(model, 'model')}: {eval_results.PATH}")
    file = folder.replace_file(root / STAGING / "models" / safe_name(model) / "csc.yaml", text)
    message = (
        "Add results on customer-support conversations"
        f" ({', '.join(entry['dataset']['task_id'] for entry in entries)})"
    )
    hub.publish(
        Publication(
            model, {eval_results.PATH: file}, message, repo_type="model", pull_request=True
        ),
        again,
    )
