"""How far the ratings can be believed: one report about judges and people.

    csc agreement judged/ --out reliability/
    csc agreement judged/ compared/ humans/ --out reliability/

RATINGS are folders (or files) that csc judge, csc pairwise and csc human import wrote. The report
has: Fleiss' kappa and Krippendorff's ordinal alpha on five classes (a score s is class 1 + min(4,
floor(s/20))), interval alpha and Spearman on raw scores, among judges, among people and between
them; parse failures; the effects of order, length and self-preference (a judge of the model's own
family); saturation of the scale; stability of what was asked twice; Bradley-Terry scores. Every
number has an interval over conversations. Where raters lie furthest apart, and where a verdict
changed with the order, the judges' reasons stand beside it.

--out gets reliability.md, reliability.html (a page that stands alone) and reliability.json (the
same, for programs).
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.errors import DataError
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.reading import read_json
from csc_tasks.telling import show, show_document, tell
from leaderboard.folder import RELIABILITY, dumped
from leaderboard.judging.families import parse_families
from leaderboard.judging.ratings import read_comparisons, read_ratings
from leaderboard.judging.reliability import report
from leaderboard.reliability_report import as_html, as_markdown

PAGE = (
    '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport"'
    ' content="width=device-width"><title>{title}</title>\n'
    "<style>:root{{color-scheme:light dark}}body{{font:16px/1.5"
    " system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}}"
    "section{{overflow-x:auto}}table{{border-collapse:collapse}}"
    "td,th{{padding:.25rem .75rem;border-bottom:1px solid #8884;text-align:left}}"
    ".number{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}p{{max-width:50rem}}</style>\n<h1>{title}</h1>\n{body}\n"
)


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc agreement`."""
    parser.add_argument(
        "ratings",
        nargs="+",
        type=Path,
        metavar="RATINGS",
        help="folders or files with ratings or comparisons",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the report goes"
    )
    parser.add_argument(
        "--family",
        action="append",
        default=[],
        metavar="NAME=FAMILY",
        help="family of a model or judge whose name does not tell it; repeatable",
    )
    add_json(parser)


def main(args: Namespace) -> None:
    """Write the report on how far ratings can be believed into args.out, and print it.

    Raises DataError where there are no ratings, or one name stands for two raters.
    """
    check_writable(args.out)
    if (args.out / RELIABILITY).exists():
        say_earlier(f"{args.out} holds an earlier report, which this one replaces")
    if absent := [path for path in args.ratings if not path.exists()]:
        raise DataError(f"{absent[0]}: there is no such file or folder")
    ratings, comparisons = read_ratings(args.ratings), read_comparisons(args.ratings)
    if not ratings and not comparisons:
        where = ", ".join(map(str, args.ratings))
        raise DataError(
            f"{where}: no ratings.jsonl or comparisons.jsonl; make some with csc judge, csc"
            " pairwise or csc human"
        )
    reliability = report(
        ratings, comparisons, parse_families(args.family), signatures(args.ratings)
    )
    text = as_markdown(reliability)
    replace_file(args.out / RELIABILITY, dumped(reliability))
    replace_file(args.out / "reliability.md", text.encode())
    replace_file(
        args.out / "reliability.html",
        PAGE.format(title=reliability.title, body=as_html(reliability)).encode(),
    )
    show(text)
    show_document(args.json, reliability.model_dump(mode="json"))
    tell(f"Wrote {args.out}/reliability.md, .html and .json")


def signatures(paths: list[Path]) -> list[str]:
    """What judge.json and pairwise.json beside the ratings say was asked, one line each."""
    lines = []
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for file in sorted([*folder.rglob("judge.json"), *folder.rglob("pairwise.json")]):
            record = read_json(file, f"run csc {file.stem} again")
            try:
                lines += [f"{file.stem} {signature}" for signature in record["signatures"]]
            except (KeyError, TypeError) as error:
                raise DataError(
                    f"{file}: not a record of csc {file.stem} ({type(error).__name__}: {error})"
                ) from None
    return lines


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
