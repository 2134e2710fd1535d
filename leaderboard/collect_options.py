"""The options of `csc collect`."""

import os
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.runs.quarantine import STRICT_HELP

Add = Callable[..., object]
"""A parser's add_argument."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc collect`."""
    _inputs(parser.add_argument)
    _tables(parser.add_argument)
    _beside(parser.add_argument)
    _work(parser.add_argument)
    add_json(parser)


def _inputs(add: Add) -> None:
    """What is read, and where the board goes."""
    add(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results files, or folders that hold them",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the board folder")
    add(
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
    add(
        "--references",
        type=Path,
        metavar="FILE",
        help="references that the corpus holds out (parquet or JSON lines)",
    )
    add(
        "--replace",
        action="store_true",
        help="a model's newest run stands, whichever RESULTS it came from (default: a row of each)",
    )
    add("--strict", action="store_true", help=STRICT_HELP)


def _tables(add: Add) -> None:
    """What stands together, under which title."""
    add("--title", help="title of the board")
    add(
        "--split-by",
        default="",
        metavar="FIELD[,FIELD]",
        help=(
            "separate tables by version, corpus, revision, prompt, date, chat_template, reference,"
            " customer, limit or signatures"
        ),
    )


def _beside(add: Add) -> None:
    """What stands beside the numbers of the runs, from other files and verbs."""
    add(
        "--reported",
        type=Path,
        metavar="FILE",
        help="rows printed in a paper, shown apart and never ranked (JSON)",
    )
    add(
        "--reliability",
        type=Path,
        metavar="FILE",
        help="how far ratings can be believed: what csc agreement wrote",
    )
    add(
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
    add(
        "--evidence",
        type=Path,
        metavar="FILE",
        help=(
            "retrieved passages that support facts in replies (JSON lines), and those that runs"
            " which showed some are compared with"
        ),
    )
    add(
        "--price",
        action="append",
        default=[],
        metavar="[MODEL=]IN,OUT",
        help=(
            "what a million tokens in and out cost, of one model or of all others, in place of what"
            " runs recorded (csc_price); repeatable"
        ),
    )


def _work(add: Add) -> None:
    """What is looked at, and how much of it."""
    add(
        "--no-fact-audit",
        action="store_true",
        help="do not look for unsupported facts (the slowest part)",
    )
    add(
        "--samples",
        type=int,
        default=10,
        metavar="N",
        help="conversations in the sample browser (default: 10)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the sample (default: 0)",
    )
    add(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        metavar="N",
        help="processes (default: 2)",
    )
