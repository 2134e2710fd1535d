"""The files of a report: written whole, and only its own ever replaced or removed."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from csc_tasks.errors import DataError, SettingError
from csc_tasks.file_names import safe_name, stays_inside
from csc_tasks.out import is_new, replace_file
from csc_tasks.reading import read_json
from leaderboard.reproduce.drawing import png
from leaderboard.reproduce.exhibits import Exhibit, ReportFigure, ReportTable
from leaderboard.reproduce.index import FIGURES
from leaderboard.reproduce.writing import as_csv, latex, markdown

RECORD = "report.json"
FORMAT = "csc-tasks report, version 1"
FIRST = "README.md"


@dataclass(frozen=True, slots=True)
class Record:
    """report.json: the files that are the report's, and what it was made of. board: fingerprint of
    the results that its board holds; corpora: by slug.
    """

    files: tuple[str, ...] = ()
    board: str = ""
    corpora: Mapping[str, str] = field(default_factory=dict)


def check_out(out: Path) -> Record:
    """The record of the report that is in `out`, empty where it is new.

    Raises SettingError where `out` cannot be written or holds anything but a report.
    """
    if is_new(out, beside=False):
        return Record()
    file = out / RECORD
    if not file.is_file():
        raise SettingError(
            f"--out {out}: holds other things than a report; give a new folder or that of a report"
        )
    data = read_json(file, f"give a new folder, or remove {RECORD}")
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}")
        files = [str(name) for name in data["files"] if stays_inside(name)]
        return Record(tuple(files), str(data["board"]), dict(data["corpora"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: not the record of a report ({error!s:.80})") from None


def write_report(
    out: Path, exhibits: Sequence[Exhibit], first_page: str, before: Record, made_of: Record
) -> list[str]:
    """Write every table and figure and the first page; remove what an earlier report left of its
    own. Returns the files, relative to `out`.

    made_of: its board and corpora are recorded.
    """
    contents: dict[str, str | bytes] = {}
    for exhibit in exhibits:
        for name, content in _files(exhibit).items():
            if name in contents:
                raise DataError(f"two tables of the report are called {name}; rename a corpus")
            contents[name] = content
    contents[FIRST] = first_page
    # Before the files: a report that was interrupted is known as one.
    every = sorted({*before.files, *contents})
    _record(out, Record(tuple(every), made_of.board, made_of.corpora))
    for name, content in contents.items():
        replace_file(out / name, content)
    for name in {*before.files} - {*contents}:
        if not (out / name).is_symlink():
            (out / name).unlink(missing_ok=True)
    _record(out, Record(tuple(sorted(contents)), made_of.board, made_of.corpora))
    return sorted(contents)


def begin(out: Path, before: Record) -> None:
    """Mark `out` as the folder of a report before anything else is written into it."""
    _record(out, before)


def leave(out: Path) -> None:
    """Undo `begin` where nothing else was written: the input is not there."""
    with suppress(OSError):
        if [entry.name for entry in out.iterdir()] == [RECORD]:
            (out / RECORD).unlink()
            out.rmdir()


def _record(out: Path, record: Record) -> None:
    data = {
        "format": FORMAT,
        "files": list(record.files),
        "board": record.board,
        "corpora": dict(sorted(record.corpora.items())),
    }
    replace_file(out / RECORD, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def _files(exhibit: Exhibit) -> dict[str, str | bytes]:
    """Name -> content of the files of a table or figure."""
    if isinstance(exhibit, ReportTable):
        name = safe_name(exhibit.name)
        return {
            f"{name}.md": markdown(exhibit),
            f"{name}.tex": latex(exhibit),
            f"{name}.csv": as_csv(exhibit),
        }
    if isinstance(exhibit, ReportFigure):
        name = f"{FIGURES}/{safe_name(exhibit.numbers.name)}"
        return {f"{name}.csv": as_csv(exhibit.numbers), f"{name}.png": png(exhibit)}
    return {}
