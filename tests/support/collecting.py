"""Runs of twelve conversations made by hand, and boards collected from them."""

import tempfile
from pathlib import Path

from leaderboard.collect import collect
from leaderboard.numbers.measured import Options
from tests.support.made_results import (
    conversation_result,
    conversations,
    numbered,
    write_run,
)

ITEMS = conversations(12)
HELD = Path(tempfile.mkdtemp(prefix="csc-held-"))
PLAIN = Options(seed=0, draw=3, audit=False, evidence={}, corpora=(str(HELD),))
TASK = "csc_conv_ref"


def run(root, name="org/one", answer=None, change=None, tasks=(TASK,), items=ITEMS, **arguments):
    return write_run(
        root,
        name,
        [conversation_result(task, items, answer or numbered(3)) for task in tasks],
        change,
        **arguments,
    )


def board_of(*paths, out, split=(), **more):
    return collect(list(map(Path, paths)), out, PLAIN, split, **more)
