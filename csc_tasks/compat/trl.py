"""trl: run with 1.16.0. Versions before 1.15 give no `log_probs` with the outputs of a model; 1.15
needs triton even on the CPU.

trainers/row_losses.py extends SFTTrainer: it brings its own order of the rows, a weight for every
token, and a validation loss over tokens. What it, and trainers/trainer.py, allow for:
- `_get_train_sampler`, of transformers' Trainer, is private: it may move in any version;
- `compute_loss` takes `log_probs` from the outputs of the model it is given, and so can be handed a
  function in the model's place that weighs them;
- Trainer's `eval_loss` is a mean over batches, and depends on what is batched with what;
- SFTTrainer turns the adapter of a 4-bit base into bf16, whatever is computed in;
- rows that bring `labels` are left alone; whether they are is looked at in every training;
- `add_fused_lm_head`, private too, is how the trainer scores; trainers/memory.py counts with it;
- transformers 5.24 renamed `gradient_checkpointing` `activation_checkpointing`: it warns of the old
  name and reads it until version 6; trl still reads the old one, which then mirrors the new one.
"""

import importlib
from collections.abc import Mapping
from typing import Any

RENAMED = {"gradient_checkpointing": "activation_checkpointing"}
"""Argument of SFTConfig -> its newer name."""

METHODS = ("_get_train_sampler", "compute_loss", "evaluation_loop", "prediction_step")
"""What of SFTTrainer is extended; most of it comes from transformers' Trainer."""


def why_no_trainer() -> str | None:
    """What the trainer needs and these trl and transformers do not give; None where all is
    there.
    """
    try:
        trl: Any = importlib.import_module("trl")
        config, trainer = trl.SFTConfig, trl.SFTTrainer
    except Exception as error:  # whatever a trl raises that does not fit its transformers
        return (
            f"it cannot be imported ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        )
    absent = [name for name in METHODS if not hasattr(trainer, name)]
    if absent:
        return f"SFTTrainer has no {', '.join(absent)} there"
    fields = getattr(config, "__dataclass_fields__", {})
    absent = [
        name
        for name in ("packing", "max_length", "eval_packing", "gradient_checkpointing")
        if name not in fields
    ]
    return f"SFTConfig has no {', '.join(absent)} there" if absent else None


def sft_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of SFTConfig by the names that this version knows them by."""
    from trl import SFTConfig

    known = SFTConfig.__dataclass_fields__
    return {
        RENAMED[name] if RENAMED.get(name) in known else name: value
        for name, value in arguments.items()
    }


def add_head(model: Any) -> None:
    """Give a model the head that SFTTrainer scores with, tile by tile, where this version has it;
    else the model scores as it does, and ignores that it is told of the head.
    """
    utils: Any = importlib.import_module("trl.trainer.utils")
    if hasattr(utils, "add_fused_lm_head"):
        utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
