"""TRL's trainer over our rows, with its base loaded and its adapter in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csc_tasks.errors import ModelError
from trainers.base import check_layers, load_base
from trainers.callbacks import callbacks
from trainers.hardware import Precision, quantization_config
from trainers.library_arguments import attention, lora_config, sft_config
from trainers.recipe import Recipe
from trainers.row_losses import WEIGHTS, RowLosses
from trainers.rows import IGNORED, Row
from trainers.tracking import trackers


def make_trainer(
    recipe: Recipe,
    precision: Precision,
    tokenizer,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    folder: Path,
):
    """The trainer of `rows`; its checkpoints go into `folder`.

    Raises ModelError when it would learn anything but what the rows say, SettingError for layers
    that the base does not have.
    """
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback
    from trl import SFTTrainer

    class Trainer(RowLosses, SFTTrainer):
        pass

    watchers = [*callbacks(), *trackers(recipe.report_to, folder.parent)]
    if recipe.early_stopping:
        watchers.append(EarlyStoppingCallback(recipe.early_stopping))
    trainer = Trainer(
        recipe=recipe,
        rows=rows,
        model=_base(recipe, precision),
        args=sft_config(recipe, precision, folder, bool(held_out)),
        train_dataset=dataset(rows, recipe.strategy_weight),
        eval_dataset=dataset(held_out, 1.0) if held_out else None,
        processing_class=tokenizer,
        peft_config=lora_config(recipe),
        callbacks=watchers,
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    if precision.name != "bf16":
        _adapter_in_fp32(trainer.model)
    learned, wanted = learned_tokens(trainer.train_dataset), sum(row.learned() for row in rows)
    if learned != wanted:
        raise ModelError(
            f"the trainer kept {learned} of {wanted} tokens to learn; this version of trl changes"
            " prepared rows"
        )
    return trainer


def _base(recipe: Recipe, precision: Precision):
    """The base's weights as they are trained on, with the layers that the recipe names."""
    quantized = None
    if recipe.quantization == "nf4":
        quantized = quantization_config(precision, recipe.double_quantization)
    model = load_base(
        recipe, dtype=precision.dtype, quantization_config=quantized, **attention(recipe)
    )
    check_layers(recipe, model)
    if quantized:
        _let_go_of_the_file(model)
    return model


def _let_go_of_the_file(model) -> None:
    """The embeddings of a 4-bit base on a CPU are views of the mapped file, and keep all of it
    mapped, with the weights that were read to be packed: they get memory of their own.
    """
    for parameter in model.parameters():
        if parameter.device.type == "cpu" and parameter.is_floating_point():
            parameter.data = parameter.data.clone()


def _adapter_in_fp32(model) -> None:
    """TRL turns the adapters of a 4-bit base into bf16, which fp16's gradient scaling and fp32
    computing cannot use.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)


def dataset(rows: Sequence[Row], strategy_weight: float):
    """Rows as a data set of token ids and labels, with the weights of tokens where they differ."""
    from datasets import Dataset, Features, List, Value

    columns: dict[str, list[Any]] = {
        "input_ids": [row.ids for row in rows],
        "labels": [row.labels for row in rows],
    }
    kinds = {"input_ids": List(Value("int32")), "labels": List(Value("int32"))}
    if strategy_weight != 1:
        columns[WEIGHTS] = [row.weights(strategy_weight) for row in rows]
        kinds[WEIGHTS] = List(Value("float32"))
    return Dataset.from_dict(columns, features=Features(kinds))


def learned_tokens(rows) -> int:
    """How many labels of a data set are learned."""
    import pyarrow.compute

    labels = pyarrow.compute.list_flatten(rows.data.column("labels"))
    return pyarrow.compute.sum(pyarrow.compute.not_equal(labels, IGNORED)).as_py() or 0
