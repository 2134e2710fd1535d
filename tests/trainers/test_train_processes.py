"""`csc train` over processes: killed and started again, on several ranks, published to a loopback
Hub, on a 4-bit base.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from csc_tasks.cli import main
from tests.support.hub_server import WRITER, environment, hub_server
from tests.support.training_base import make_base, make_home, words
from trainers import adapter

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.xdist_group("train")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory)


def python(*arguments, **settings):
    paths = str(ROOT)
    env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | settings
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=env, capture_output=True, text=True, check=False
    )


def test_a_killed_training_goes_on_and_ends_with_the_same_losses_and_weights(
    home, tmp_path, capsys
):
    """SIGKILL two steps after a checkpoint; what was lost is trained again, to the last digit."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # Points of the curve that fall between two checkpoints.
    changed = {"log_every": "3"}
    assert main(words(home / "base", home / "corpus", whole, **changed)) == 0
    done = python(
        "-m",
        "tests.support.training_base",
        6,
        *words(home / "base", home / "corpus", killed, **changed),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (
        adapter.read_record(killed) is None and (killed / "checkpoints" / "checkpoint-4").is_dir()
    )
    assert main(words(home / "base", home / "corpus", killed, lora_r=8)) == 1
    assert "an unfinished training with another recipe" in capsys.readouterr().err
    # Time before the kill counts too.
    mark = killed / "checkpoints" / "checkpoint-4" / "complete"
    assert 0 < float(mark.read_text()) < 600
    mark.write_text("1000.0")
    assert main(words(home / "base", home / "corpus", killed, **changed)) == 0
    assert 1000 < adapter.read_record(killed)["seconds"] < 1600
    assert "going on from" in capsys.readouterr().out
    assert (killed / "loss.json").read_bytes() == (whole / "loss.json").read_bytes()
    assert (killed / "adapter_model.safetensors").read_bytes() == (
        whole / "adapter_model.safetensors"
    ).read_bytes()
    assert not (killed / "checkpoints").exists() and not (killed / "training.json").exists()


@pytest.mark.slow
def test_data_sets_are_compared_by_one_command_that_scores_every_adapter(home, tmp_path, capsys):
    """What compares data made with other roles: a sweep over data, each adapter scored by lm_eval
    in a process of its own.
    """
    lines = (
        (home / "corpus/rolecs/train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    )
    for name, kept in (("full", lines[:3]), ("none", lines[1:4])):
        (tmp_path / name / "rolecs").mkdir(parents=True)
        (tmp_path / name / "rolecs" / "train.jsonl").write_text("".join(kept), encoding="utf-8")
    (tmp_path / "tested" / "csconv").mkdir(parents=True)
    (tmp_path / "tested" / "csconv" / "test.jsonl").write_text(lines[4], encoding="utf-8")
    arguments = words(
        home / "base",
        home / "corpus",
        tmp_path / "out",
        epochs="1",
        checkpoints="1000",
        test_data=str(tmp_path / "tested"),
    )
    assert (
        main(
            [
                *arguments,
                "--sweep",
                f"data={tmp_path / 'full'},{tmp_path / 'none'}",
                "--score",
                "--limit",
                "1",
            ]
        )
        == 0
    )
    rows = json.loads((tmp_path / "out" / "sweep.json").read_text())["points"]
    assert [row["folder"] for row in rows] == ["full", "none"]
    for row in rows:
        assert (
            set(row["scores"]) == {"csc_conv_ref", "csc_conv_gen"}
            and "strategy_acc" in row["scores"]["csc_conv_ref"]
        )
    table = (tmp_path / "out" / "sweep.md").read_text()
    assert "csc_conv_ref strategy_acc" in table and table in capsys.readouterr().out


def test_publishing_needs_push_and_a_second_time_makes_no_commit(home, tmp_path):
    out = tmp_path / "adapter"
    assert main(words(home / "base", home / "corpus", out, epochs="1", checkpoints="1000")) == 0
    with hub_server() as server:
        env = environment(server, tmp_path / "hf")

        def csc(*more):
            done = python(
                "-m",
                "csc_tasks.cli",
                "train",
                "--out",
                out,
                "--repo-id",
                "org/adapter",
                *more,
                **env,
            )
            assert WRITER not in done.stdout + done.stderr
            return done

        dry = csc()
        assert dry.returncode == 0 and "Dry run: nothing was sent" in dry.stdout
        first, second = csc("--push"), csc("--push")
        assert first.returncode == 0 and "published" in first.stdout, first.stderr
        assert "nothing has changed" in second.stdout
        listed = python(
            "-c",
            "from huggingface_hub import HfApi;"
            " print(sorted(HfApi().list_repo_files('org/adapter')))",
            **env,
        )
        for name in (
            "README.md",
            "adapter_config.json",
            "adapter_model.safetensors",
            "csc_adapter.json",
            "loss.png",
        ):
            assert f"'{name}'" in listed.stdout
        made = server.repository("org/adapter", "model")
        assert made.messages[-1].startswith("Publish an adapter for base")
        sent = made.files("main")
        assert json.loads(sent["adapter_config.json"])["base_model_name_or_path"] == "base"
        assert not [
            name
            for name, data in sent.items()
            if str(home).encode() in data or str(tmp_path).encode() in data
        ]
        # Here the adapter still knows where its base is.
        assert str(home / "base") in (out / "adapter_config.json").read_text(encoding="utf-8")


def test_two_processes_give_the_losses_of_one(home, tmp_path):
    """Two CPU processes (gloo): half the batch each, the same rows a step, so the same losses, and
    every line is said once.

    `accelerate launch` starts only one process on a CPU, and accelerate refuses FSDP there;
    torchrun is what it calls on GPUs.
    """
    batchings = ("random", "grouped")
    trainings = []
    for batching in batchings:
        changed = {"lora_dropout": "0", "batching": batching, "epochs": "2"}
        assert (
            main(words(home / "base", home / "corpus", tmp_path / f"one-{batching}", **changed))
            == 0
        )
        arguments = words(
            home / "base", home / "corpus", tmp_path / f"two-{batching}", **changed, batch_size="1"
        )
        trainings.append(arguments[1:])
    # Both in the same two processes: starting those takes longer than training.
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    program = ("-m", "tests.support.training_base", "all", json.dumps(trainings))
    done = python(*launch, *program, ACCELERATE_USE_CPU="true")
    assert done.returncode == 0, done.stderr[-3000:]
    for batching in batchings:
        one, two = (
            json.loads((tmp_path / f"{name}-{batching}" / "loss.json").read_text())
            for name in ("one", "two")
        )
        for part in ("train", "validation"):
            assert [point["loss"] for point in two[part]] == pytest.approx(
                [point["loss"] for point in one[part]], abs=2e-4
            )
        assert adapter.finished_record(tmp_path / f"two-{batching}")["processes"] == 2
    assert done.stdout.count("precision: ") == done.stdout.count("Score it with") == len(trainings)


def test_accelerate_knows_every_key_of_the_shipped_fsdp_configuration():
    import yaml
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    path = ROOT / "trainers" / "recipes" / "accelerate_fsdp.yaml"
    config = load_config_from_file(str(path))
    assert str(config.distributed_type).endswith("FSDP") and config.mixed_precision == "bf16"
    known = {
        option for action in launch_command_parser()._actions for option in action.option_strings
    }
    assert {f"--{key}" for key in yaml.safe_load(path.read_text())["fsdp_config"]} <= known


def test_an_adapter_of_a_4_bit_base_is_scored_on_that_base(home, tmp_path, capsys):
    """NF4 training on the CPU; the saved NF4 base and the adapter answer as in training, and
    lm_eval loads both.
    """
    import torch
    from lm_eval.models.huggingface import HFLM

    root = tmp_path / "big"
    root.mkdir()
    base = make_base(
        root, hidden_size=128, intermediate_size=256, num_attention_heads=8, num_key_value_heads=8
    )
    out, saved = tmp_path / "adapter", tmp_path / "nf4"
    arguments = words(
        base,
        home / "corpus",
        out,
        quantization="nf4",
        precision="bf16",
        epochs="3",
        checkpoints="1000",
    )
    assert main([*arguments, "--save-quantized-base", str(saved)]) == 0
    record = adapter.finished_record(out)
    assert f"pretrained={saved},peft={out},dtype=bfloat16" in capsys.readouterr().out
    losses = [point["loss"] for point in json.loads((out / "loss.json").read_text())["train"]]
    assert losses[-1] < losses[0]
    assert (
        json.loads((saved / "config.json").read_text())["quantization_config"][
            "bnb_4bit_quant_type"
        ]
        == "nf4"
    )

    from transformers import AutoTokenizer

    from trainers.rendering import Rendering
    from trainers.rows import build_rows
    from trainers.splits import read_training_data

    lm = HFLM(pretrained=str(saved), peft=str(out), dtype="bfloat16", device="cpu", batch_size=1)
    data = read_training_data([str(home / "corpus")], ["rolecs"], None, 0.2, [])
    rows, _ = build_rows(
        data.validation, Rendering(AutoTokenizer.from_pretrained(base), True), "chat", 4000
    )
    total = count = 0
    for row in rows:
        with torch.no_grad():
            logits = lm.model(torch.tensor([row.ids])).logits[0, :-1].float()
        total += torch.nn.functional.cross_entropy(
            logits, torch.tensor(row.labels[1:]), ignore_index=-100, reduction="sum"
        ).item()
        count += row.learned()
    assert total / count == pytest.approx(record["validation_loss"], rel=0.01)
