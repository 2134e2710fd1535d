"""Recipes and the options of `csc train`: everything that is checked before anything is read."""

import json
from pathlib import Path

import pytest

from csc_tasks.errors import CscError, SettingError
from trainers import hardware, recipe
from trainers.recipe import KEYS, Recipe, as_dict, read_recipe

RECIPES = sorted(
    path
    for path in (Path(recipe.__file__).parent / "recipes").glob("*.yaml")
    if not path.name.startswith("accelerate")
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


def test_the_papers_recipe_differs_from_ours_in_the_style_alone():
    by_name = {path.stem: read_recipe(path, {}) for path in RECIPES}
    ours, paper = as_dict(by_name["rolecs"]), as_dict(by_name["rolecs_paper"])
    assert {key for key in ours if ours[key] != paper[key]} == {"style"}
    assert (ours["style"], paper["style"]) == ("chat", "single")


def test_the_papers_recipe_quotes_the_papers_tables(shared_data):
    """Every number that its comments give, from the tables as the paper prints them."""
    file = shared_data / "papers" / "csc_2508.04423_tables.json"
    tables = json.loads(file.read_text(encoding="utf-8"))
    table = tables["table6_csconv"]
    rows = {
        row[2]: dict(zip(table["columns"], row, strict=True))
        for row in table["rows"]
        if row[:2] == ["Qwen2.5-Instruct", "7B"]
    }
    base, tuned = rows[None], rows["RoleCS"]
    corpus = tables["table5_rolecs_statistics"]
    without = [row[-1] for row in tables["table7_training_data_ablation_qwen2.5_7b"]["rows"]]
    comments = next(path for path in RECIPES if path.stem == "rolecs_paper")
    comments = comments.read_text(encoding="utf-8")
    for quoted in (
        f"{corpus['dialogues']:,} dialogues, {corpus['supporter_utterances']:,} supporter turns",
        *(
            f"BLEU-4 {base[bleu]:.2f} -> {tuned[bleu]:.2f}, strategy accuracy"
            f" {base[acc]:.2f} -> {tuned[acc]:.2f}"
            for bleu, acc in (
                ("ref_bleu4", "ref_strategy_acc"),
                ("gen_bleu4", "gen_strategy_acc"),
            )
        ),
        f"({without[1]:.2f})",
        f"({without[0]:.2f})",
    ):
        assert quoted in comments, quoted


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


def test_all_is_a_training_size_and_no_other_keys_word_for_none():
    assert [
        read_recipe(None, {"train_size": text}).train_size for text in ("all", "none", "12")
    ] == [
        None,
        None,
        12,
    ]
    # A branch may be called so.
    assert read_recipe(None, {"revision": "all"}).revision == "all"


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
        ("learning_rate: .nan", r"line 1: \.nan is no number"),
        ("epochs: .inf", r"line 1: \.inf is no number"),
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
        ("lora_r: 8\nepochs: 1\nlora_r: 16", r"r\.yaml: .*lora_r stands there more than once"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_in_one_line(text, message, tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message) as raised:
        read_recipe(file, {})
    assert "\n" not in str(raised.value) and "r.yaml" in str(raised.value)


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
