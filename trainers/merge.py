"""Folders made of an adapter: its base with the adapter merged in, and its base as it was quantised in training."""

from collections.abc import Callable, Mapping
from pathlib import Path

from csc_tasks.errors import SettingError
from csc_tasks.out import is_new, replace_folder
from trainers.adapter import recipe_of
from trainers.base import load_base
from trainers.hardware import Precision, quantization_config
from trainers.recipe import Recipe


def merge(adapter: Path, record: Mapping, out: Path) -> None:
    """Write base plus adapter as one bf16 model folder, which transformers and vLLM serve like any other.

    The base is read in fp32 whatever it was trained in: weights of 4 bits cannot take the adapter in, and sums are rounded once.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer

    recipe = recipe_of(record)

    def write(fresh: Path) -> None:
        base = load_base(recipe, dtype=torch.float32)
        PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().to(torch.bfloat16).save_pretrained(fresh)
        AutoTokenizer.from_pretrained(recipe.model, revision=recipe.revision).save_pretrained(fresh)

    _write_folder(out, write, "--merge")


def save_quantized_base(record: Mapping, out: Path) -> None:
    """Write the NF4 base that the adapter was trained on, for `pretrained=DIR,peft=ADAPTER`: lm_eval cannot quantise it itself."""
    import torch
    from transformers import AutoTokenizer

    recipe = recipe_of(record)
    check_quantized(recipe)
    names = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
    precision = Precision(names[record["dtype"]], "as in training")

    def write(fresh: Path) -> None:
        quantized = quantization_config(precision, recipe.double_quantization)
        base = load_base(recipe, dtype=getattr(torch, record["dtype"]), quantization_config=quantized)
        base.save_pretrained(fresh)
        AutoTokenizer.from_pretrained(recipe.model, revision=recipe.revision).save_pretrained(fresh)

    _write_folder(out, write, "--save-quantized-base")


def check_quantized(recipe: Recipe) -> None:
    """Raise SettingError unless the recipe's base is quantised."""
    if recipe.quantization != "nf4":
        raise SettingError("--save-quantized-base: this adapter's base is not quantised (quantization: none); score it with that base")


def check_folder(out: Path, option: str) -> None:
    """Raise SettingError unless `out` can be written and is absent or empty: a model folder is never written over."""
    if not is_new(out, option):
        raise SettingError(f"{out} is there already and not empty; give a new folder")


def _write_folder(out: Path, write: Callable[[Path], None], option: str) -> None:
    """Let `write` fill a folder beside `out` and move it into place, so that half a model is never found there."""
    check_folder(out, option)
    with replace_folder(out) as fresh:
        write(fresh)
