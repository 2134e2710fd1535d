"""A recipe in the words of the libraries that train: TRL's SFTConfig and PEFT's LoraConfig.

Keys that are handed on as they are name their argument in trainers/recipe.py; here stands what
depends on several keys, or on the machine.
"""

from pathlib import Path
from typing import Any

from csc_tasks.compat.trl import sft_arguments
from trainers.hardware import Precision
from trainers.recipe import ALL_LINEAR, Recipe
from trainers.recipe_keys import arguments_for


def sft_config(recipe: Recipe, precision: Precision, folder: Path, evaluates: bool):
    """TRL's SFTConfig. folder: of the checkpoints. evaluates: whether rows are held out."""
    import torch
    from trl import SFTConfig

    packed = recipe.batching == "packed"
    return SFTConfig(
        **sft_arguments(arguments_for(recipe, "trl")),
        output_dir=str(folder),
        report_to=[],  # what the recipe names is added in trainers/tracking.py
        run_name=folder.parent.name,
        use_cpu=not torch.cuda.is_available(),
        # Our rows are as long as they may be already; only packed sequences are filled up to
        # max_length.
        max_length=recipe.max_length if packed else None,
        packing=packed,
        eval_packing=False,
        bf16=precision.name == "bf16",
        fp16=precision.name == "fp16",
        # The weights of tokens are a column that the model's forward does not take.
        remove_unused_columns=recipe.strategy_weight == 1,
        logging_first_step=True,
        **_measurements(recipe, evaluates),
    )


def _measurements(recipe: Recipe, evaluates: bool) -> dict[str, Any]:
    """When to save, when to measure the validation loss, and what comes of it."""
    every = int(recipe.checkpoints) if recipe.checkpoints >= 1 else recipe.checkpoints
    stops = bool(recipe.early_stopping)
    return {
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 2,
        # How long the loss has not become better is part of the trajectory.
        "restore_callback_states_from_checkpoint": stops,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": every if evaluates else None,
        "load_best_model_at_end": stops,
        "metric_for_best_model": "eval_loss" if stops else None,
        "greater_is_better": False if stops else None,
    }


def lora_config(recipe: Recipe):
    """PEFT's LoraConfig."""
    from peft import LoraConfig

    # PEFT knows this word by itself, but not as one of a list.
    every_layer = recipe.lora_target == (ALL_LINEAR,)
    return LoraConfig(
        **arguments_for(recipe, "peft"),
        task_type="CAUSAL_LM",
        target_modules=ALL_LINEAR if every_layer else list(recipe.lora_target),
        modules_to_save=list(recipe.modules_to_save) or None,
    )


def attention(recipe: Recipe) -> dict[str, str]:
    """How the base is told to compute attention.

    Packed sequences are computed fastest by flash attention; without it, a mask keeps their rows
    apart.
    """
    from transformers.utils import is_flash_attn_2_available

    if recipe.batching == "packed" and is_flash_attn_2_available():
        return {"attn_implementation": "flash_attention_2"}
    return {}
