"""Sweeps that really train a tiny model: the base as the size 0, nested sizes, seeds, and going on.

lm_eval is played by a function that writes results as lm_eval does; the slow test lets it score.
"""

import itertools
import json
import shlex
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from csc_tasks.cli import main
from csc_tasks.conversation import content_id
from tests.support.made_results import conversation_result, conversations, right, write_run
from tests.support.training_base import make_home, words
from trainers import adapter, scoring
from trainers.recipe import as_dict
from trainers.sweep_file import read_earlier

pytestmark = pytest.mark.xdist_group("train")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory)


@pytest.fixture
def lm_eval(monkeypatch):
    """The commands that scored; `commands.fail_at` makes one of them fail."""

    class Commands(list):
        fail_at = None

    commands = Commands()

    def run(command, env, check):
        commands.append(command[2:])
        if len(commands) == commands.fail_at:
            return CompletedProcess(command, 1)
        given = dict(itertools.pairwise(command))
        model = dict(part.split("=", 1) for part in given["--model_args"].split(","))
        name = model.get("peft", model["pretrained"])
        result = conversation_result("csc_conv_ref", conversations(2), right(0.5))
        write_run(Path(given["--output_path"]), Path(name).name, [result])
        return CompletedProcess(command, 0)

    monkeypatch.setattr(scoring.subprocess, "run", run)
    return commands


def arguments(home, out, *more, **changed):
    settings = {"epochs": "1", "checkpoints": "1000", **changed}
    return [*words(home / "base", home / "corpus", out, **settings), *more]


def points_of(out):
    content = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    assert content["format"] == "csc-tasks sweep, version 1"
    return content["points"]


def test_the_size_0_is_the_base_asked_on_the_adapters_prompts(home, tmp_path, lm_eval, capsys):
    out = tmp_path / "out"
    command = arguments(home, out, "--sweep", "train_size=0,2,all", "--score", "--limit", "2")
    assert main(command) == 0
    base, two, whole = points_of(out)
    assert (base["value"], base["base"], base["size"], base["steps"]) == ("0", True, 0, 0)
    assert (base["folder"], base["seed"], base["validation_loss"]) == (None, None, None)
    assert [point["size"] for point in (two, whole)] == [2, 4]
    for point, folder in ((two, "2"), (whole, "all")):
        record = adapter.finished_record(out / folder)
        assert (point["folder"], point["base"], point["seed"]) == (folder, False, 0)
        assert (point["rows"], point["steps"]) == (record["counts"]["rows"], record["steps"])
        assert point["identity"] == record["identity"]
        assert record["conversations"] == point["size"]
    assert not (out / "0").exists()
    # The base is asked as the adapters are, but for the adapter and the folder.
    asked = [dict(itertools.pairwise(words)) for words in lm_eval]
    assert "peft=" not in asked[0]["--model_args"]
    assert asked[0]["--model_args"] == asked[1]["--model_args"].replace(f",peft={out}/2", "")
    for key in ("--tasks", "--metadata", "--batch_size", "--limit"):
        assert asked[0][key] == asked[1][key] == asked[2][key]
    assert "--apply_chat_template" in lm_eval[0]
    # What was scored is found below the folder.
    for point, folder in ((base, "0"), (two, "2"), (whole, "all")):
        assert point["results"] == f"{folder}-results"
        assert (out / point["file"]).is_relative_to(out / point["results"])
        (measured,) = scoring.read_measurements([out / point["file"]])
        assert (point["model"], measured.numbers["strategy_acc"][0]) == (
            measured.identity.name,
            point["scores"]["csc_conv_ref"]["strategy_acc"],
        )
    table = (out / "sweep.md").read_text(encoding="utf-8")
    assert table in capsys.readouterr().out and "| 0 (the base) | – | 0 |" in table


def test_a_sweep_that_was_killed_goes_on_where_it_stopped(home, tmp_path, lm_eval, capsys):
    out = tmp_path / "out"
    command = arguments(home, out, "--sweep", "train_size=0,1,2", "--score")
    lm_eval.fail_at = 2
    assert main(command) == 1
    assert "scoring failed" in capsys.readouterr().err
    assert [point["file"] is not None for point in points_of(out)] == [True, False, False]
    weights = {size: (out / size / "adapter_model.safetensors").stat().st_mtime_ns for size in "12"}
    assert main(command) == 0
    outputs = [dict(itertools.pairwise(words))["--output_path"] for words in lm_eval]
    assert [Path(folder).name for folder in outputs] == [
        *("0-results", "1-results"),
        *("1-results", "2-results"),
    ]
    for size, time in weights.items():
        assert (out / size / "adapter_model.safetensors").stat().st_mtime_ns == time
    said = capsys.readouterr().out
    assert said.count("scored already") == 1 and said.count("is finished already") == 2
    # Finished: nothing is asked again. Another --limit, or results that are gone, are.
    before = (out / "sweep.json").read_bytes()
    assert main(command) == 0 and len(lm_eval) == 4
    assert (out / "sweep.json").read_bytes() == before
    (out / points_of(out)[2]["file"]).unlink()
    assert main(command) == 0 and len(lm_eval) == 5
    assert main([*command, "--limit", "1"]) == 0 and len(lm_eval) == 8


def test_without_scoring_it_says_what_waits_and_keeps_what_was_scored(
    home, tmp_path, lm_eval, capsys
):
    out = tmp_path / "out"
    command = arguments(home, out, "--sweep", "train_size=0,1")
    assert main(command) == 0
    assert "Not scored: 0, 1; the same command with --score" in capsys.readouterr().out
    assert [point["results"] for point in points_of(out)] == [None, None]
    assert main([*command, "--score"]) == 0 and len(lm_eval) == 2
    scored = points_of(out)
    assert main(command) == 0 and len(lm_eval) == 2
    assert points_of(out) == scored
    assert "Not scored" not in capsys.readouterr().out.rpartition("--- ")[2]


def test_every_value_is_trained_with_every_seed_and_the_base_is_one_point(home, tmp_path, lm_eval):
    out = tmp_path / "out"
    more = ("--sweep", "train_size=0,2", "--seeds", "3,4", "--score")
    assert main(arguments(home, out, *more)) == 0
    rows = [(point["value"], point["seed"], point["folder"]) for point in points_of(out)]
    assert rows == [("0", None, None), ("2", 3, "2-seed3"), ("2", 4, "2-seed4")]
    assert len(lm_eval) == 3
    for seed in (3, 4):
        assert adapter.finished_record(out / f"2-seed{seed}")["recipe"]["seed"] == seed


def test_a_rank_sweep_writes_the_same_file(home, tmp_path, lm_eval, capsys):
    out = tmp_path / "out"
    assert main(arguments(home, out, "--sweep", "lora_r=2,4", "--score")) == 0
    content = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    assert (content["key"], content["limit"]) == ("lora_r", None)
    assert [(point["value"], point["size"]) for point in content["points"]] == [("2", 4), ("4", 4)]
    # Its folder is not taken by a sweep over another key.
    assert main(arguments(home, out, "--sweep", "train_size=0,2")) == 1
    assert "holds a sweep over lora_r; give another folder" in capsys.readouterr().err
    assert json.loads((out / "sweep.json").read_text(encoding="utf-8")) == content


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("0,3,5,9,all", "--sweep train_size: there are 4 conversations to learn, not 5, 9;"),
        ("0,-3", "train_size: -3 must be at least 1"),
        ("0,1.5", "train_size: '1.5' must be a whole number"),
        ("0,most", "train_size: 'most' must be a whole number"),
        ("0", "at least two values"),
        ("0,2,02", "two of the values 0, 2, 02 are the same"),
    ],
)
def test_a_size_that_cannot_be_is_one_line_before_anything_is_made(
    home, tmp_path, capsys, values, message
):
    out = tmp_path / "out"
    assert main(arguments(home, out, "--sweep", f"train_size={values}")) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": "another", "points": []}', '{"key": "lora_r", "rows": []}', "\x00"],
)
def test_a_file_that_is_no_sweeps_is_as_good_as_none(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content, encoding="utf-8")
    assert read_earlier(tmp_path).points == ()


def test_an_adapter_of_before_sizes_could_be_chosen_is_the_same_training(home, tmp_path):
    """Its identity is made of the keys that there were."""
    out = tmp_path / "out"
    assert main(arguments(home, out)) == 0
    record = adapter.finished_record(out)
    recipe = adapter.recipe_of(record)
    newer = ("train_size", "format", "report_to")
    settings = {name: value for name, value in as_dict(recipe).items() if name not in newer}
    hashes = [source["content_hash"] for source in record["data"]]
    settings["model"] = record["base"]
    assert record["identity"] == content_id("training", settings, hashes)
    assert (recipe.train_size, recipe.format) == (None, "text")


@pytest.mark.slow
def test_lm_eval_scores_the_base_and_its_adapters(home, tmp_path):
    lines = (home / "corpus/rolecs/train.jsonl").read_text(encoding="utf-8").splitlines(True)
    for name, kept in (("data/rolecs/train", lines[:4]), ("tested/csconv/test", lines[4:])):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / f"{name}.jsonl").write_text("".join(kept), encoding="utf-8")
    out = tmp_path / "out"
    changed = {"data": str(tmp_path / "data"), "test_data": str(tmp_path / "tested")}
    more = ("--sweep", "train_size=0,all", "--score", "--limit", "1")
    assert main(arguments(home, out, *more, **changed)) == 0
    base, whole = points_of(out)
    for point in (base, whole):
        assert {"csc_conv_ref", "csc_conv_gen"} == set(point["scores"])
    (of_base, *_) = scoring.read_measurements([out / base["file"]])
    (of_adapter, *_) = scoring.read_measurements([out / whole["file"]])
    assert of_base.identity.base is None and of_adapter.identity.base is not None
    assert "peft" not in shlex.split(base["command"])
    # Same documents, same prompts: a board takes both.
    assert of_base.provenance.prompt == of_adapter.provenance.prompt == "chat"
