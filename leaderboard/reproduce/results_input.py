"""The boards of a report: those that are given, and one of the results that are."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from csc_tasks.arguments import listed
from csc_tasks.errors import DataError
from csc_tasks.evidence import read_evidence
from csc_tasks.file_names import safe_name
from csc_tasks.out import check_writable
from csc_tasks.runs.names import RESULTS, SAMPLES
from leaderboard.collect import collect
from leaderboard.numbers.measured import Options
from leaderboard.page.render import write_page
from leaderboard.reproduce.corpus_input import CorpusInput
from leaderboard.reproduce.fingerprint import fingerprint
from leaderboard.reproduce.sources import (
    BoardSource,
    Sources,
    board_folders,
    read_board,
    read_judging,
    read_sweeps,
)

BOARD_FOLDER = "board"
SPLIT = "corpus"
"""Results of several corpora are tables of their own, whatever else they are split by."""


def read_results(
    args: Namespace, corpora: Sequence[CorpusInput], before: str
) -> tuple[Sources, str]:
    """Everything in args.results: boards as they are, results collected into args.out/board as csc
    collect does; and the fingerprint of that board. before: that of an earlier one, which stands as
    long as nothing has changed.

    Raises DataError for a path that is not there or holds nothing that a report shows.
    """
    for path in args.results:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
    boards = board_folders(args.results)
    others = [path for path in args.results if path not in boards]
    results = [path for path in others if holds_results(path)]
    sweeps, (ratings, comparisons) = read_sweeps(others), read_judging(others)
    _check_used(others, results)
    made: list[BoardSource] = []
    mark = ""
    if results:
        own = args.out / BOARD_FOLDER
        trusted = [corpus.trusted for corpus in corpora]
        files = [file for path in results for file in run_files(path)]
        files += [file for file in (args.references, args.evidence) if file]
        settings = (trusted, [c.fingerprint for c in corpora], args.replace, args.split_by)
        mark = fingerprint(files, settings)
        if mark != before or not (own / "board.json").is_file():
            _collect(args, results, own, trusted)
        made.append(read_board(own, BOARD_FOLDER))
    for folder in boards:
        names = [source.name for source in made]
        made.append(read_board(folder, safe_name(folder.resolve().name, names)))
    statistics = tuple(corpus.statistics for corpus in corpora)
    return Sources(statistics, tuple(made), sweeps, ratings, comparisons), mark


def run_files(path: Path) -> list[Path]:
    """The results and samples files that csc collect would read. Beside them may lie adapters."""
    files = sorted(path.rglob("*_*.json*")) if path.is_dir() else [path, *path.parent.glob("*")]
    return [file for file in files if RESULTS.fullmatch(file.name) or SAMPLES.fullmatch(file.name)]


def holds_results(path: Path) -> bool:
    """Whether there is a results file that csc collect would read."""
    return any(RESULTS.fullmatch(file.name) for file in run_files(path))


def _check_used(paths: Sequence[Path], results: Sequence[Path]) -> None:
    """Raise DataError for a path in which there is nothing to show."""
    shown = ("ratings.jsonl", "comparisons.jsonl", "sweep.json")
    for path in paths:
        own = [path] if path.is_file() else path.rglob("*")
        if path not in results and not any(file.name in shown for file in own):
            raise DataError(
                f"{path}: holds no results (results_DATE.json), board (board.json), sweep"
                " (sweep.json), ratings or comparisons; give what lm_eval, csc collect, train,"
                " judge or pairwise wrote"
            )


def _collect(args: Namespace, results: list[Path], out: Path, trusted: Sequence[str]) -> None:
    check_writable(out)
    options = Options(
        seed=0,
        draw=10,
        audit=True,
        evidence=read_evidence(args.evidence) if args.evidence else {},
        corpora=tuple(trusted),
        references=args.references,
    )
    collect(
        results,
        out,
        options,
        list(dict.fromkeys([SPLIT, *listed(args.split_by)])),
        jobs=args.jobs,
        replace=args.replace,
    )
    write_page(out)
