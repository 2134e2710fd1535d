"""The tables and figures of both papers for your own corpora and results: Markdown, LaTeX, CSV and
PNG, from what there is, and a list of what is missing with the command that makes it.

  csc reproduce demo --out report/
  csc reproduce path/to/dataset --results results/ --out report/
  csc reproduce path/to/dataset --results results/ judged/ humans/ compared/ --replace --out report/
  csc reproduce path/to/dataset other/dataset --results results/ sizes/ --out report/
  csc reproduce path/to/dataset --results board/ --out report/

Tables 3 to 10 and Figures 3, 5 and 6 of arXiv 2508.04423; of arXiv 2602.00665 models by metrics,
by stage of the conversation, by judges and people and in pairs, and what follows them up: shorter
summaries, the whole history, the rank of an adapter, another corpus, retrieved passages.

RESULTS are results of lm_eval (--output_path DIR --log_samples), csc score or csc baselines;
sweeps of csc train; ratings and comparisons of csc judge, human import and pairwise; and boards of
csc collect. Results are verified and put on a board as csc collect does (OUT/board), with CORPUS
trusted: only numbers of boards are shown, with their intervals, marks and trust. What a corpus
holds stands in the stats.json beside it, or csc stats counts it.

--reported adds what a paper printed, beside numbers of the paper's own corpus only, marked, never
ranked.

OUT/README.md lists everything. The same command again collects and counts nothing that has not
changed, and replaces only files of the report.
"""

import os
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from csc_tasks.arguments import CORPUS
from csc_tasks.errors import CscError, SettingError, require
from csc_tasks.telling import mention, tally
from leaderboard.reproduce.corpus_input import read_corpora
from leaderboard.reproduce.exhibits import Missing
from leaderboard.reproduce.index import index, with_names
from leaderboard.reproduce.makers import all_exhibits
from leaderboard.reproduce.published import read_published
from leaderboard.reproduce.report import FIRST, Record, begin, check_out, leave, write_report
from leaderboard.reproduce.results_input import read_results


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc reproduce`."""
    add = parser.add_argument
    add("corpus", nargs="+", metavar="CORPUS", help=CORPUS)
    add(
        "--results",
        nargs="+",
        type=Path,
        default=[],
        metavar="RESULTS",
        help="results, sweeps, ratings, comparisons and boards: files or folders",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the report's folder")
    add(
        "--reported",
        type=Path,
        metavar="FILE",
        help="values printed in a paper (JSON), for the paper's own corpus",
    )
    add(
        "--references",
        type=Path,
        metavar="FILE",
        help="references that the corpus holds out (parquet or JSON lines)",
    )
    add(
        "--evidence",
        type=Path,
        metavar="FILE",
        help="passages that support facts in replies, of csc build passages (JSON lines)",
    )
    add(
        "--replace",
        action="store_true",
        help="a model's newest run stands, whichever RESULTS it came from (default: a row of each)",
    )
    add(
        "--split-by",
        default="",
        metavar="FIELD[,FIELD]",
        help="separate tables of results, as csc collect --split-by; by corpus always",
    )
    add(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        metavar="N",
        help="processes that read results (default: 2)",
    )


def main(args: Namespace) -> None:
    """Write the report of some corpora and results into args.out and say what is missing.

    Raises SettingError for options that cannot be, DataError for files that cannot be read or
    results that cannot stand together.
    """
    for library in ("scipy.special", "matplotlib"):
        require(library, "leaderboard", "csc reproduce")
    if args.jobs < 1:
        raise SettingError(f"--jobs {args.jobs}: must be at least 1")
    published = read_published(args.reported) if args.reported else None
    before = check_out(args.out)
    begin(args.out, before)
    try:
        corpora = read_corpora(args.corpus, args.out, before.corpora)
    except CscError:
        leave(args.out)
        raise
    mention(f"corpora read: {', '.join(corpus.public for corpus in corpora)}")
    sources, board = read_results(args, corpora, before.board)
    sources = replace(sources, published=published)
    exhibits = with_names(all_exhibits(sources), corpora)
    made_of = Record(board=board, corpora={corpus.slug: corpus.fingerprint for corpus in corpora})
    page = index(exhibits, corpora, sources)
    files = write_report(args.out, exhibits, page, before, made_of)
    missing = [exhibit for exhibit in exhibits if isinstance(exhibit, Missing)]
    for one in missing:
        tally(f"missing: {one.title}: {one.reason}\n  {one.command}")
    tally(
        f"{args.out / FIRST}: {len(exhibits) - len(missing)} tables and figures in {len(files)}"
        f" files; {len(missing)} missing"
    )


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
