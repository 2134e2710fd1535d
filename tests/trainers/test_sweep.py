"""Sweeps over a recipe key, and what their adapters score."""

import json
from pathlib import Path

import pytest

from csc_tasks.errors import ModelError, SettingError
from tests.support.fakes import sample_conversations
from tests.support.made_results import conversation_result, conversations, right, write_run
from trainers.sweep import folder_name, read_seeds, read_sweep
from trainers.sweep_file import base_point, trained_point
from trainers.sweep_table import comparison


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(row.to_row(), ensure_ascii=False) + "\n" for row in rows),
        encoding="utf-8",
    )


def test_a_sweep_names_a_key_and_its_values():
    assert read_sweep("lora-r=8, 16,8,32") == ("lora_r", ["8", "16", "32"])
    for wrong in ("lora_r", "lora_r=8", "rank=8,16"):
        with pytest.raises(SettingError, match="--sweep"):
            read_sweep(wrong)
    assert [folder_name(value, ["a/full", "a/none"]) for value in ("a/full", "a/none")] == [
        "full",
        "none",
    ]
    assert folder_name("a/data", ["a/data", "b/data"]) == "a-data"


def test_a_sweep_that_could_not_be_compared_or_would_write_one_folder_twice_stops_first(
    tmp_path, capsys
):
    from csc_tasks.cli import main

    items = sample_conversations()
    for name, test in (("a", items[3:4]), ("b", items[4:])):
        write(tmp_path / name / "rolecs/train.jsonl", items[:3])
        write(tmp_path / name / "csconv/test.jsonl", test)
    words = ["train", "--out", str(tmp_path / "out"), "--model", "nowhere", "--configs", "rolecs"]
    assert main([*words, "--sweep", f"data={tmp_path / 'a'},{tmp_path / 'b'}", "--score"]) == 1
    assert "--score would use different test splits" in capsys.readouterr().err
    assert main([*words, "--sweep", f"data={tmp_path / 'a'},{tmp_path / 'a'}/"]) == 1
    assert "would share a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_scoring_is_one_process_even_where_several_have_trained(monkeypatch, tmp_path):
    """lm_eval would wait for the other processes of the launcher for ever."""
    from subprocess import CompletedProcess

    from trainers import scoring

    seen = {}
    monkeypatch.setattr(scoring, "scoring_command", lambda *_: "lm_eval")
    monkeypatch.setattr(
        scoring.subprocess,
        "run",
        lambda words, env, check: seen.update(env) or CompletedProcess(words, 1),
    )
    launched = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "TORCHELASTIC_RUN_ID": "x",
    }
    for name, value in (launched | {"HF_HOME": "kept"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match="scoring failed"):
        scoring.score({}, tmp_path / "a", None, None)
    assert not launched.keys() & seen.keys() and seen["HF_HOME"] == "kept" and "PATH" in seen


def test_what_was_scored_is_read_from_the_newest_results(monkeypatch, tmp_path):
    """The command's results file as lm_eval writes it; N/A is left out."""
    from subprocess import CompletedProcess

    from trainers import scoring

    out = tmp_path / "a"
    items = conversations(2)

    def undefined(results):
        results["results"]["csc_conv_ref"]["strategy_acc_stderr,none"] = "N/A"

    def lm_eval(words, env, check):
        result = conversation_result("csc_conv_ref", items, right(0.5))
        write_run(Path(f"{out}-results"), "m", [result], undefined)
        return CompletedProcess(words, 0)

    monkeypatch.setattr(scoring, "scoring_command", lambda *_: "lm_eval")
    monkeypatch.setattr(scoring.subprocess, "run", lm_eval)
    scored = scoring.score({}, out, None, None)
    scores = scored.numbers["csc_conv_ref"]
    assert (scored.model, scored.file.parent.parent) == ("m", tmp_path / "a-results")
    assert (scores["turns"], scores["sample_len"], scores["strategy_acc"]) == (8, 2, 0.5)
    assert "strategy_acc_stderr" not in scores and scores["bleu_4_stderr"] >= 0


def test_seeds_are_whole_numbers_and_given_once():
    assert read_seeds(None, "lora_r", {}) == []
    assert read_seeds("2, 0,2", "lora_r", {}) == [2, 0]
    for text in ("", "1,", "a", "-1", "1.5"):
        with pytest.raises(SettingError, match=r"--seeds .*give whole numbers"):
            read_seeds(text, "lora_r", {})
    for key, flags in (("seed", {}), ("lora_r", {"seed": "3"})):
        with pytest.raises(SettingError, match="given twice"):
            read_seeds("1,2", key, flags)


RECORD = {
    "validation_loss": None,
    "train_loss": 2.5,
    "counts": {"rows": 1000, "tokens": 20000},
    "conversations": 900,
    "steps": 3,
    "trained_parameters": 4,
    "seconds": 5.4,
    "identity": "x",
    "base": "y",
    "recipe": {"seed": 7},
}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_sweeps_table_has_the_headline_metrics_in_the_order_of_all_tables():
    scores = {
        "csc_conv_ref": {
            "turns": 8,
            "rouge_l": 0.25,
            "bleu_4_en": 1.5,
            "strategy_acc": 0.5,
            "strategy_acc_stderr": 0.125,
            "unparsed": 0.1,
            "metric_of_tomorrow": 1.0,
        }
    }
    points = [trained_point(value, RECORD, value) for value in "48"]
    points[1].scores = scores
    header, _, first, second = comparison("lora_r", points).splitlines()
    assert cells(header)[-3:] == [
        "csc_conv_ref bleu_4_en",
        "csc_conv_ref rouge_l",
        "csc_conv_ref strategy_acc",
    ]
    assert first == "| 4 | – | 1,000 | 20,000 | 3 | 4 | 5 | – | – | – |"
    assert second == "| 8 | – | 1,000 | 20,000 | 3 | 4 | 5 | 1.5 | 0.25 | 0.5 ± 0.12 |"


def test_a_sweeps_table_tells_seeds_apart_and_the_base_from_what_was_trained():
    of_seeds = [RECORD | {"recipe": {"seed": seed}} for seed in (7, 8)]
    points = [base_point("0", RECORD), *(trained_point("all", one, "x") for one in of_seeds)]
    header, _, base, *trained = comparison("train_size", points).splitlines()
    assert cells(header)[:4] == ["train_size", "seed", "validation loss", "rows"]
    assert cells(base) == ["0 (the base)", "–", "–", "0", "0", "0", "0", "0"]
    assert [cells(line)[:4] for line in trained] == [
        ["all", "7", "–", "1,000"],
        ["all", "8", "–", "1,000"],
    ]
    # With one seed there is nothing to tell apart.
    header = comparison("train_size", points[:2]).splitlines()[0]
    assert cells(header)[:2] == ["train_size", "validation loss"]
