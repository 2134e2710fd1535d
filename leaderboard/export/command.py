"""Runs in the format of another collection of results.

    csc export results/ --to every-eval-ever --organization ACME --out DIR
    csc export results/ --to inspect --out DIR

every-eval-ever (schema 0.3.0, evalevalai.com): an evaluation a results file, below
DIR/data/csc/DEVELOPER/MODEL/, with every ranked number, its standard error clustered by
conversation and its 95 % interval with what made it, and a row for each scored turn and metric that
has a value there: the conversation so far as messages, the reply as the last of them.

inspect: a log a task, with a sample a reply, that `inspect view` shows and inspect_ai's own
functions read; it needs the package inspect-ai.

Numbers are computed again from the replies, as `csc collect` does; a run that contradicts itself is
left out and named. Nothing private leaves: names and settings are those that a board may show;
personal data in texts are refused as in csc publish, unless pii.yaml accepts them, and
--without-samples leaves all texts out. The same runs give the same bytes.

Where the package every-eval-ever is installed (it needs Python 3.12), its own validator looks at
every file; without it, `every_eval_ever validate` does so later.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from csc_tasks.errors import DataError, SettingError
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.pii import Match, find
from csc_tasks.pii.gate import ACCEPTED, check
from csc_tasks.runs.quarantine import STRICT_HELP, Quarantine
from csc_tasks.shown import shown
from csc_tasks.telling import show, tell
from leaderboard.export import validation
from leaderboard.export.evaluation import Evaluation, Publisher
from leaderboard.export.inspect_log import write_logs
from leaderboard.export.rows import texts
from leaderboard.numbers.measured import Measured, Options, measure
from leaderboard.reading.origins import read_all

EVERY_EVAL_EVER, INSPECT = "every-eval-ever", "inspect"
TARGETS = (EVERY_EVAL_EVER, INSPECT)
RELATIONS = ("first_party", "third_party", "collaborative", "other")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc export`."""
    add = parser.add_argument
    add("results", nargs="+", type=Path, metavar="RESULTS", help="results files or folders of them")
    add("--to", required=True, choices=TARGETS, help="whose format")
    add("--out", required=True, type=Path, metavar="DIR", help="where to write")
    add("--organization", metavar="NAME", help="who hands the results in (every-eval-ever)")
    add(
        "--relationship",
        choices=RELATIONS,
        default="other",
        help="of who evaluated to who made the model (default: other)",
    )
    add(
        "--developer",
        metavar="NAME",
        help="who made models whose name is no ORG/NAME (default: the organization)",
    )
    add("--without-samples", action="store_true", help="numbers alone, no texts")
    add(
        "--pii",
        default=ACCEPTED,
        metavar="FILE",
        help=f"the findings that may leave, each with why and who (default: {ACCEPTED})",
    )
    add("--strict", action="store_true", help=STRICT_HELP)


def main(args: Namespace) -> None:
    """Write the runs in args.results as evaluations below args.out. Raises DataError where nothing
    can be exported, for personal data that nobody accepted, and for what the target's validator
    refuses.
    """
    check_writable(args.out, "--out")
    if args.out.is_dir() and any(args.out.iterdir()):
        say_earlier(f"{args.out} holds files, which stay; those of the same names are replaced")
    if args.to == EVERY_EVAL_EVER and not args.organization:
        raise SettingError(
            "--to every-eval-ever names who hands the results in: --organization NAME"
        )
    publisher = Publisher(
        args.organization or "", args.relationship, args.developer or args.organization or ""
    )
    evaluations = list(read_evaluations(args.results, publisher, args.strict))
    if not evaluations:
        raise DataError("nothing to export: no run of a model is left")
    if not args.without_samples:
        check(_found(evaluations), args.pii)
    files: list[Path] = []
    if args.to == INSPECT:
        for evaluation in evaluations:
            files += write_logs(evaluation, args.out, not args.without_samples)
        tell(f"{len(files)} logs in {args.out}: inspect view --log-dir {args.out}")
        return
    for evaluation in evaluations:
        rows = [] if args.without_samples else list(evaluation.rows())
        name = evaluation.folder / f"{evaluation.name}.json"
        files.append(replace_file(args.out / name, evaluation.whole(rows)))
        if rows:
            companion = evaluation.folder / evaluation.companion
            files.append(replace_file(args.out / companion, evaluation.lines(rows)))
        numbers, turns = evaluation.counts(rows)
        tell(
            f"{shown(evaluation.model)}: {numbers} numbers, {len(rows):,} rows of {turns:,} replies"
        )
    show(validation.validated(args.out, files))


def read_evaluations(
    paths: Sequence[Path], publisher: Publisher, strict: bool
) -> Iterator[Evaluation]:
    """One evaluation a results file; what is left out is named on stderr."""
    notes: list[str] = []
    aside = Quarantine(paths, strict)
    by_file: dict[Path, list[Measured]] = defaultdict(list)
    options = Options(seed=0, draw=0, audit=False, evidence={})
    for measurement in read_all(paths, notes, aside, apart=False):
        if measurement.identity.baseline:
            left_out = "a baseline is no model"
        else:
            made = measure(measurement, options)
            left_out = _why_not(made)
            if not left_out:
                by_file[measurement.file].append(made)
        if left_out:
            notes.append(f"{measurement.public_label}, {measurement.task}: {left_out}")
    for note in notes:
        print(f"left out: {shown(note)}", file=sys.stderr)
    aside.say()
    for file, measured in sorted(by_file.items()):
        yield Evaluation(file, tuple(measured), publisher)


def _why_not(made: Measured) -> str:
    if made.parts:
        return "asked several times (csc_repeats), which the format has no place for"
    if made.verified.contradicted:
        return "its files contradict themselves (csc verify says where)"
    return ""


def _found(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, Match]]:
    """(place, finding) in all texts that would be written, each once a place."""
    for evaluation in evaluations:
        for place, text in texts(evaluation.rows()):
            matches = {(match.kind, match.value): match for match in find(text)}
            yield from ((f"{evaluation.model} {place}", match) for match in matches.values())


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
