"""What is learned and measured: losses against plain logits, early stopping, checkpoints."""

import json
import shutil

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import ModelError
from tests.support.training_base import make_home, words
from trainers import adapter
from trainers.recipe import read_recipe
from trainers.rendering import Rendering
from trainers.rows import build_rows
from trainers.splits import read_training_data

pytestmark = pytest.mark.xdist_group("train")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory)


def test_the_validation_loss_is_a_mean_over_tokens_whatever_the_batches(home, tmp_path):
    """Against cross-entropy over plain logits; nothing is learned at this rate, so the adapter is
    still the base.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.trainers.test_rows import losses

    changed = {
        "style": "single",
        "validation_share": "0.4",
        "epochs": "0.01",
        "learning_rate": "1e-12",
    }
    found = []
    for batch, batching in (("1", "grouped"), ("3", "grouped"), ("3", "packed")):
        out = tmp_path / f"{batching}-{batch}"
        assert (
            main(
                words(
                    home / "base",
                    home / "corpus",
                    out,
                    batch_size=batch,
                    batching=batching,
                    **changed,
                )
            )
            == 0
        )
        found.append(adapter.finished_record(out)["validation_loss"])
    data = read_training_data([str(home / "corpus")], ["rolecs"], None, 0.4, [])
    rows, counts = build_rows(
        data.validation,
        Rendering(AutoTokenizer.from_pretrained(home / "base"), True),
        "single",
        4000,
    )
    assert len({row.learned() for row in rows}) > 1
    expected = (
        losses(AutoModelForCausalLM.from_pretrained(home / "base"), rows) / counts["tokens learned"]
    )
    assert found == pytest.approx([expected] * 3, rel=1e-5)


def test_a_resumed_training_stops_as_early_as_one_that_was_not_killed(home, tmp_path, monkeypatch):
    """What is restored includes how many measurements have passed without a better one."""
    from transformers import TrainerCallback

    from trainers import trainer

    changed = {
        "learning_rate": "3",
        "schedule": "constant",
        "early_stopping": "3",
        "checkpoints": "1",
        "epochs": "20",
        "warmup": "0",
    }
    arguments = [
        words(home / "base", home / "corpus", tmp_path / name, **changed)
        for name in ("whole", "killed")
    ]
    assert main(arguments[0]) == 0
    last = adapter.finished_record(tmp_path / "whole")["steps"]

    class Killer(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == last:
                raise KeyboardInterrupt

    made = trainer.callbacks
    with monkeypatch.context() as patched:
        patched.setattr(trainer, "callbacks", lambda: [*made(), Killer()])
        assert main(arguments[1]) == 130
    assert main(arguments[1]) == 0
    assert (tmp_path / "killed/loss.json").read_bytes() == (
        tmp_path / "whole/loss.json"
    ).read_bytes()


def test_the_trainers_loss_is_the_loss_of_our_rows_padded_or_packed(home, tmp_path):
    """TRL's loss for a batch against cross-entropy over plain logits: padding, masks, and sequences
    that hold several rows.
    """
    import torch

    from tests.trainers.test_rows import losses
    from trainers.base import load_tokenizer
    from trainers.hardware import choose_precision
    from trainers.trainer import make_trainer

    sums = {}
    for batching in ("grouped", "packed"):
        flags = {
            "model": str(home / "base"),
            "quantization": "none",
            "batching": batching,
            "max_length": "4000",
            "lora_dropout": "0",
        }
        recipe = read_recipe(None, {**flags, "gradient_checkpointing": "false"})
        tokenizer, _ = load_tokenizer(recipe)
        data = read_training_data([str(home / "corpus")], ["rolecs"], None, 0, [])
        rows, counts = build_rows(data.train, Rendering(tokenizer, True), "chat", 4000)
        trainer = make_trainer(recipe, choose_precision("auto"), tokenizer, rows, [], tmp_path)
        trainer.model.eval()
        batches = [
            trainer.data_collator(batch)
            for batch in ([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))],)
        ]
        (batch,) = batches
        with torch.no_grad():
            sums[batching] = (
                trainer.compute_loss(trainer.model, dict(batch)).item() * counts["tokens learned"]
            )
        if batching == "packed":
            assert len(trainer.train_dataset) < len(rows) and "attention_mask" not in batch
        expected = losses(trainer.model, rows)
        assert sums[batching] == pytest.approx(expected, rel=1e-5)


def test_a_strategy_weight_is_a_weighted_mean_of_the_same_losses(home, tmp_path):
    """Against cross-entropy by hand over plain logits, weights divided by their mean."""
    import torch

    from trainers.base import load_tokenizer
    from trainers.hardware import choose_precision
    from trainers.trainer import make_trainer

    flags = {
        "model": str(home / "base"),
        "quantization": "none",
        "max_length": "4000",
        "lora_dropout": "0",
        "strategy_weight": "5",
    }
    recipe = read_recipe(None, {**flags, "gradient_checkpointing": "false"})
    tokenizer, _ = load_tokenizer(recipe)
    data = read_training_data([str(home / "corpus")], ["rolecs"], None, 0, [])
    rows, _ = build_rows(data.train, Rendering(tokenizer, True, tags=True), "chat", 4000)
    trainer = make_trainer(recipe, choose_precision("auto"), tokenizer, rows, [], tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(rows))])
    total = weight = 0.0
    for row in rows:
        with torch.no_grad():
            logits = trainer.model(torch.tensor([row.ids])).logits[0].log_softmax(-1)
        for (start, end), tag in zip(row.targets, row.tags, strict=True):
            for i in range(start, end):
                factor = 5 if i < start + tag else 1
                total -= factor * logits[i - 1, row.ids[i]].item()
                weight += factor
    with torch.no_grad():
        assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(
            total / weight, rel=1e-5
        )


def test_early_stopping_keeps_the_best_weights(home, tmp_path):
    # A learning rate far too high: the validation loss rises, so the first measurements are the
    # best.
    changed = {
        "learning_rate": "3",
        "schedule": "constant",
        "early_stopping": "2",
        "checkpoints": "1",
        "epochs": "20",
        "warmup": "0",
    }
    assert main(words(home / "base", home / "corpus", tmp_path / "out", **changed)) == 0
    record = adapter.finished_record(tmp_path / "out")
    curve = json.loads((tmp_path / "out/loss.json").read_text())["validation"]
    assert record["epochs"] < 20 and record["validation_loss"] == min(
        point["loss"] for point in curve
    )


def test_early_stopping_without_anything_to_measure_on_is_refused(home, tmp_path, capsys):
    (tmp_path / "one" / "rolecs").mkdir(parents=True)
    first = (home / "corpus/rolecs/train.jsonl").read_text(encoding="utf-8").partition("\n")[0]
    (tmp_path / "one/rolecs/train.jsonl").write_text(first + "\n", encoding="utf-8")
    assert main(words(home / "base", tmp_path / "one", tmp_path / "out", early_stopping="2")) == 1
    assert "nothing to hold out of a single conversation" in capsys.readouterr().err
    assert (
        main(
            words(home / "base", tmp_path / "one", tmp_path / "out", epochs="1", checkpoints="1000")
        )
        == 0
    )
    assert "there will be no validation loss" in capsys.readouterr().out


def test_half_written_checkpoints_are_not_gone_on_from(tmp_path):
    from trainers.checkpoints import COMPLETE, last_checkpoint, remove_half_checkpoints

    for step, complete in ((2, True), (10, True), (12, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if complete:
            (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    assert last_checkpoint(tmp_path).name == "checkpoint-10"
    remove_half_checkpoints(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-2"]
    shutil.rmtree(tmp_path / "checkpoint-2")
    shutil.rmtree(tmp_path / "checkpoint-10")
    assert last_checkpoint(tmp_path) is None


def test_a_trainer_that_would_not_learn_what_the_rows_say_is_refused(home, tmp_path, monkeypatch):
    from trainers import qlora, trainer

    monkeypatch.setattr(trainer, "learned_tokens", lambda dataset: 3)
    recipe = read_recipe(
        None,
        {
            "model": str(home / "base"),
            "data": str(home / "corpus"),
            "quantization": "none",
            "max_length": "4000",
        },
    )
    with pytest.raises(ModelError, match="kept 3 of"):
        qlora.train_adapter(recipe, tmp_path / "out", say=lambda _: None)
