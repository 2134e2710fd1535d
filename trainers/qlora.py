"""One training: recipe in, adapter folder out. TRL's SFTTrainer trains; the rows are ours, token by
token.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from csc_tasks import __version__
from csc_tasks.errors import ModelError, SettingError, require
from csc_tasks.prompts import TEXT
from trainers import adapter
from trainers.adapter_card import write_card
from trainers.checkpoints import last_checkpoint, remove_half_checkpoints, seconds_before
from trainers.curves import loss_points, write_curve
from trainers.hardware import out_of_memory, what_would_fit
from trainers.preparation import Lessons, Preparation, make_lessons, prepare, provide_memory
from trainers.recipe import Recipe, as_dict
from trainers.tracking import check as check_tracker
from trainers.trainer import make_trainer


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
    check_tracker(recipe.report_to)
    import torch
    from accelerate import PartialState

    process = PartialState(cpu=not torch.cuda.is_available())
    out, first = Path(out).resolve(), process.is_main_process
    say = say if first else (lambda _: None)

    prepared = prepare(recipe, process.num_processes, say)
    state = adapter.state_of(out, prepared.identity, overwrite)
    if state == "finished":
        say(f"{out} is finished already, with this recipe, base and data: nothing to train")
        return adapter.finished_record(out)
    lessons = make_lessons(prepared, say, quiet=not first)
    if first:
        say(provide_memory(prepared, lessons, process.num_processes))

    # Nobody may start to write before everybody has looked.
    process.wait_for_everyone()
    if first:
        adapter.begin(out, prepared.identity, state)
        remove_half_checkpoints(out / adapter.CHECKPOINTS)
    process.wait_for_everyone()
    checkpoint = last_checkpoint(out / adapter.CHECKPOINTS)
    if checkpoint:
        say(f"going on from {checkpoint}")
    trainer, seconds = _trained(prepared, lessons, out / adapter.CHECKPOINTS, checkpoint)
    trainer.save_model(str(out / adapter.MADE))
    process.wait_for_everyone()
    points = loss_points(trainer.state.log_history)
    record = _record(prepared, lessons, trainer) | {
        "processes": process.num_processes,
        "train_loss": points["train"][-1]["loss"] if points["train"] else None,
        "validation_loss": _final_validation_loss(trainer, points),
        "seconds": seconds,
        "resumed_from": checkpoint.name if checkpoint else None,
    }
    if first:
        record = _finish(out, record, points)
    process.wait_for_everyone()
    return record


def _trained(prepared: Preparation, lessons: Lessons, folder: Path, checkpoint: Path | None):
    """(the trainer when it has trained, the seconds that took, those before earlier kills too).

    Raises ModelError with what would fit when memory runs out.
    """
    recipe = prepared.recipe
    try:
        trainer = make_trainer(
            recipe,
            prepared.precision,
            prepared.tokenizer,
            lessons.rows,
            lessons.held_out,
            folder,
        )
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
        longest = max(len(row.ids) for row in lessons.rows)
        raise ModelError(
            f"not enough memory for rows of up to {longest} tokens; what would fit: {way}"
        ) from None
    return trainer, round(time.monotonic() - started, 1)


def _record(prepared: Preparation, lessons: Lessons, trainer) -> dict:
    """What csc_adapter.json holds of recipe, data and steps."""
    recipe, rendering, data = prepared.recipe, prepared.rendering, prepared.data
    source_keys = ("name", "config", "split", "revision", "content_hash")
    trained = (p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return {
        "csc_tasks": __version__,
        "identity": prepared.identity,
        "style": recipe.style,
        **({} if recipe.format == TEXT else {"format": recipe.format}),
        "date": rendering.date,
        "chat_template": recipe.chat_template,
        "template_arguments": rendering.template_arguments,
        "thinks": rendering.thinking.thinks is True,
        "dtype": prepared.precision.dtype_name,
        "device": trainer.args.device.type,
        "stop": lessons.stop,
        "base": prepared.base,
        "recipe": as_dict(recipe),
        "data": [{key: getattr(source, key) for key in source_keys} for source in data.sources],
        "tested": data.tested,
        "languages": sorted({item.language for item in data.train}),
        "conversations": data.conversations(),
        "counts": dict(lessons.counts),
        "validation_counts": dict(lessons.held_counts),
        "trained_parameters": sum(trained),
        "steps": trainer.state.global_step,
        "epochs": round(trainer.state.epoch, 3),
    }


def _final_validation_loss(trainer, points: Mapping[str, Sequence[Mapping]]) -> float | None:
    """Of the weights that are kept: the best with early stopping, else those of the last step,
    measured now if that step was not.
    """
    if trainer.eval_dataset is None:
        return None
    if trainer.args.load_best_model_at_end and trainer.state.best_metric is not None:
        return trainer.state.best_metric
    last = points["validation"][-1] if points["validation"] else None
    if last and last["step"] == trainer.state.global_step:
        return last["loss"]
    return trainer.evaluate()["eval_loss"]


def _finish(out: Path, record: Mapping, points: Mapping[str, Sequence[Mapping]]) -> dict:
    """Write what stands beside the weights and move all of it into `out`; the whole record."""
    made = out / adapter.MADE
    for unwanted in ("training_args.bin", "chat_template.jinja"):
        (made / unwanted).unlink(missing_ok=True)
    write_curve(points, made)
    write_card(record, made)
    return adapter.finish(out, record)
