"""A turn that failed has no reply of the model's: nobody rates it, and every verb says how many
there were.
"""

import csv
import json

import pytest

from csc_tasks.cli import main
from leaderboard.judging.ratings import FAILED_TURN, read_comparisons, read_ratings
from leaderboard.judging.units import read_models
from tests.support.judged_models import curt, gold, write_model


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two models; of the first one every reply in its first conversation of each task failed."""
    root = tmp_path_factory.mktemp("results")
    for name, talk in (("org/one", gold), ("org/two", curt)):
        write_model(root, name, talk, documents=4, language="en")
    for file in root.glob("org__one/samples_*.jsonl"):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        first = lines[0].get("turns", lines[0].get("answers"))
        for record in first:
            record.update(failed=True, failure="no answer", reply="")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        file.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def failed(results):
    """The first conversation of each task, by task."""
    ids = {}
    for judged in read_models([results], whole=False):
        own = {unit.conversation_id for unit in judged.units.values() if unit.failed}
        assert len(own) == (judged.model == "org/one")
        if own:
            (ids[judged.task],) = own
    return ids


def run(verb, results, out, capsys, *more):
    assert (
        main([*verb, str(results), "--llm", "scripted", "--out", str(out), "--turns", "9", *more])
        == 0
    )
    return capsys.readouterr().out


def test_a_judge_is_not_asked_and_the_table_counts_them(results, failed, tmp_path, capsys):
    printed = run(["judge"], results, tmp_path / "out", capsys)
    ratings = read_ratings([tmp_path / "out"])
    without = [rating for rating in ratings if rating.scores is None]
    assert {(r.model, r.task, r.conversation_id) for r in without} == {
        ("org/one", task, id_) for task, id_ in failed.items()
    }
    assert {(r.problem, r.attempts) for r in without} == {(FAILED_TURN, 0)}
    (counts,) = json.loads((tmp_path / "out" / "judge.json").read_text())["counts"].values()
    assert counts == {
        "asked": len(ratings) - len(without),
        "failed_turns": len(without),
        "missing": 0,
        "asked_again": 0,
        "problems": {},
    }
    assert "|rated|missing|failed turns|\n" in printed
    # Of four conversations as they were played, one has failed turns in it.
    assert [
        line.split("|")[-4:-1] for line in printed.splitlines() if "|csc_conv_gen|" in line
    ] == [
        ["3", "0", "1"],
        ["4", "0", "0"],
    ]
    assert f"0 missing; {len(without)} not asked about, the model's turn failed" in printed
    # In the results files such a unit has no score, and is among the missing ones.
    (file,) = (tmp_path / "out").glob("org__one/samples_csc_conv_gen_*.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    last = {
        line["doc"]["conversation_id"]: (
            line["judge_scripted_overall"][1][-1],
            line["judge_scripted_missing"][1][-1],
        )
        for line in lines
    }
    assert last.pop(failed["csc_conv_gen"]) == (None, 1.0)
    assert len(last) == 3 and {absent for _, absent in last.values()} == {0.0}
    assert main(["agreement", str(tmp_path / "out"), "--out", str(tmp_path / "reliability")]) == 0
    sections = json.loads((tmp_path / "reliability" / "reliability.json").read_text())["sections"]
    (section,) = (section for section in sections if section["title"] == "Parse failures")
    (row,) = (dict(zip(section["columns"], row, strict=True)) for row in section["rows"])
    assert (row["asked"], row["missing"], row["failed turns"]) == (
        len(ratings) - len(without),
        0,
        len(without),
    )


def test_a_judge_of_facts_is_not_asked(results, failed, tmp_path, capsys):
    printed = run(["judge", "facts"], results, tmp_path / "out", capsys)
    record = json.loads((tmp_path / "out" / "facts.json").read_text())
    lines = [
        json.loads(line)
        for line in (tmp_path / "out" / "facts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    without = [line for line in lines if line["problem"] == FAILED_TURN]
    assert without and {line["conversation_id"] for line in without} == {*failed.values()}
    assert {(line["facts"], line["attempts"], line["model"]) for line in without} == {
        (None, 0, "org/one")
    }
    (counts,) = record["counts"].values()
    assert (counts["failed_turns"], counts["missing"], counts["empty"]) == (len(without), 0, 0)
    for row in record["rates"]:
        own = [
            line for line in lines if (line["task"], line["model"]) == (row["task"], row["model"])
        ]
        lost = sum(line in without for line in own)
        assert (row["replies"], row["missing"], row["failed_turns"]) == (len(own) - lost, 0, lost)
    assert "|replies|missing|failed turns|\n" in printed
    assert f"; {len(without)} not asked about, the model's turn failed; " in printed


def test_no_pair_with_a_failed_turn_is_compared(results, failed, tmp_path, capsys):
    printed = run(["pairwise"], results, tmp_path / "out", capsys)
    pairs = read_comparisons([tmp_path / "out"])
    without = [pair for pair in pairs if pair.problem == FAILED_TURN]
    assert {(pair.task, pair.conversation_id) for pair in without} == {*failed.items()}
    assert all(pair.forward is None and pair.backward is None for pair in without)
    assert all(pair.winner for pair in pairs if pair not in without)
    record = json.loads((tmp_path / "out" / "pairwise.json").read_text())
    assert record["counts"] == {
        "scripted": {"pairs": len(pairs), "failed_turns": len(without), "missing": 0}
    }
    assert (
        f"scripted: {len(pairs)} pairs, 0 missing; {len(without)} not asked about, the model's turn"
        " failed" in printed
    )


def test_people_are_not_given_one(results, failed, tmp_path, capsys):
    out = tmp_path / "study"
    assert (
        main(
            ["human", "export", str(results), "--out", str(out), "--raters", "2", "--ratings", "2"]
        )
        == 0
    )
    assert capsys.readouterr().out.count("left out, a model's turn failed") == len(failed)
    key = json.loads((out / "key.json").read_text())
    rated = {(item["task"], item["conversation_id"]) for item in key["items"].values()}
    assert rated and not rated & {*failed.items()}
    with (out / "rater-1.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(key["items"])
