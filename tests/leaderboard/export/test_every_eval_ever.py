"""`csc export --to every-eval-ever`: every turn a row, our errors and bounds, nothing private."""

import importlib
import importlib.util
import json
import math
import statistics
from collections import Counter

import pytest

from csc_tasks.cli import main
from leaderboard.export import command, validation
from tests.support.hostile_run import SECRETS, write_hostile
from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    right,
    write_run,
)

ITEMS = conversations(13)  # of four supporter turns each: 52
REF, GEN = "csc_conv_ref", "csc_conv_gen"


def export(out, *paths, options=()):
    words = ["export", *map(str, paths), "--to", "every-eval-ever", "--organization", "ACME"]
    return main([*words, "--out", str(out), *options])


def results_of(tasks):
    return [conversation_result(task, ITEMS, right(0.5)) for task in tasks]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(evaluation, rows, their paths) of a run of two tasks."""
    root = tmp_path_factory.mktemp("run")
    write_run(root / "in", "org/model", results_of([REF, GEN]))
    assert export(root / "out", root / "in") == 0
    (log,) = root.glob("out/data/csc/org/model/*[!s].json")
    (samples,) = root.glob("out/data/csc/org/model/*_samples.jsonl")
    lines = samples.read_text().splitlines()
    return json.loads(log.read_text()), [json.loads(line) for line in lines], (log, samples)


def test_every_turn_is_a_row_of_every_metric_it_has(exported):
    log, rows, (_, samples) = exported
    turns = Counter((row["evaluation_result_id"]) for row in rows)
    assert turns[f"{REF}/strategy_acc"] == turns[f"{GEN}/strategy_acc"] == 52
    assert turns[f"{REF}/rouge_l"] == 52
    ids = {result["evaluation_result_id"] for result in log["evaluation_results"]}
    assert set(turns) <= ids and f"{REF}/bleu_4" in ids - set(turns)
    detail = log["detailed_evaluation_results"]
    assert detail["total_rows"] == len(rows)
    assert detail["file_path"].endswith(samples.name)
    assert {row["evaluation_id"] for row in rows} == {log["evaluation_id"]}


def test_numbers_have_errors_clustered_by_conversation_and_bounds(exported):
    log, rows, _ = exported
    by_id = {result["evaluation_result_id"]: result for result in log["evaluation_results"]}
    result = by_id[f"{REF}/strategy_acc"]
    # Right on the first half of the four turns of each conversation.
    assert result["score_details"]["score"] == 0.5
    scores = [row for row in rows if row["evaluation_result_id"] == f"{REF}/strategy_acc"]
    assert statistics.mean(row["evaluation"]["score"] for row in scores) == 0.5
    assert [row["evaluation"]["is_correct"] for row in scores[:4]] == [True, True, False, False]
    uncertainty = result["score_details"]["uncertainty"]
    assert uncertainty["standard_error"] == {"value": 0.0, "method": "clustered by conversation"}
    assert uncertainty["num_samples"] == 52
    assert result["score_details"]["details"]["conversations"] == "13"
    metric = result["metric_config"]
    assert (metric["min_score"], metric["max_score"], metric["lower_is_better"]) == (0, 1, False)
    rouge = by_id[f"{REF}/rouge_l"]["score_details"]["uncertainty"]
    interval = rouge["confidence_interval"]
    assert interval["lower"] < by_id[f"{REF}/rouge_l"]["score_details"]["score"]
    assert interval["confidence_level"] == 0.95
    # The rows are of the same numbers: SE = sqrt(G/(G-1) sum_g (sum of deviations)^2) / n.
    values = {}
    for row in rows:
        if row["evaluation_result_id"] == f"{REF}/rouge_l":
            name = row["metadata"]["conversation_id"]
            values.setdefault(name, []).append(row["evaluation"]["score"])
    mean = statistics.mean(v for group in values.values() for v in group)
    squares = sum(sum(v - mean for v in group) ** 2 for group in values.values())
    error = math.sqrt(len(values) / (len(values) - 1) * squares) / 52
    assert rouge["standard_error"]["value"] == pytest.approx(error, rel=1e-9)


def test_messages_are_what_the_model_had_before_it(exported):
    _, rows, _ = exported
    (second,) = [
        row
        for row in rows
        if row["evaluation_result_id"] == f"{REF}/strategy_acc" and row["sample_id"] == "case-003:3"
    ]
    gold = [
        ("user", "question 0 of case 3"),
        ("assistant", "gold answer 0 of case 3"),
        ("user", "question 1 of case 3"),
        ("assistant", "a reply 3"),
    ]
    assert [(m["role"], m["content"]) for m in second["messages"]] == gold
    assert [m["turn_idx"] for m in second["messages"]] == [0, 1, 2, 3]
    assert second["input"]["reference"] == ["gold answer 1 of case 3"]
    assert second["answer_attribution"][0]["turn_idx"] == 3 and second["output"] is None
    assert second["metadata"]["gold_strategy"] == "PR"
    (played,) = [
        row
        for row in rows
        if row["evaluation_result_id"] == f"{GEN}/strategy_acc" and row["sample_id"] == "case-003:3"
    ]
    assert played["messages"][1]["content"] == "a reply 1"  # its own, not the recorded one


def test_again_gives_the_same_bytes(exported, tmp_path):
    _, _, (log, samples) = exported
    assert export(tmp_path / "out", log.parents[5] / "in") == 0
    for file in (log, samples):
        again = tmp_path / "out" / file.relative_to(log.parents[4])
        assert again.read_bytes() == file.read_bytes()


def test_a_name_that_is_none_of_the_hub_is_the_developers(tmp_path, capsys):
    write_run(tmp_path / "in", "/home/anna/models/mine", results_of([REF]))
    options = ("--developer", "ACME Labs", "--without-samples")
    assert export(tmp_path / "out", tmp_path / "in", options=options) == 0
    (log,) = (tmp_path / "out").rglob("*.json")
    assert log.parent == tmp_path / "out/data/csc/ACME-Labs/mine"
    assert "anna" not in log.read_text() and "detailed_evaluation_results" not in log.read_text()
    assert "0 rows" in capsys.readouterr().out


def test_personal_data_and_secrets_stay(tmp_path, capsys, monkeypatch):
    reply = right(1.0, "Write to anna.smith@corp-mail.org:")
    write_run(tmp_path / "in", "org/model", [conversation_result(REF, ITEMS, reply)])
    words = ("--pii", str(tmp_path / "pii.yaml"))
    assert export(tmp_path / "out", tmp_path / "in", options=words) == 1
    said = capsys.readouterr()
    assert "anna.smith" not in said.out + said.err and not (tmp_path / "out").exists()
    monkeypatch.setattr(command, "_why_not", lambda made: "")  # they contradict themselves too
    for as_text in (False, True):
        write_hostile(tmp_path / "hostile" / str(as_text), as_text)
    status = export(
        tmp_path / "hidden", tmp_path / "hostile", options=("--without-samples", *words)
    )
    assert status == 0
    written = "".join(file.read_text() for file in (tmp_path / "hidden").rglob("*.json"))
    assert written and not [secret for secret in SECRETS if secret in written]


def test_a_run_that_contradicts_itself_is_left_out(tmp_path, capsys):
    def inflate(made):
        made["results"][REF]["strategy_acc,none"] = 0.9

    write_run(tmp_path / "in", "org/model", results_of([REF]), inflate)
    assert export(tmp_path / "out", tmp_path / "in") == 1
    said = capsys.readouterr().err
    assert "left out: org/model" in said and "contradict" in said
    assert "error: nothing to export" in said


def test_infinite_bounds_and_corpora_of_the_hub_have_their_form(tmp_path):
    def on_hub(made):
        csc_of(made)["corpus"], csc_of(made)["revision"] = "org/corpus", "c" * 40

    write_run(tmp_path / "in", "org/model", results_of([REF]), on_hub)
    assert export(tmp_path / "out", tmp_path / "in", options=("--without-samples",)) == 0
    (log,) = (tmp_path / "out").rglob("*.json")
    for result in json.loads(log.read_text())["evaluation_results"]:
        assert result["source_data"]["hf_repo"] == "org/corpus"
        assert result["source_data"]["source_type"] == "hf_dataset"


def test_the_targets_own_validator_takes_every_file(exported):
    pytest.importorskip(validation.PACKAGE, reason="needs Python 3.12 and every-eval-ever")
    _, _, files = exported
    assert "valid by every-eval-ever (0 warnings)" in validation.validated(
        files[0].parents[4], files
    )


def test_inspect_is_written_by_its_own_models(tmp_path, capsys):
    write_run(tmp_path / "in", "org/model", results_of([REF]))
    words = ["export", str(tmp_path / "in"), "--to", "inspect", "--out", str(tmp_path / "out")]
    if importlib.util.find_spec("inspect_ai") is None:
        assert main(words) == 1
        assert "needs inspect_ai: pip install inspect-ai" in capsys.readouterr().err
        return
    assert main(words) == 0
    (file,) = (tmp_path / "out").rglob("*.json")
    log = importlib.import_module("inspect_ai.log").read_eval_log(str(file))
    assert (log.status, log.eval.model, len(log.samples)) == ("success", "org/model", 52)
    assert {sample.scores["strategy_acc"].value for sample in log.samples} == {0.0, 1.0}
