"""Which files of runs there are below some paths, and which of several runs with the same settings
is the newest.
"""

import sys
from collections.abc import Hashable, Sequence
from pathlib import Path

from csc_tasks.errors import CscError, DataError
from csc_tasks.reading import read_json
from csc_tasks.runs.conditions import Conditions, conditions, same_runs, without_repeat
from csc_tasks.runs.names import RESULTS, SAMPLES, results_beside, task_of

OLDER = "of runs with the same settings the newest is taken"
REPEATS = "of runs that differ only in their seed the first is taken"


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


def repeat_groups(files: Sequence[Path]) -> list[list[list[Path]]]:
    """Samples files in groups of one model, task and conditions, each from the oldest to the
    newest; and these groups together where they differ only in their seed, from the first repeat to
    the last, by the date and then the name of its newest run. A file whose results cannot be read
    is a group of its own.
    """
    dates: dict[Path, float] = {}
    known: dict[Path, Conditions] = {}
    for file in files:
        try:
            results = read_json(results_beside(file), "run the evaluation again")
            date, stated = float(results["date"]), conditions(results, task_of(file))
        except (CscError, OSError, ValueError, LookupError, TypeError, AttributeError):
            dates[file] = 0.0
        else:
            dates[file], known[file] = date, stated

    def age(file: Path) -> tuple[float, str, str]:
        return dates[file], file.name, str(file)

    def measurement(group: list[Path]) -> Hashable:
        newest = group[-1]
        return without_repeat(known[newest]) if newest in known else newest

    groups = same_runs(files, lambda file: known.get(file, file), age)
    return same_runs(groups, measurement, lambda group: age(group[-1]))


def say_left_out(files: Sequence[Path], rule: str) -> None:
    """Say which files are left out by a rule."""
    if files:
        more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
        names = ", ".join(map(str, files[:3]))
        print(f"note: {rule}; left out: {names}{more}", file=sys.stderr)


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
            if RESULTS.fullmatch(file.name) and (file == path or not _is_copy(file))
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
