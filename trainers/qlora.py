"""One training: recipe in, adapter folder out. TRL's SFTTrainer trains; the rows are ours, token by
token.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from csc_tasks import __version__
from csc_tasks.conversation import content_id
from csc_tasks.errors import ModelError, SettingError, require
from trainers import adapter
from trainers.adapter_card import write_card
from trainers.base import (
    check_base,
    check_layers,
    check_rows,
    kind_of,
    load_base,
    load_tokenizer,
    mark_to_stop_at,
)
from trainers.callbacks import COMPLETE, callbacks, seconds_before
from trainers.curves import loss_points, write_curve
from trainers.hardware import (
    Precision,
    choose_precision,
    out_of_memory,
    quantization_config,
    shards,
    what_would_fit,
)
from trainers.recipe import ALL_LINEAR, Recipe, as_dict
from trainers.rendering import Rendering
from trainers.rows import Row, build_rows
from trainers.splits import read_training_data
from trainers.trainer import WEIGHTS, make_class


def train_adapter(
    recipe: Recipe, out: Path, overwrite: bool = False, say: Callable[[str], None] = print
) -> dict:
    """Train the adapter that `recipe` describes into the folder `out` and return its record (what
    csc_adapter.json holds).

    A training that was killed goes on from its last checkpoint; a finished one is left as it is.
    Raises SettingError, DataError or ModelError for whatever stands in the way, before training
    where it can be known there.
    """
    if not recipe.model:
        raise SettingError("model: name the base, a folder or a Hub id")
    for library in ("torch", "transformers", "trl", "peft"):
        require(library, "train", "csc train")
    import torch
    from accelerate import PartialState

    process = PartialState(cpu=not torch.cuda.is_available())
    out, first = Path(out).resolve(), process.is_main_process
    say = say if first else (lambda _: None)

    precision = choose_precision(recipe.precision)
    say(
        f"precision: {precision.name}, because {precision.reason}; base weights in"
        f" {kind_of(recipe, precision)}"
    )
    tokenizer, config = load_tokenizer(recipe)
    check_base(recipe, precision, tokenizer, config, shards(process.num_processes))
    rendering = Rendering(
        tokenizer, recipe.chat_template, tags=recipe.strategy_weight != 1, today=recipe.date
    )
    tested = [recipe.test_data] if recipe.test_data else []
    data = read_training_data(
        recipe.data, recipe.configs, recipe.language, recipe.validation_share, tested
    )
    for source in data.sources:
        say(source.summary())
    if data.set_aside:
        say(
            f"{data.set_aside} rows are left out, because their conversations are held out in"
            " another config or corpus"
        )
    for config_name in data.absent:
        say(f"there is no {config_name}/train in the data")
    base = adapter.fingerprint(recipe.model, getattr(config, "_commit_hash", None))
    identity = content_id(
        "training",
        as_dict(recipe) | {"model": base},
        [source.content_hash for source in data.sources],
    )
    state = adapter.state_of(out, identity, overwrite)
    if state == "finished":
        say(f"{out} is finished already, with this recipe, base and data: nothing to train")
        return adapter.finished_record(out)

    options = {
        "reference": recipe.reference,
        "pack": recipe.pack_turns,
        "skip_too_long": recipe.too_long == "skip",
        "quiet": not first,
    }
    rows, counts = build_rows(data.train, rendering, recipe.style, recipe.max_length, **options)
    held_out, held_counts = [], {}
    if data.validation:
        held_out, held_counts = build_rows(
            data.validation, rendering, recipe.style, recipe.max_length, **options
        )
    check_rows([*rows, *held_out], config)
    if recipe.early_stopping and not held_out:
        raise SettingError(
            "early_stopping needs a validation loss, and there is nothing to hold out of a single"
            " conversation; set it to 0"
        )
    stop = mark_to_stop_at(recipe, rendering, config)
    for line in summary_lines(rendering, counts, held_counts, stop):
        say(line)
    if recipe.validation_share and not held_out:
        say(
            "held out: nothing, because there is only one conversation; there will be no validation"
            " loss"
        )

    # Nobody may start to write before everybody has looked.
    process.wait_for_everyone()
    if first:
        adapter.begin(out, identity, state)
        remove_half_checkpoints(out / adapter.CHECKPOINTS)
    process.wait_for_everyone()
    checkpoint = last_checkpoint(out / adapter.CHECKPOINTS)
    if checkpoint:
        say(f"going on from {checkpoint}")
    try:
        trainer = make_trainer(recipe, precision, tokenizer, rows, held_out, out)
        started = time.monotonic() - seconds_before(checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        way = what_would_fit(
            recipe.batch_size,
            recipe.accumulation,
            recipe.max_length,
            recipe.gradient_checkpointing,
            recipe.quantization == "nf4",
        )
        raise ModelError(
            f"not enough memory for rows of up to {max(len(row.ids) for row in rows)} tokens; what"
            f" would fit: {way}"
        ) from None
    seconds = round(time.monotonic() - started, 1)
    made = out / adapter.MADE
    trainer.save_model(str(made))
    process.wait_for_everyone()
    points = loss_points(trainer.state.log_history)
    record = {
        "csc_tasks": __version__,
        "identity": identity,
        "style": recipe.style,
        "date": rendering.date,
        "chat_template": recipe.chat_template,
        "template_arguments": rendering.template_arguments,
        "thinks": rendering.thinking.thinks is True,
        "dtype": precision.dtype_name,
        "device": trainer.args.device.type,
        "stop": stop,
        "base": base,
        "recipe": as_dict(recipe),
        "data": [
            {
                key: getattr(source, key)
                for key in ("name", "config", "split", "revision", "content_hash")
            }
            for source in data.sources
        ],
        "tested": data.tested,
        "languages": sorted({item.language for item in data.train}),
        "counts": dict(counts),
        "validation_counts": dict(held_counts),
        "trained_parameters": sum(
            parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad
        ),
        "steps": trainer.state.global_step,
        "epochs": round(trainer.state.epoch, 3),
        "processes": process.num_processes,
        "train_loss": points["train"][-1]["loss"] if points["train"] else None,
        "validation_loss": _final_validation_loss(trainer, points),
        "seconds": seconds,
        "resumed_from": checkpoint.name if checkpoint else None,
    }
    if first:
        for unwanted in ("training_args.bin", "chat_template.jinja"):
            (made / unwanted).unlink(missing_ok=True)
        write_curve(points, made)
        write_card(record, made)
        record = adapter.finish(out, record)
    process.wait_for_everyone()
    return record


def make_trainer(
    recipe: Recipe,
    precision: Precision,
    tokenizer,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    out: Path,
):
    """TRL's trainer over our rows, its base loaded. Raises ModelError when the trainer would learn
    anything but what the rows say.
    """
    import torch
    from peft import LoraConfig
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    quantized = (
        quantization_config(precision, recipe.double_quantization)
        if recipe.quantization == "nf4"
        else None
    )
    model = load_base(
        recipe, dtype=precision.dtype, quantization_config=quantized, **_attention(recipe)
    )
    check_layers(recipe, model)
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=(
            ALL_LINEAR if recipe.lora_target == (ALL_LINEAR,) else list(recipe.lora_target)
        ),
        modules_to_save=list(recipe.modules_to_save) or None,
    )
    trainer = make_class(recipe, rows)(
        model=model,
        args=training_arguments(recipe, precision, out, bool(held_out)),
        train_dataset=_dataset(rows, recipe.strategy_weight),
        eval_dataset=_dataset(held_out, 1.0) if held_out else None,
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[
            *callbacks(),
            *([EarlyStoppingCallback(recipe.early_stopping)] if recipe.early_stopping else []),
        ],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    if precision.name != "bf16":
        # TRL turns the adapters of a 4-bit base into bf16, which fp16's gradient scaling and fp32
        # computing cannot use.
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.float32)
    learned, wanted = _learned_tokens(trainer.train_dataset), sum(row.learned() for row in rows)
    if learned != wanted:
        raise ModelError(
            f"the trainer kept {learned} of {wanted} tokens to learn; this version of trl changes"
            " prepared rows"
        )
    return trainer


def training_arguments(recipe: Recipe, precision: Precision, out: Path, evaluates: bool):
    """The recipe in TRL's words."""
    import torch
    from trl import SFTConfig

    packed = recipe.batching == "packed"
    every = int(recipe.checkpoints) if recipe.checkpoints >= 1 else recipe.checkpoints
    return SFTConfig(
        output_dir=str(out / adapter.CHECKPOINTS),
        seed=recipe.seed,
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        # Our rows are as long as they may be already; only packed sequences are filled up to
        # max_length.
        max_length=recipe.max_length if packed else None,
        packing=packed,
        eval_packing=False,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        gradient_checkpointing=recipe.gradient_checkpointing,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        optim=recipe.optimizer,
        adam_beta2=recipe.adam_beta2,
        max_grad_norm=recipe.max_grad_norm,
        bf16=precision.name == "bf16",
        fp16=precision.name == "fp16",
        remove_unused_columns=recipe.strategy_weight == 1,
        logging_steps=recipe.log_every,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        # How long the loss has not become better is part of the trajectory.
        restore_callback_states_from_checkpoint=bool(recipe.early_stopping),
        eval_strategy="steps" if evaluates else "no",
        eval_steps=every if evaluates else None,
        load_best_model_at_end=bool(recipe.early_stopping),
        metric_for_best_model="eval_loss" if recipe.early_stopping else None,
        greater_is_better=False if recipe.early_stopping else None,
    )


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def remove_half_checkpoints(folder: Path) -> None:
    """A kill can leave a checkpoint in which parts are missing: Trainer must not count it as one of
    those it keeps.
    """
    for path in folder.glob("checkpoint-*"):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)


def summary_lines(
    rendering: Rendering,
    counts: Mapping[str, int],
    held_out: Mapping[str, int],
    stop: str | None = None,
) -> list[str]:
    """What was made of the data, for the log: every count that is not zero."""
    of = (("rows", counts), ("held out", held_out))
    lines = [
        f"{name}: " + "; ".join(f"{count:,} {what}" for what, count in found.items() if count)
        for name, found in of
        if found
    ]
    if stop:
        lines.append(
            f"the chat template ends a turn with {stop}, where this base does not stop by itself:"
            " the scoring command says so"
        )
    if rendering.template_arguments:
        switch = ", ".join(
            f"{name}={value}" for name, value in rendering.template_arguments.items()
        )
        lines.append(
            f"thinking: switched off in the chat template ({switch}), here and in the command that"
            " scores the adapter"
        )
    if rendering.closes_thinking:
        lines.append(
            "thinking: the chat template opens it in every prompt; targets close it at once"
        )
    elif rendering.thinking.thinks:
        lines.append(
            "thinking: the base thinks before it replies; targets begin with the reply"
            f" ({rendering.opening!r})"
        )
    if rendering.date:
        lines.append(
            f"the chat template prints today's date: it is given {rendering.date}, here and where"
            " the adapter is scored"
        )
    if rendering.template is not None and rendering.template.needs_parts:
        lines.append(
            "the chat template shows text parts only: texts are sent as such, as in the benchmark"
        )
    if not rendering.takes_system:
        lines.append(
            "the chat template takes no system message: instructions open the first user message,"
            " as in the benchmark"
        )
    return lines


def _attention(recipe: Recipe) -> dict:
    """Packed sequences are computed fastest by flash attention; without it, a mask keeps their rows
    apart.
    """
    from transformers.utils import is_flash_attn_2_available

    return (
        {"attn_implementation": "flash_attention_2"}
        if recipe.batching == "packed" and is_flash_attn_2_available()
        else {}
    )


def _dataset(rows: Sequence[Row], strategy_weight: float):
    from datasets import Dataset, Features, List, Value

    columns = {"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]}
    kinds = {"input_ids": List(Value("int32")), "labels": List(Value("int32"))}
    if strategy_weight != 1:
        columns[WEIGHTS], kinds[WEIGHTS] = (
            [row.weights(strategy_weight) for row in rows],
            List(Value("float32")),
        )
    return Dataset.from_dict(columns, features=Features(kinds))


def _learned_tokens(dataset) -> int:
    import pyarrow.compute

    labels = pyarrow.compute.list_flatten(dataset.data.column("labels"))
    return pyarrow.compute.sum(pyarrow.compute.not_equal(labels, -100)).as_py() or 0


def _final_validation_loss(trainer, points: Mapping[str, Sequence[Mapping]]) -> float | None:
    """Of the weights that are kept: the best with early stopping, else those of the last step,
    measured now if that step was not.
    """
    if trainer.eval_dataset is None:
        return None
    if trainer.args.load_best_model_at_end and trainer.state.best_metric is not None:
        return trainer.state.best_metric
    last = points["validation"][-1] if points["validation"] else None
    return (
        last["loss"]
        if last and last["step"] == trainer.state.global_step
        else trainer.evaluate()["eval_loss"]
    )
