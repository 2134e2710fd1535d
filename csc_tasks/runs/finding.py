"""Which files of runs there are below some paths, and which of several runs with the same settings
is the newest.
"""

import json
import sys
from collections.abc import Hashable, Sequence, Set
from pathlib import Path

from csc_tasks.errors import CscError, DataError
from csc_tasks.runs.conditions import Conditions, conditions, same_runs, without_repeat
from csc_tasks.runs.names import RESULTS, SAMPLES, results_beside, task_of


def find_samples(paths: Sequence[Path]) -> list[Path]:
    """The samples files among `paths`; folders are searched. Raises DataError where there are
    none.
    """
    samples: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
        files = sorted(path.rglob("samples_*.jsonl")) if path.is_dir() else [path]
        named = [file for file in files if SAMPLES.fullmatch(file.name)]
        if not named:
            raise DataError(
                f"{path}: no samples file of a csc task; lm_eval writes samples_TASK_DATE.jsonl"
                " with --log_samples --output_path DIR"
            )
        samples += named
    return list(dict.fromkeys(samples))


def newest_runs(files: Sequence[Path]) -> list[Path]:
    """One samples file per model, task and conditions, so also of every repeat: the newest run, by
    its date and then its name. What is left out is said.

    A file whose results cannot be read stays among them: `read_run` says what is wrong with it.
    """
    dates, known = _dated(files)
    groups = same_runs(
        files, lambda file: known.get(file, file), lambda file: (dates[file], file.name, str(file))
    )
    return _only(
        files,
        {group[-1] for group in groups},
        "of runs with the same settings the newest is taken",
    )


def first_repeats(files: Sequence[Path]) -> list[Path]:
    """Of runs that differ only in their seed the first, by its date and then its name, for who
    looks at the replies of one. What is left out is said.
    """
    dates, known = _dated(files)

    def measurement(file: Path) -> Hashable:
        return without_repeat(known[file]) if file in known else file

    groups = same_runs(files, measurement, lambda file: (dates[file], file.name, str(file)))
    return _only(
        files,
        {group[0] for group in groups},
        "of runs that differ only in their seed the first is taken",
    )


def _dated(files: Sequence[Path]) -> tuple[dict[Path, float], dict[Path, Conditions]]:
    """The date of each file's run, and its conditions where its results can be read."""
    dates: dict[Path, float] = {}
    known: dict[Path, Conditions] = {}
    for file in files:
        dates[file] = 0.0
        try:
            results = json.loads(results_beside(file).read_text(encoding="utf-8"))
            known[file] = conditions(results, task_of(file))
            dates[file] = float(results["date"])
        except (CscError, OSError, ValueError, LookupError, TypeError, AttributeError):
            known.pop(file, None)
    return dates, known


def _only(files: Sequence[Path], chosen: Set[Path], rule: str) -> list[Path]:
    if others := [file for file in files if file not in chosen]:
        more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
        names = ", ".join(map(str, others[:3]))
        print(f"note: {rule}; left out: {names}{more}", file=sys.stderr)
    return [file for file in files if file in chosen]


def find_results(paths: Sequence[Path]) -> list[Path]:
    """The results files among `paths`; folders are searched, but not the copies in a board folder.

    Raises DataError for a path that does not exist or holds none.
    """
    results: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
        files = sorted(path.rglob("results_*.json")) if path.is_dir() else [path]
        named = [
            file
            for file in files
            if RESULTS.fullmatch(file.name)
            and file.is_file()
            and (file == path or not _is_copy(file))
        ]
        if not named:
            raise DataError(
                f"{path}: no results file; lm_eval writes results_DATE.json with --output_path DIR"
                " (add --log_samples)"
            )
        results += named
    return list({file.resolve(): file for file in results}.values())


def _is_copy(file: Path) -> bool:
    """Whether the file is BOARD/raw/MODEL/results_*.json."""
    above = file.resolve().parents
    return len(above) > 2 and above[1].name == "raw" and (above[2] / "board.json").is_file()
