"""The options of `csc collect`."""

import os
from argparse import ArgumentParser
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.runs.quarantine import STRICT_HELP


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc collect`."""
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results files, or folders that hold them",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the board folder")
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="CORPUS",
        help=(
            "a corpus you trust, to verify results against: a dataset folder, a file,"
            " ORG/NAME@COMMIT or the manifest.json of a dataset; repeatable (demo is always"
            " trusted)"
        ),
    )
    parser.add_argument(
        "--references",
        type=Path,
        metavar="FILE",
        help="references that the corpus holds out (parquet or JSON lines)",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="a model's newest run stands, whichever RESULTS it came from (default: a row of each)",
    )
    parser.add_argument("--title", help="title of the board")
    parser.add_argument(
        "--split-by",
        default="",
        metavar="FIELD[,FIELD]",
        help=(
            "separate tables by version, corpus, revision, prompt, date, chat_template, reference,"
            " customer, limit or signatures"
        ),
    )
    parser.add_argument(
        "--reported",
        type=Path,
        metavar="FILE",
        help="rows printed in a paper, shown apart and never ranked (JSON)",
    )
    parser.add_argument(
        "--reliability",
        type=Path,
        metavar="FILE",
        help="how far ratings can be believed: what csc agreement wrote",
    )
    parser.add_argument(
        "--audit",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help=(
            "a report of csc audit-customer: live conversations with a simulated customer are"
            " ranked only where its audit has passed; repeatable"
        ),
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        metavar="FILE",
        help=(
            "retrieved passages that support facts in replies (JSON lines), and those that runs"
            " which showed some are compared with"
        ),
    )
    parser.add_argument(
        "--no-fact-audit",
        action="store_true",
        help="do not look for unsupported facts (the slowest part)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=10,
        metavar="N",
        help="conversations in the sample browser (default: 10)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the sample (default: 0)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        metavar="N",
        help="processes (default: 2)",
    )
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[MODEL=]IN,OUT",
        help=(
            "what a million tokens in and out cost, of one model or of all others, in place of what"
            " runs recorded (csc_price); repeatable"
        ),
    )
    parser.add_argument("--strict", action="store_true", help=STRICT_HELP)
    add_json(parser)
