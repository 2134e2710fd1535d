"""Contrasts between runs that asked several times and runs that asked once: every number against
pandas, straight from the samples files.
"""

import csv
import io
import json
import math
import random

import pandas
import pytest

from csc_tasks.cli import main
from leaderboard.folder import load_board
from tests.support.fakes import write_corpus
from tests.support.handed_in import hand_in
from tests.support.made_results import conversations
from tests.support.repeated import SAMPLING

REF, GEN = "csc_conv_ref", "csc_conv_gen"
NAMES = ("Greeting", "Problem Refinement", "Information Delivery", "Others")


def drawn(seed):
    """A model that draws a strategy and a text."""
    own = random.Random(seed)
    return lambda prompt: f"[{own.choice(NAMES)}] gold answer {own.randrange(4)} of case 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(board folder, results file of the run with repeats, of the one without, of one with
    repeats and chat prompts).
    """
    root = tmp_path_factory.mktemp("contrasts")
    corpus = write_corpus(root / "corpus", conversations(12), [])
    once, chat = {"csc_corpus": str(corpus)}, {"csc_prompt": "chat"}
    several = once | {"csc_repeats": 3}
    sampled = {"gen_kwargs": SAMPLING}
    runs = (
        hand_in(root / "runs" / "several", [REF, GEN], drawn(1), several, **sampled),
        hand_in(root / "runs" / "once", [REF, GEN], drawn(2), once),
        hand_in(root / "runs" / "chat", [REF], drawn(3), several | chat, **sampled),
    )
    words = ["collect", str(root / "runs"), "--out", str(root / "board"), "--corpus", str(corpus)]
    assert main([*words, "--split-by", "prompt"]) == 0
    return root / "board", *runs


def means(results, task):
    """(conversation, turn) -> share of its replies with the right strategy."""
    (file,) = results.parent.glob(f"samples_{task}_2*")
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    turns = pandas.DataFrame([turn for line in lines for turn in line["turns"]])
    turns["right"] = turns.strategy == turns.gold_strategy
    return turns.groupby(["conversation_id", "turn"]).right.mean()


def apart(one, other):
    """The mean difference and its error, clustered by conversation."""
    each = (one - other).groupby("conversation_id").agg(["sum", "count"])
    items, size = each["count"].sum(), len(each)
    mean = each["sum"].sum() / items
    deviations = ((each["sum"] - each["count"] * mean) ** 2).sum()
    return mean, math.sqrt(size / (size - 1) * deviations) / items


def test_differences_are_those_of_each_turns_mean_over_its_repeats(made):
    folder, several, once, chat = made
    found = {
        (one.family, one.first.task, one.first.model, one.first.level): number
        for one in load_board(folder).contrasts
        for number in one.numbers
        if number.metric == "strategy_acc"
    }
    slugs = sorted({slug for _, _, slug, _ in found})
    # The row that samples: it alone has a temperature.
    (warm,) = {slug for family, _, slug, _ in found if family == "generation.temperature"}
    (cold,) = set(slugs) - {warm}
    sides = {
        ("context", REF, warm, "Reference context"): ((several, REF), (several, GEN)),
        ("context", REF, cold, "Reference context"): ((once, REF), (once, GEN)),
        ("prompt", REF, warm, "Single prompt"): ((several, REF), (chat, REF)),
        ("generation.temperature", REF, warm, "0.7"): ((several, REF), (once, REF)),
        ("generation.temperature", GEN, warm, "0.7"): ((several, GEN), (once, GEN)),
    }
    assert found.keys() == sides.keys()
    for key, pair in sides.items():
        one, other = (means(*run) for run in pair)
        mean, stderr = apart(one, other)
        number = found[key]
        assert (number.first, number.second) == pytest.approx((one.mean(), other.mean())), key
        assert number.difference.value == pytest.approx(mean), key
        assert number.difference.stderr == pytest.approx(stderr), key
        assert number.alone == (0, 0) and number.difference.clusters == 12


def test_every_row_of_the_csv_says_of_which_runs_it_is(made, capsys):
    capsys.readouterr()
    assert main(["tables", str(made[0]), "--table", "contrasts", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    sides = [f"{side}_{what}" for side in ("first", "second") for what in ("model", "task")]
    named = [(*(row[name] for name in sides), row["family"], row["metric"]) for row in rows]
    assert len(set(named)) == len(named) > 20
