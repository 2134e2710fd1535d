"""Verify results against a corpus that you hold: are its documents all there and unchanged, and are
the numbers those of the raw replies?

  csc verify results/ --corpus path/to/dataset
  csc verify results/ --corpus ORG/NAME@COMMIT --corpus manifest.json --json verified.json

RESULTS are results files with their samples (lm_eval --log_samples), or folders that hold them.
Every metric that needs no weights is computed again, from the raw text of every reply: it is
`re-scored`. Learned metrics, and everything without samples or without a trusted corpus, are
`claimed`. The embedded demo is always trusted. What does not hold is listed below each table, and
the exit status is then 1. So it is where a file cannot be read; the others are verified all the
same.

Two numbers agree within 1e-6 (relative or absolute): files hold all digits, so an honest number
differs only by the order in which processors and library versions sum.

  csc verify results/ --corpus path/to/dataset --rerun 20 --model hf --model_args pretrained=MODEL

asks the model again for 20 turns drawn at random, by lm_eval, and lists the replies that differ;
where most do, the run is contradicted.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.errors import DataError, SettingError
from csc_tasks.evidence import open_evidence
from csc_tasks.runs.finding import find_results
from csc_tasks.runs.results_file import Measurement, read_results
from csc_tasks.shown import shown
from csc_tasks.telling import show, show_document
from csc_tasks.verify.copies import copies
from csc_tasks.verify.examine import examine, trust_of_run
from csc_tasks.verify.references import read_references
from csc_tasks.verify.rerun import Asked, Rerun, rerun
from csc_tasks.verify.trusted import trusted_corpora
from csc_tasks.verify.verdict import Pair, Verified, badge

HEADINGS = ("task", "metric", "claimed", "recomputed", "trust")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `csc verify`."""
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results files, or folders that hold them",
    )
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="CORPUS",
        help=(
            "a corpus you trust: a dataset folder, a file, ORG/NAME@COMMIT or the manifest.json of"
            " a dataset; repeatable (demo is always trusted)"
        ),
    )
    parser.add_argument(
        "--references",
        type=Path,
        metavar="FILE",
        help="references that the corpus holds out (parquet or JSON lines)",
    )
    parser.add_argument(
        "--evidence",
        metavar="PLACE",
        help=(
            "passages you hold, for runs that showed some: a file of them or a folder of policies"
            " (those of the demo are always held)"
        ),
    )
    parser.add_argument(
        "--rerun", type=int, metavar="N", help="ask the model again for N turns drawn at random"
    )
    parser.add_argument("--model", metavar="NAME", help="of --rerun: lm_eval's backend")
    parser.add_argument("--model_args", metavar="ARGS", help="of --rerun: as lm_eval takes them")
    parser.add_argument("--device", metavar="NAME", help="of --rerun: cpu, cuda, cuda:1")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw (default: 0)")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    """Verify, print, and return 1 where something is contradicted or cannot be read."""
    if args.rerun is not None and (args.rerun < 1 or not args.model or args.model_args is None):
        raise SettingError("--rerun N needs at least one turn, and --model and --model_args")
    evidence = open_evidence(args.evidence) if args.evidence else None
    trusted = replace(trusted_corpora(args.corpus), evidence=evidence)
    references = read_references(args.references) if args.references else None
    wrong = False
    verdicts: list[Verified] = []
    unreadable: list[dict[str, str]] = []
    measured: list[Measurement] = []
    asked_again: list[dict[str, object]] = []
    for file in find_results(args.results):
        notes: list[str] = []
        try:
            measurements = read_results(file, notes)
        except DataError as error:
            # One bad file does not keep the others from being verified.
            show(f"{shown(str(file))}: not verified\n  contradicted: {shown(str(error))}\n")
            unreadable.append({"file": str(file), "error": str(error)})
            wrong = True
            continue
        tasks = [examine(measurement, trusted, references) for measurement in measurements]
        lines = report(file, tasks) + [f"  note: {note}" for note in notes]
        if args.rerun:
            asked = Asked(args.model, args.model_args, args.device)
            again = rerun(measurements, args.rerun, args.seed, asked, trusted)
            lines += rerun_lines(again, args.seed)
            findings = [asdict(finding) for finding in again.findings]
            asked_again.append(
                {
                    "file": str(file),
                    "turns": len(again.drawn),
                    "same": again.same,
                    "findings": findings,
                }
            )
            wrong |= any(finding.contradicts for finding in again.findings)
        show("\n".join(lines), end="\n\n")
        verdicts += tasks
        measured += measurements
        wrong |= any(task.contradicted for task in tasks)
    alike = copies(measured)
    if alike:
        show("Replies that runs share:", *(f"  {shown(one.line())}" for one in alike), sep="\n")
    document = {
        "contradicted": wrong,
        "runs": [task.to_json() for task in verdicts],
        "unreadable": unreadable,
        "shared": [asdict(one) for one in alike],
        "rerun": asked_again,
    }
    show_document(args.json, document)
    return int(wrong)


def report(file: Path, tasks: Sequence[Verified]) -> list[str]:
    """A results file's verdict: a heading, an aligned table, and the findings below it."""
    rows = [
        (
            task.task,
            shown(number.name),
            _pair(number.claimed),
            "-" if number.recomputed is None else _pair(number.recomputed),
            str(number.trust),
        )
        for task in tasks
        for number in task.numbers
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    corpora = sorted({task.corpus for task in tasks if task.corpus})
    against = f", against {', '.join(corpora)}" if corpora else ""
    trust = badge(trust_of_run(tasks), any(task.contradicted for task in tasks))
    lines = [f"{shown(tasks[0].model)}: {trust}{against} ({shown(str(file))})"]
    for row in (HEADINGS, *rows):
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    findings = [finding for task in tasks for finding in task.findings]
    lines += [f"  {shown(finding.line())}" for finding in findings]
    if not any(finding.contradicts for finding in findings):
        lines.append("  nothing is contradicted")
    return lines


def rerun_lines(again: Rerun, seed: int) -> list[str]:
    """What asking again gave: which turns were drawn, how many replies are the same, and which are
    not.
    """
    repeats = (f" (repeat {one.repeat})" if one.repeat else "" for one in again.drawn)
    drawn = zip(again.drawn, repeats, strict=True)
    names = ", ".join(f"{one.task} {one.name}{repeat}" for one, repeat in drawn)
    return [
        f"  asked again (seed {seed}): {names}",
        f"  {again.same} of {len(again.drawn)} replies are the same",
        *(f"  {shown(finding.line())}" for finding in again.findings),
    ]


def _pair(pair: Pair) -> str:
    if pair.value is None:
        return "N/A"
    return f"{pair.value:.4g}" + ("" if pair.stderr is None else f" ± {pair.stderr:.2g}")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
