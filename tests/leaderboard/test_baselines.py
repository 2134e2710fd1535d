"""Baselines against counts made by hand, and their files against the readers of lm_eval's own."""

import hashlib
import json
from collections import Counter
from itertools import pairwise

import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import MissingSplit
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.samples_file import read_run
from leaderboard.baseline_models import strategy_baselines
from leaderboard.baseline_scores import baselines, strategy_records
from tests.support.fakes import write_corpus


def conversation(name, strategies, language="en", opening="hello there friend"):
    """Customer and supporter in turn; a strategy "" is an unlabelled turn."""
    turns = []
    for i, strategy in enumerate(strategies):
        turns += [Turn("customer", f"{opening} {i}"), Turn("supporter", f"reply {i}", strategy)]
    return Conversation(name, language, "Others", "test", tuple(turns))


ORDER = ["GT", "IV", "RP", "PR", "EM", "PS", "ID", "RI", "FR", "RC", "AC", "Others"]
TRAIN = [
    conversation("t1", ["GT", "PR", "ID", "ID", "AC"]),
    conversation("t2", ["GT", "ID", "ID", "AC"]),
    conversation("t3", ["GT", "", "ID", "PS"]),
    conversation("t4", ["GT", "EM", "EM", "EM", "EM", "EM"], language="zh"),
]
TEST = [
    conversation("a", ["GT", "ID", "AC"]),
    conversation("b", ["IV", "", "ID", "ID"]),
    conversation("c", ["GT", "EM", "AC"], language="zh"),
]


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "corpus", conversations=TEST, train=TRAIN)


def predicted(result):
    return {
        (record["conversation_id"], record["turn"]): record["strategy"] for record in result.records
    }


def test_majority_and_bigram_are_the_counts_of_the_training_split(corpus):
    found = baselines(str(corpus))
    reference, generated = found["bigram"]
    assert (reference.task, generated.task) == ("csc_conv_ref", "csc_conv_gen")
    # English: GT 3, ID 5, AC 2, PR 1, PS 1 -> ID; Chinese: EM.
    assert set(predicted(found["majority"][0]).values()) == {"ID", "EM"}
    # After nothing GT; after GT ID (twice, PR once); after ID: ID 2, AC 2, PS 1 -> the earlier in
    # the table, ID; IV was never seen -> ID. The unlabelled turn of t3 and of b is stepped over.
    assert predicted(reference) == {
        ("a", 1): "GT",
        ("a", 3): "ID",
        ("a", 5): "ID",
        ("b", 1): "GT",
        ("b", 5): "ID",
        ("b", 7): "ID",
        ("c", 1): "GT",
        ("c", 3): "EM",
        ("c", 5): "EM",
    }
    # On its own choices: b goes GT, ID, ID whatever the gold was.
    assert [predicted(generated)["b", turn] for turn in (1, 5, 7)] == ["GT", "ID", "ID"]
    accuracy = reference.columns["strategy_acc"].estimate(
        [record["conversation_id"] for record in reference.records]
    )
    assert accuracy.value == pytest.approx(6 / 9)


def test_echo_repeats_the_customer_and_has_no_strategy(corpus):
    echo = baselines(str(corpus))["echo"][0]
    assert {(r["conversation_id"], r["turn"]): r["reply"] for r in echo.records}[
        "b", 5
    ] == "hello there friend 2"
    assert not any(name.startswith("strategy") for name in echo.columns)
    assert all(record["unparsed"] is None for record in echo.records)


def test_the_demo_by_another_route():
    train = [c for c in corpora.load("demo", "rolecs", "train").items]
    test = corpora.load("demo", "csconv", "test").items
    hits = total = 0
    for language in ("zh", "en"):
        pairs = Counter()
        for c in train:
            labels = ["START", *(t.strategy for t in c.dialogue if t.strategy)]
            if c.language == language:
                pairs.update(pairwise(labels))
        for c in test:
            labels = ["START", *(t.strategy for t in c.dialogue if t.strategy)]
            if c.language == language:
                for before, gold in pairwise(labels):
                    best = max((count for (a, _), count in pairs.items() if a == before), default=0)
                    chosen = {b for (a, b), count in pairs.items() if a == before and count == best}
                    # Ties go to the earlier strategy of the table.
                    hits, total = hits + (gold == min(chosen, key=ORDER.index)), total + 1
    choose = strategy_baselines(train)["bigram"]
    right = {
        own: [
            record["strategy"] == record["gold_strategy"]
            for conversation in test
            for record in strategy_records(conversation, choose, own)
        ]
        for own in (False, True)
    }
    assert (sum(right[False]), len(right[False])) == (hits, total)
    # The published 0.446 and 0.330 of 525 turns.
    assert (sum(right[False]), sum(right[True]), total) == (234, 173, 525)


def test_files_are_read_like_lm_evals_own(corpus, tmp_path, capsys):
    from lm_eval.utils import make_table

    assert main(["baselines", str(corpus), "--out", str(tmp_path / "out")]) == 0
    assert "|bigram|csc_conv_ref|strategy_acc|0.6667|" in capsys.readouterr().out
    files = sorted((tmp_path / "out").rglob("results_*.json"))
    assert [file.parent.name for file in files] == [
        f"baseline__{name}"
        for name in ("bigram", "combined", "customer", "echo", "majority", "position", "share")
    ]
    table = make_table(json.loads(files[0].read_text(encoding="utf-8")))
    assert "strategy_acc" in table and "0.6667" in table
    for file in find_samples([tmp_path / "out"]):
        logged = read_run(file)
        assert (
            logged.records
            and logged.results["configs"][logged.task]["metadata"]["csc"]["content_hash"]
        )


def test_a_corpus_is_never_its_own_training_data(corpus, tmp_path):
    alone = write_corpus(tmp_path / "alone", conversations=TEST)
    with pytest.raises(MissingSplit, match="give --train CORPUS"):
        baselines(str(alone))
    with pytest.raises(MissingSplit, match="one file has no training split"):
        baselines(str(alone / "csconv" / "test.jsonl"))
    assert baselines(str(alone), train=str(corpus))["majority"]


def test_bad_rows_are_an_error_or_left_out_and_named(corpus, tmp_path, capsys):
    whole = baselines(str(corpus))
    capsys.readouterr()
    for split in ("train", "test"):
        with (corpus / "csconv" / f"{split}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write('{"conversation_id": "x", "language": "en", "dialogue": []}\n')
    assert main(["baselines", str(corpus)]) == 1
    assert "--bad-rows drop" in capsys.readouterr().err
    assert main(["baselines", str(corpus), "--bad-rows", "drop"]) == 0
    printed = capsys.readouterr().out
    for split, number in (("test", len(TEST) + 1), ("train", len(TRAIN) + 1)):
        assert f"csconv/{split}.jsonl row {number} (x): the dialogue is empty" in printed
    assert printed.count("; 1 bad rows left out") == 2
    dropped = baselines(str(corpus), bad_rows="drop")
    assert {name: [one.records for one in results] for name, results in dropped.items()} == {
        name: [one.records for one in results] for name, results in whole.items()
    }


def test_a_limit_takes_the_documents_that_lm_eval_takes(tmp_path, capsys):
    """The two of three whose sha256(id) is smallest; the corpus stays what it is."""
    corpus = write_corpus(tmp_path / "corpus", conversations=TEST, train=TRAIN)
    order = sorted("abc", key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    for limit, out in ((None, "all"), (2, "part")):
        words = ["baselines", str(corpus), "--out", str(tmp_path / out)]
        assert main(words + ([f"--limit={limit}"] if limit else [])) == 0
    files = {out: next((tmp_path / out).rglob("results_*.json")) for out in ("all", "part")}
    whole, part = (json.loads(files[out].read_text(encoding="utf-8")) for out in ("all", "part"))
    counted = part["n-samples"]["csc_conv_ref"]
    assert counted == {"original": 3, "effective": 2}
    one, other = (made["configs"]["csc_conv_ref"]["metadata"]["csc"] for made in (whole, part))
    assert one["content_hash"] == other["content_hash"] and other["rows"] == 3
    (samples,) = [file for file in find_samples([tmp_path / "part"]) if "majority" in str(file)][:1]
    ids = [line["doc"]["conversation_id"] for line in read_run(samples).lines]
    assert ids == order[:2]
    assert main(["baselines", str(corpus), "--limit", "0"]) == 1
    assert "--limit 0: must be at least 1" in capsys.readouterr().err
