"""Recipes, the data they name, and what the machine can do: everything that is checked before a
model is loaded.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from csc_tasks.errors import CscError, DataError, ModelError, SettingError
from tests.support.fakes import sample_conversations, sample_questions
from tests.support.made_results import conversation_result, conversations, right, write_run
from trainers import hardware, recipe
from trainers.recipe import KEYS, Recipe, as_dict, read_recipe
from trainers.splits import hold_out, read_split, read_training_data
from trainers.sweep import folder_name, read_sweep

RECIPES = sorted(
    path
    for path in (Path(recipe.__file__).parent / "recipes").glob("*.yaml")
    if not path.name.startswith("accelerate")
)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(row.to_row(), ensure_ascii=False) + "\n" for row in rows),
        encoding="utf-8",
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_shipped_recipe_is_valid(path):
    assert read_recipe(path, {"model": "m"}).model == "m"


def test_the_question_recipe_is_the_papers():
    found = read_recipe(next(path for path in RECIPES if path.name == "slm_qa.yaml"), {})
    # arXiv 2602.00665: QLoRA settings of its training section.
    expected = {
        "quantization": "nf4",
        "double_quantization": True,
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.1,
        "max_length": 512,
        "epochs": 3,
        "optimizer": "adamw_torch",
    }
    assert {key: getattr(found, key) for key in expected} == expected


def test_every_key_has_help_and_flags_win_over_the_file(tmp_path):
    assert list(KEYS) == list(Recipe.__dataclass_fields__)
    assert all(about.help for about in KEYS.values())
    file = tmp_path / "r.yaml"
    file.write_text("lora_r: 8\nlearning_rate: 2e-4\ndata: [a, b]\nrevision:\n", encoding="utf-8")
    found = read_recipe(file, {"lora_r": "32", "data": "c,d", "double_quantization": "false"})
    assert (
        found.lora_r,
        found.learning_rate,
        found.data,
        found.double_quantization,
        found.revision,
    ) == (32, 2e-4, ("c", "d"), False, None)
    assert found == read_recipe(None, as_dict(found)) != Recipe()


def test_the_help_of_a_key_names_all_that_it_can_be():
    chosen = {name: about for name, about in KEYS.items() if about.choices}
    assert set(chosen) >= {"style", "batching", "schedule", "optimizer", "precision"}
    for name, about in chosen.items():
        # Languages are folders: there may be more tomorrow.
        named = ("zh", "en") if name == "language" else about.choices
        assert all(choice in about.help for choice in named), name


def test_trl_and_peft_are_given_what_the_recipe_says(tmp_path):
    """Every key that has a name of theirs, against what their own objects then hold."""
    from trainers.library_arguments import lora_config, sft_config

    flags = {
        "lora_r": 7,
        "lora_alpha": 21,
        "lora_dropout": 0.25,
        "lora_target": "q_proj,v_proj",
        "epochs": 1.5,
        "learning_rate": 3e-3,
        "schedule": "linear",
        "warmup": 0.2,
        "weight_decay": 0.05,
        "optimizer": "adamw_torch_fused",
        "adam_beta2": 0.97,
        "max_grad_norm": 0.5,
        "batch_size": 3,
        "accumulation": 5,
        "gradient_checkpointing": "false",
        "checkpoints": 20,
        "log_every": 9,
        "seed": 11,
        "max_length": 300,
    }
    one = read_recipe(None, flags)
    trl = sft_config(one, hardware.choose_precision("fp32"), tmp_path, evaluates=True)
    expected = {
        "num_train_epochs": 1.5,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.2,
        "weight_decay": 0.05,
        "optim": "adamw_torch_fused",
        "adam_beta2": 0.97,
        "max_grad_norm": 0.5,
        "per_device_train_batch_size": 3,
        "per_device_eval_batch_size": 3,
        "gradient_accumulation_steps": 5,
        "gradient_checkpointing": False,
        "logging_steps": 9,
        "seed": 11,
        "max_length": None,
        "packing": False,
        "bf16": False,
        "save_steps": 20,
        "eval_steps": 20,
        "load_best_model_at_end": False,
    }
    assert {name: getattr(trl, name) for name in expected} == expected
    peft = lora_config(one)
    assert (peft.r, peft.lora_alpha, peft.lora_dropout) == (7, 21, 0.25)
    assert (peft.target_modules, peft.modules_to_save) == ({"q_proj", "v_proj"}, None)
    assert lora_config(read_recipe(None, {})).target_modules == "all-linear"
    packed = read_recipe(None, {"batching": "packed", "max_length": 300, "early_stopping": 2})
    trl = sft_config(packed, hardware.choose_precision("fp32"), tmp_path, evaluates=True)
    assert (trl.packing, trl.max_length, trl.load_best_model_at_end) == (True, 300, True)
    assert (trl.gradient_checkpointing, trl.save_steps) == (True, 0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora_rank: 8", r"r\.yaml: unknown key 'lora_rank' \(closest: lora_"),
        ("lora_r: 8.5", "lora_r: 8.5 must be a whole number"),
        ("lora_r: true", "lora_r: True must be a whole number"),
        ("lora_r: 0", "lora_r: 0 must be at least 1"),
        ("epochs: 0", "epochs: 0.0 must be greater than 0"),
        ("learning_rate: .nan", "learning_rate: nan must be a number"),
        ("epochs: .inf", "epochs: inf must be a number"),
        ("configs: []", "configs: name at least one"),
        ("lora_target: ''", "lora_target: name at least one"),
        ("style: both", "style: 'both' is not one of single, chat"),
        ("double_quantization: 1", "must be true or false"),
        ("data: 5", "data: 5 must be a list of names"),
        ("model: [a]", r"model: \['a'\] must be text"),
        ("configs: [train]", "configs: train unknown"),
        ("style: chat\nchat_template: false", "style: chat needs the chat template"),
        ("early_stopping: 2\nvalidation_share: 0", "early_stopping needs a validation loss"),
        ("- a\n- b", "a recipe is a list of `key: value` lines; found list"),
        ("a: [", "not a readable YAML file"),
        ("lora_r: 8\nepochs: 1\nlora_r: 16", r"r\.yaml: lora_r stands there more than once"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_in_one_line(text, message, tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message) as raised:
        read_recipe(file, {})
    assert "\n" not in str(raised.value) and "r.yaml" in str(raised.value)


def test_a_conversation_that_is_also_in_a_test_split_is_refused(tmp_path):
    items = sample_conversations()
    write(tmp_path / "data/rolecs/train.jsonl", items[:3])
    write(tmp_path / "elsewhere/csconv/test.jsonl", items[2:])
    assert read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, []).tested == {}
    with pytest.raises(
        DataError,
        match=(
            r"1 conversations to train on also stand in .*elsewhere"
            rf" csconv/test.*{items[2].conversation_id}"
        ),
    ):
        read_training_data(
            [str(tmp_path / "data")], ["rolecs"], None, 0, [str(tmp_path / "elsewhere")]
        )
    write(tmp_path / "data/csconv/test.jsonl", items[:1])
    with pytest.raises(DataError, match="also stand in"):
        read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, [])
    # The same dialogue under another id, as the published corpora have it in each config, and
    # without its strategies.
    unlabelled = tuple(dataclasses.replace(turn, strategy="") for turn in items[1].dialogue)
    write(
        tmp_path / "data/csconv/test.jsonl",
        [dataclasses.replace(items[1], conversation_id="csconv-1", dialogue=unlabelled)],
    )
    with pytest.raises(DataError, match=rf"1 conversations .*{items[1].conversation_id}"):
        read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, [])
    # A question and a dialogue of one conversation share its id.
    write(tmp_path / "data/csconv/test.jsonl", items[3:])
    questions = sample_questions()
    write(tmp_path / "data/qa/train.jsonl", questions)
    write(tmp_path / "other/qa/test.jsonl", questions[:1])
    with pytest.raises(DataError, match="qa/test"):
        read_training_data([str(tmp_path / "data")], ["qa"], None, 0, [str(tmp_path / "other")])


def test_a_validation_split_is_used_where_there_is_one_and_else_a_share_of_the_conversations(
    tmp_path,
):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    found = read_training_data([str(tmp_path / "a")], ["rolecs", "qa"], None, 0.4, [])
    assert (len(found.train), len(found.validation)) == (3, 2) and not set(found.train) & set(
        found.validation
    )
    again = read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0.4, [])
    assert again.validation == found.validation
    write(tmp_path / "a/rolecs/validation.jsonl", items[:1])
    write(tmp_path / "a/rolecs/train.jsonl", items[1:])
    found = read_training_data([str(tmp_path / "a")], ["rolecs"], "en", 0.4, [])
    assert [item.conversation_id for item in found.validation] == [items[0].conversation_id]
    assert {item.language for item in (*found.train, *found.validation)} == {"en"}
    assert read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0, []).validation == ()


def test_a_language_is_held_out_of_too_whatever_the_other_languages_have(tmp_path):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    for language in ("zh", "en"):
        found = read_training_data([str(tmp_path / "a")], ["rolecs"], language, 0.2, [])
        assert len(found.validation) == 1 and {
            item.language for item in (*found.train, *found.validation)
        } == {language}
    # A validation split that has nothing in this language is none.
    write(tmp_path / "a/rolecs/train.jsonl", items[1:])
    write(tmp_path / "a/rolecs/validation.jsonl", items[:1])
    other = {"zh": "en", "en": "zh"}[items[0].language]
    assert (
        len(read_training_data([str(tmp_path / "a")], ["rolecs"], other, 0.2, []).validation) == 1
    )
    # Of one that has both languages only the rows of this one.
    write(tmp_path / "a/rolecs/train.jsonl", items[:2] + items[4:])
    write(tmp_path / "a/rolecs/validation.jsonl", items[2:4])
    assert {item.language for item in items[2:4]} == {"zh", "en"}
    for language in ("zh", "en"):
        found = read_training_data([str(tmp_path / "a")], ["rolecs"], language, 0.2, [])
        assert [item.language for item in found.validation] == [language]


def test_the_same_rows_twice_are_refused_and_configs_that_are_nowhere_are_said(tmp_path):
    write(tmp_path / "a/rolecs/train.jsonl", sample_conversations())
    write(tmp_path / "b/rolecs/train.jsonl", sample_conversations())
    for names in ((tmp_path / "a", tmp_path / "a"), (tmp_path / "a", tmp_path / "b")):
        with pytest.raises(DataError, match="has the same rows as"):
            read_training_data([str(name) for name in names], ["rolecs"], None, 0, [])
    assert read_training_data(
        [str(tmp_path / "a")], ["rolecs", "qa_short"], None, 0, []
    ).absent == ("qa_short",)


def test_a_conversation_held_out_in_one_corpus_is_not_learned_from_another(tmp_path):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    write(tmp_path / "b/rolecs/train.jsonl", items[:2])
    write(tmp_path / "b/rolecs/validation.jsonl", items[3:4])
    found = read_training_data(
        [str(tmp_path / "a"), str(tmp_path / "b")], ["rolecs"], None, 0.2, []
    )
    held = {item.conversation_id for item in found.validation}
    assert items[3].conversation_id in held and not held & {
        item.conversation_id for item in found.train
    }
    # Five rows of a, less the one held out of it, and two of b.
    assert len(found.train) + found.set_aside == 4 + 2 and found.set_aside >= 1
    # The same dialogue under another id.
    write(tmp_path / "c/rolecs/train.jsonl", items[:2])
    write(
        tmp_path / "c/csconv/train.jsonl",
        [dataclasses.replace(items[0], conversation_id="csconv-1")],
    )
    write(
        tmp_path / "c/csconv/validation.jsonl",
        [dataclasses.replace(items[1], conversation_id="csconv-2")],
    )
    found = read_training_data([str(tmp_path / "c")], ["rolecs", "csconv"], None, 0.01, [])
    learned = {item.dialogue for item in found.train}
    assert not learned & {item.dialogue for item in found.validation}


def test_a_dialogue_held_out_under_another_id_is_set_aside(tmp_path):
    """Three dialogues are trained on in rolecs and held out, under other ids, in csconv."""
    items = sample_conversations()
    write(tmp_path / "c/rolecs/train.jsonl", items[:4])
    write(tmp_path / "c/rolecs/validation.jsonl", items[4:])
    again = [
        dataclasses.replace(item, conversation_id=f"csconv-{i}") for i, item in enumerate(items[:3])
    ]
    assert not {item.conversation_id for item in items} & {item.conversation_id for item in again}
    write(tmp_path / "c/csconv/validation.jsonl", again)
    write(
        tmp_path / "c/csconv/train.jsonl",
        [dataclasses.replace(items[3], conversation_id="csconv-3")],
    )
    found = read_training_data([str(tmp_path / "c")], ["rolecs", "csconv"], None, 0.1, [])
    assert {item.conversation_id for item in found.validation} == {
        items[4].conversation_id,
        "csconv-0",
        "csconv-1",
        "csconv-2",
    }
    # Of the five training rows only the fourth dialogue stays, which stands in both configs.
    assert [item.dialogue for item in found.train] == [items[3].dialogue] * 2
    assert found.set_aside == 3


def test_a_corpus_whose_every_dialogue_is_held_out_has_nothing_to_train_on(tmp_path):
    items = sample_conversations()
    write(tmp_path / "c/rolecs/train.jsonl", items[:2])
    again = [
        dataclasses.replace(item, conversation_id=f"again-{i}") for i, item in enumerate(items[:2])
    ]
    write(tmp_path / "c/rolecs/validation.jsonl", again)
    with pytest.raises(
        DataError, match="every conversation is held out for validation; lower validation_share"
    ):
        read_training_data([str(tmp_path / "c")], ["rolecs"], None, 0.1, [])
    # Without validation nothing is held out.
    assert len(read_training_data([str(tmp_path / "c")], ["rolecs"], None, 0, []).train) == 2


def test_a_corpus_of_the_hub_is_loaded_without_looking_for_a_folder(monkeypatch):
    from csc_tasks import corpora
    from csc_tasks.errors import MissingSplit

    def load(name, config, split):
        if config == "qa":
            raise MissingSplit("there is no qa")
        return (name, config, split)

    def no_folder(*_):
        raise AssertionError("a Hub id is no folder")

    monkeypatch.setattr(corpora, "load", load)
    monkeypatch.setattr(corpora, "available", no_folder)
    assert list(read_split("org/data", ["rolecs", "qa", "csconv"], "train")) == [
        ("org/data", "rolecs", "train"),
        ("org/data", "csconv", "train"),
    ]


def test_the_first_of_the_conversations_that_are_also_tested_is_named(tmp_path):
    items = [
        dataclasses.replace(item, conversation_id=f"id-{i}")
        for i, item in enumerate(sample_conversations())
    ]
    write(tmp_path / "a/rolecs/train.jsonl", items)
    write(tmp_path / "a/csconv/test.jsonl", items)
    with pytest.raises(
        DataError, match=r"5 conversations to train on also stand in .*csconv/test.*\(first: id-0\)"
    ):
        read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0, [])


def test_all_rows_of_one_conversation_are_held_out_together():
    class Item:
        def __init__(self, name):
            self.conversation_id = name

    items = [Item(name) for name in "aabbcd"]
    kept, held = hold_out(items, 0.5)
    assert [item.conversation_id for item in held] == list("aabb") and [
        item.conversation_id for item in kept
    ] == list("cd")
    assert hold_out(items, 0)[1] == [] and hold_out(items[:2], 0.5)[1] == []


def test_only_train_splits_are_read(tmp_path):
    write(tmp_path / "csconv/test.jsonl", sample_conversations())
    with pytest.raises(DataError, match="has a train split"):
        read_training_data([str(tmp_path)], ["rolecs", "csconv"], None, 0.1, [])
    with pytest.raises(DataError, match="which split it holds"):
        read_training_data([str(tmp_path / "csconv/test.jsonl")], ["csconv"], None, 0.1, [])
    with pytest.raises(SettingError, match="name at least one"):
        read_training_data([], ["csconv"], None, 0.1, [])


def test_a_base_that_does_not_fit_is_refused_with_what_would():
    # 7 billion weights: 28 GB in fp32, 14 in bf16, about 4 in NF4.
    with pytest.raises(
        ModelError,
        match=(
            r"7\.00 billion weights take 28\.0 GB in fp32, and here has 20\.0 GB .*precision: bf16"
            r" or q"
        ),
    ):
        hardware.check_memory(7_000_000_000, "fp32", 20e9, "here")
    with pytest.raises(ModelError, match=r"what would fit: quantization: nf4$"):
        hardware.check_memory(7_000_000_000, "bf16", 8e9, "here")
    with pytest.raises(ModelError, match=r"a base of at most 3\.6 billion parameters"):
        hardware.check_memory(7_000_000_000, "nf4", 2e9, "here")
    hardware.check_memory(7_000_000_000, "nf4", 8e9, "here")
    hardware.check_memory(7_000_000_000, "fp32", None, "here")


def test_under_fsdp_the_base_is_spread_over_all_processes(monkeypatch):
    monkeypatch.delenv("ACCELERATE_USE_FSDP", raising=False)
    assert hardware.shards(4) == 1
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert hardware.shards(4) == 4
    # 70 billion weights in NF4 take 39 GB: too much for one GPU of 24, not for two.
    with pytest.raises(ModelError, match=r"here has 24\.0 GB"):
        hardware.check_memory(70_000_000_000, "nf4", 24e9, "here")
    hardware.check_memory(70_000_000_000, "nf4", 24e9, "here", 2)
    with pytest.raises(ModelError, match=r"here \(2 of them\) has 20\.0 GB"):
        hardware.check_memory(70_000_000_000, "nf4", 10e9, "here", 2)


def test_after_memory_ran_out_the_cheapest_way_comes_first():
    assert hardware.what_would_fit(8, 2, 512, False, False).startswith(
        "gradient_checkpointing: true"
    )
    assert (
        hardware.what_would_fit(8, 2, 512, True, False)
        == "batch_size: 4 with accumulation: 4 (the same result)"
    )
    assert hardware.what_would_fit(1, 2, 512, True, False) == "quantization: nf4"
    assert hardware.what_would_fit(1, 2, 512, True, True).startswith("max_length: 256")


def test_the_precision_is_chosen_by_the_hardware_and_said(monkeypatch):
    import torch

    assert (found := hardware.choose_precision("auto")).name == "fp32" and "no GPU" in found.reason
    assert hardware.choose_precision("bf16").dtype_name == "bfloat16"
    with pytest.raises(SettingError, match="fp16 needs a CUDA GPU"):
        hardware.choose_precision("fp16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    for capable, expected in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, capable=capable: capable
        )
        assert hardware.choose_precision("auto").name == expected
    with pytest.raises(SettingError, match="Old GPU has no bf16"):
        hardware.choose_precision("bf16")


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
    scores = scoring.score({}, out, None, None)["csc_conv_ref"]
    assert (scores["turns"], scores["sample_len"], scores["strategy_acc"]) == (8, 2, 0.5)
    assert "strategy_acc_stderr" not in scores and scores["bleu_4_stderr"] >= 0


def test_a_sweeps_table_has_the_headline_metrics_in_the_order_of_all_tables():
    from trainers.sweep import Run, comparison

    record = {
        "validation_loss": None,
        "counts": {"rows": 1000, "tokens": 20000},
        "steps": 3,
        "trained_parameters": 4,
        "seconds": 5.4,
    }
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
    runs = [
        Run(value, Recipe(), Path(value), record, scores if value == "8" else {}) for value in "48"
    ]
    header, _, first, second = comparison("lora_r", runs).splitlines()
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells[-3:] == [
        "csc_conv_ref bleu_4_en",
        "csc_conv_ref rouge_l",
        "csc_conv_ref strategy_acc",
    ]
    assert first == "| 4 | – | 1,000 | 20,000 | 3 | 4 | 5 | – | – | – |"
    assert second == "| 8 | – | 1,000 | 20,000 | 3 | 4 | 5 | 1.5 | 0.25 | 0.5 ± 0.12 |"


def test_bad_settings_stop_before_anything_is_written(tmp_path, monkeypatch):
    from csc_tasks.cli import main

    monkeypatch.chdir(tmp_path)
    for words in (
        ["--lora-r", "x"],
        ["--model", "nowhere", "--corpus", "demo"],
        ["--push"],
        [],
        ["--sweep", "lora_r=1"],
    ):
        assert main(["train", "--out", "out", *words]) == 1
    assert list(tmp_path.iterdir()) == []
    assert issubclass(SettingError, CscError)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score", "--limit", "0"], "N is at least 1"),
        (["--limit", "5"], "--limit N goes with --score"),
        (["--results", "x"], "--results and --private are for publishing"),
        (["--private"], "--results and --private are for publishing"),
        (
            ["--corpus", "demo", "--quantization", "none", "--save-quantized-base", "x"],
            "this adapter's base is not quantised",
        ),
    ],
)
def test_words_that_would_do_nothing_or_fail_after_training_are_refused_before(
    words, message, tmp_path, monkeypatch, capsys
):
    from csc_tasks.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["train", "--out", "out", *words]) == 1
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_an_argument_that_a_newer_transformers_renamed_is_given_under_its_new_name(monkeypatch):
    import trl

    from csc_tasks.compat.trl import sft_arguments

    given = {"gradient_checkpointing": True, "seed": 3}
    for known, expected in (
        ({"gradient_checkpointing", "seed"}, "gradient_checkpointing"),
        ({"gradient_checkpointing", "activation_checkpointing"}, "activation_checkpointing"),
    ):
        config = type("SFTConfig", (), {"__dataclass_fields__": dict.fromkeys(known)})
        monkeypatch.setattr(trl, "SFTConfig", config)
        assert sft_arguments(given) == {expected: True, "seed": 3}
