"""The labeller with a real model of 135M parameters behind a real server: every label is given or
counted as lost, and a second run asks nothing.
"""

import json

import pytest

from builders.dataset import read_folder
from csc_tasks.cli import main
from csc_tasks.framework import BY_ID
from tests.support.judged_models import gold, write_model
from tests.support.label_sets import talk, turns_of, write_set
from tests.support.real_builds import ask_twice

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]


def test_labels_of_turns(server, tmp_path, capsys):
    folder = write_set(tmp_path / "calls", [talk("Ann", ("GT", "IV", "AC"))])
    built = ask_twice(["label", "run", str(folder), "--raters", "2"], tmp_path / "labelled", server)
    assert built.stages() == {"rater-1", "rater-2"}
    if not built.ok:
        assert "none of the 3 turns could be labelled" in built.error
        return
    counts = built.counts()
    turns = turns_of(built.out)
    labels = [label for turn in turns.values() for label in turn.labels if label.by_model]
    assert len(turns) == 3
    assert len(labels) + sum(counts["labelling_labels_lost"].values()) == 6
    assert all(set(label.strategies) <= set(BY_ID) for label in labels)
    # What the corpus came with stays, and the report sets the model against it.
    record, _ = read_folder(built.out)
    assert record["splits"]["csconv"]["test"]["strategies"]["IV"] == 1
    assert main(["label", "report", str(built.out)]) == 0
    assert "corpus against models" in capsys.readouterr().out


def test_labels_of_replies(server, tmp_path):
    write_model(tmp_path / "results", "org/gold", gold, 1, ("csc_conv_ref",), "en")
    words = ["label", "samples", str(tmp_path / "results"), "--name", "reader"]
    built = ask_twice(words, tmp_path / "out", server)
    if not built.ok:
        assert "replies could be labelled, so nothing was written" in built.error
        return
    counts = json.loads((built.out / "labels.json").read_text())["counts"]
    assert counts["replies_labelled"] + sum(counts["labels_lost"].values()) == counts["replies"]
    (file,) = built.out.rglob("results_*.json")
    (own,) = json.loads(file.read_text())["results"].values()
    assert 0.0 <= own["label_reader_strategy_acc,none"] <= 1.0
    missing = sum(counts["labels_lost"].values()) / counts["replies"]
    assert own["label_reader_missing,none"] == pytest.approx(missing)
