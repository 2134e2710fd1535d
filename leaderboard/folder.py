"""The files of a board folder (leaderboard/board.py says which): reading and writing."""

import json
import re
from collections.abc import Container, Mapping
from pathlib import Path

from pydantic import ValidationError

from csc_tasks.errors import DataError
from csc_tasks.file_names import safe_name
from csc_tasks.out import replace_file
from csc_tasks.reading import read_text
from leaderboard import reliability_report as reliability
from leaderboard.board import Board, Strict
from leaderboard.model_report import ModelReport, SampleSet

RELIABILITY = "reliability.json"
MAKE_AGAIN = "make it again with csc collect"
PAGE_DATA = "page"
"""The folder of what the page loads when it is first looked at (leaderboard/page/render.py)."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def load_board(folder: Path) -> Board:
    """Read board.json. Raises DataError for a folder without one and for anything in it that is not
    as this module describes.
    """
    file = folder / "board.json"
    if not file.is_file():
        raise DataError(
            f"{folder}: no board.json in it; make a board with: csc collect RESULTS --out {folder}"
        )
    return _load(file, Board)


def checked_board(folder: Path) -> Board:
    """The board in a folder; raises DataError where there is none. For verbs that read one."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: there is no such folder; make a board with: csc collect RESULTS --out"
            f" {folder}"
        )
    return load_board(folder)


def load_report(folder: Path, slug: str) -> ModelReport:
    """Read models/<slug>.json; raises DataError as `load_board` does."""
    return _load(folder / "models" / f"{_checked(slug)}.json", ModelReport)


def load_samples(folder: Path, table: str) -> SampleSet:
    """Read samples/<table>.json; raises DataError as `load_board` does."""
    return _load(folder / "samples" / f"{_checked(table)}.json", SampleSet)


def load_reliability(folder: Path) -> reliability.Report | None:
    """Read reliability.json, None where the board has no such report; raises DataError as
    `load_board` does.
    """
    file = folder / RELIABILITY
    return reliability.load_report(file) if file.is_file() else None


def write_board(
    folder: Path, board: Board, reports: Mapping[str, ModelReport], samples: Mapping[str, SampleSet]
) -> Path:
    """Write a board folder (all but raw/) and return board.json, which is written last; each file
    appears whole or not at all.
    """
    for slug, report in reports.items():
        replace_file(folder / "models" / f"{_checked(slug)}.json", dumped(report))
    for table, sample in samples.items():
        replace_file(folder / "samples" / f"{_checked(table)}.json", dumped(sample))
    return replace_file(folder / "board.json", dumped(board))


def page_files(folder: Path) -> dict[str, Path]:
    """Path in the board folder -> file of the scripts that lie beside the page."""
    return {f"{PAGE_DATA}/{file.name}": file for file in sorted((folder / PAGE_DATA).glob("*.js"))}


def clear_page(folder: Path, keep: Container[str]) -> None:
    """Remove what an earlier page left beside it, but for the paths in `keep`."""
    for name, file in page_files(folder).items():
        if name not in keep and not file.is_symlink():
            file.unlink()
    if (folder / PAGE_DATA).is_dir() and not any((folder / PAGE_DATA).iterdir()):
        (folder / PAGE_DATA).rmdir()


def dumped(model: Strict) -> bytes:
    """The JSON of a model, UTF-8, the same bytes for the same data. Lone surrogates, which
    UTF-8 cannot hold, become U+FFFD.
    """
    data = model.model_dump(mode="python")
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _LONE_SURROGATE.sub("\ufffd", text).encode() + b"\n"


def _checked(slug: str) -> str:
    if safe_name(slug) != slug:
        raise DataError(f"{slug!r} is no name of a file in a board folder")
    return slug


def _load(file: Path, model):
    try:
        return model.model_validate_json(read_text(file, MAKE_AGAIN))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise DataError(
            f"{file}: {problem} ({error.error_count()} problems); {MAKE_AGAIN}"
        ) from None
