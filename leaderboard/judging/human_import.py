"""Read filled rating sheets, check them, and say what people think and how far they agree.

    csc human import study/ saved/*.json --out humans/
    csc human import study/ saved/*.json filled.csv --judges judged/ --results results/ \\
        --out humans/

STUDY is the folder of csc human export (its key.json is read); FILES are what raters sent back: the
JSON their page saved, or the filled CSV, rows in any order. Every item must be known and given to
that rater, every rating a whole number 1..5, and none may be missing unless --partial is given:
then only items rated on every dimension count, and the rest is counted as missing.

--out gets ratings.jsonl (read by csc agreement), comments.jsonl, human.json and, with --results
(the samples that were exported), results and samples files with the columns human_DIMENSION in them
(read by csc collect). With --judges (folders of csc judge) the report on the screen has the
agreement with them too.
"""

import json
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.runs.names import HUMAN, MISSING, rating_column
from csc_tasks.shown import shown
from csc_tasks.telling import show, tally, tell
from leaderboard.judging.intervals import mean
from leaderboard.judging.llm_judges import check_out
from leaderboard.judging.rating_columns import columns_of, unit_scores, write_columns
from leaderboard.judging.ratings import RATINGS, Rating, read_ratings, write_lines
from leaderboard.judging.reliability import report
from leaderboard.judging.sheet_files import read_key, read_sheets
from leaderboard.judging.units import read_models
from leaderboard.reliability_report import as_markdown


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc human import`."""
    add = parser.add_argument
    add("study", type=Path, metavar="STUDY", help="the folder of csc human export")
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="FILES",
        help="filled sheets: .json from the page, or .csv",
    )
    add("--out", required=True, type=Path, metavar="DIR", help="where ratings and results go")
    add("--partial", action="store_true", help="take what is there although ratings are missing")
    add(
        "--results",
        nargs="+",
        type=Path,
        default=[],
        metavar="SAMPLES",
        help="the samples that were exported, to write columns into",
    )
    add(
        "--judges",
        nargs="+",
        type=Path,
        default=[],
        metavar="RATINGS",
        help="ratings of judges to compare with",
    )


def main(args: Namespace) -> None:
    """Read what the raters of a study gave; write ratings, comments and, with args.results, results
    files with their columns into args.out, and print the agreement.

    Raises DataError for sheets that do not fit the study, and where nothing is rated whole.
    """
    check_out(args, RATINGS)
    key = read_key(args.study)
    ratings, comments, missing = read_sheets(key, args.files, args.partial)
    if not ratings:
        raise DataError("none of the items is rated on every dimension")
    judges = read_ratings(args.judges) if args.judges else []
    write_lines(args.out / RATINGS, ratings)
    lines = [
        {"rater": entry.rater, "item": entry.item, "comment": entry.comment} for entry in comments
    ]
    replace_file(
        args.out / "comments.jsonl",
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(),
    )
    raters = sorted({rating.rater for rating in ratings})
    record = {
        "study": key["study"],
        "raters": raters,
        "items": len(key["items"]),
        "ratings": len(ratings),
        "missing": missing,
        "comments": len(comments),
    }
    replace_file(args.out / "human.json", (json.dumps(record, indent=2) + "\n").encode())
    show("\n".join(table(ratings)))
    counts = f"{len(ratings):,} ratings of {len(key['items']):,} items by {len(raters)} people"
    tally(f"{counts}, {missing:,} missing, {len(comments):,} comments\n")
    show(as_markdown(report([*ratings, *judges], [], {})))
    if args.results:
        written = write_results(args.results, key, ratings, args.out)
        tell(
            f"{len(written)} results files with human columns; next: csc collect {args.out} --out"
            " board/"
        )
    tell(f"Wrote {args.out / RATINGS}")


def table(ratings: Sequence[Rating]) -> list[str]:
    """One Markdown row per task, model and dimension: the mean over items (each the mean of its
    raters) with its clustered interval.
    """
    own: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        own[rating.task, rating.model].append(rating)
    lines = ["|task|model|dimension|mean (1-5)|95 %|items|", "|---|---|---|---:|---:|---:|"]
    for (task, model), rated in sorted(own.items()):
        conversations = {rating.unit: rating.conversation_id for rating in rated}
        for dimension, values in unit_scores(rated).items():
            average = mean(list(values.values()), [conversations[unit] for unit in values])
            interval = "–" if average.low is None else f"{average.low:.2f} to {average.high:.2f}"
            lines.append(
                f"|{task}|{shown(model)}|{dimension}|{average.value:.2f}|{interval}|{len(values):,}|"
            )
    return lines


def write_results(
    paths: Sequence[Path], key: Mapping, ratings: Sequence[Rating], out: Path
) -> list[Path]:
    """Results files with the columns `human_DIMENSION`; raises DataError where a rated unit is not
    in the samples.
    """
    own: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        own[rating.model, rating.task].append(rating)
    models = [
        judged
        for judged in read_models(paths, {task for _, task in own}, strict=True)
        if (judged.model, judged.task) in own
    ]
    columns: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    dimensions: dict[str, None] = {}
    for judged in models:
        rated = own[judged.model, judged.task]
        if unknown := [rating.unit for rating in rated if rating.unit not in judged.units]:
            raise DataError(
                f"{judged.file}: {unknown[0]} was rated but is not in it; give the samples that"
                " were exported"
            )
        values_of = columns_of(HUMAN, rated)
        columns[judged.model, judged.task] = {
            name: values
            for name, values in values_of.items()
            if name != rating_column(HUMAN, MISSING)
        }
        dimensions |= dict.fromkeys(columns[judged.model, judged.task])
    if absent := set(own) - set(columns):
        raise DataError(
            f"{', '.join(map(str, paths))}: no samples of {' of '.join(sorted(absent)[0])}, which"
            " was rated"
        )
    each = sorted({len(item["raters"]) for item in key["items"].values()})
    text = (
        f"people:{len(key['raters'])}|each:{'-'.join(map(str, each))}|scale:1-5"
        f"|reference:hidden|study:{key['study']}|seed:{key['seed']}"
    )
    return write_columns(models, columns, {name: f"{name}|{text}" for name in dimensions}, out)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
