"""The demo's three scripted raters: the plan of their disagreement, turn by turn, and that it
changes nothing of the corpus.
"""

import json
from collections import Counter

import pytest

from builders.scripted.raters import labels, with_labels
from csc_tasks import corpora
from csc_tasks.corpora import DEMO_DIR
from csc_tasks.labels import majority, without_labels

TEST = DEMO_DIR / "csconv" / "test.jsonl"


@pytest.mark.parametrize(
    ("gold", "count", "named"),
    [
        ("GT", 1, [["GT"], ["GT"], ["GT"]]),
        ("PR", 2, [["PR"], ["PR", "EM"], ["PR"]]),
        ("PR", 3, [["PR"], ["PR"], ["EM"]]),
        ("PR", 4, [["PR"], ["EM", "PR"], ["PR"]]),
        ("PR", 5, [["PR"], ["EM"], ["PS"]]),
        ("RC", 10, [["RC"], ["AC"], ["Others"]]),
        ("AC", 5, [["AC"], ["AC"], ["AC"]]),
        ("Others", 7, [["Others"], ["Others", "GT"], ["Others"]]),
    ],
)
def test_the_plan(gold, count, named):
    made = labels(gold, count)
    assert [one["strategies"] for one in made] == named
    assert [one["rater"] for one in made] == ["ann", "ben", "model:scripted"]


def test_the_demo_carries_the_labels_of_the_plan():
    rows = [json.loads(line) for line in TEST.read_text(encoding="utf-8").splitlines()]
    assert [with_labels(without_labels(row)) for row in rows] == rows
    turns = [turn for row in rows for turn in row["dialogue"]]
    assert all(("labels" in turn) == bool(turn["strategy"]) for turn in turns)
    kinds = Counter(
        tuple(len(one["strategies"]) for one in turn["labels"])
        for turn in turns
        if turn["strategy"]
    )
    assert set(kinds) == {(1, 1, 1), (1, 2, 1)}


def test_most_raters_name_what_stands_as_the_strategy():
    for item in corpora.load("demo", "csconv", "test").items:
        for position in item.labelled_turns():
            turn = item.dialogue[position]
            assert majority(turn.labels) == turn.strategy


def test_the_content_of_the_demo_is_what_it_was():
    """The hash that runs on the demo have named since before it had labels."""
    assert corpora.load("demo", "csconv", "test").content_hash == "7370fa8f3c031da0"
