"""trl: run with 1.16.0. Versions before 1.15 give no `log_probs` with the outputs of a model; 1.15
needs triton even on the CPU.

trainers/trainer.py extends SFTTrainer: it brings its own order of the rows, a weight for every
token, and a validation loss over tokens. Whether the trainer leaves prepared rows alone is looked
at in every training (trainers/qlora.py).
"""

import importlib
from typing import Any

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
