"""Folders made of an adapter:

Its base with the adapter merged in, and its base as it was quantised in training.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from csc_tasks import __version__
from csc_tasks.adapter import MERGED_RECORD
from csc_tasks.errors import ModelError, SettingError
from csc_tasks.out import is_new, replace_folder
from csc_tasks.prompts import TEXT
from csc_tasks.stops import last_token
from trainers.adapter import fingerprint, recipe_of
from trainers.adapter_card import short_name
from trainers.base import load_base, load_tokenizer
from trainers.hardware import Precision, quantization_config
from trainers.merge_check import MergeCheck, demo_turns, make_probes, require_same_weights
from trainers.recipe import Recipe
from trainers.rendering import Rendering
from trainers.served import check_prompts, name_stop, template_as_trained
from trainers.tied import TiedWeights

MERGED_FORMAT = "csc-tasks merged model, version 1"


def merge(adapter: Path, record: Mapping, out: Path, say: Callable[[str], None] = print) -> dict:
    """Write base plus adapter as one bf16 model folder and return its record (csc_merged.json).

    Raises ModelError, and writes nothing, unless the merged weights, and what the folder loads as,
    give the adapter's logits, and the folder's chat template renders the prompts of training.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe = recipe_of(record)
    check_folder(out, "--merge")
    tokenizer, config = load_tokenizer(recipe)
    check_unchanged(recipe, record, config)
    rendering = Rendering(tokenizer, recipe.chat_template, today=recipe.date)
    asked = demo_turns(recipe.style, recipe.format)
    trained, _ = load_tokenizer(recipe)
    changes = template_as_trained(trained, rendering, asked)
    check_prompts(trained, rendering, asked)
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    check = MergeCheck(make_probes(rendering, asked, trained_tokens(adapter), positions), say)
    merged, untied = merged_model(recipe, adapter, check)
    merged = merged.to(torch.bfloat16)
    stop = last_token(tokenizer, rendering.end)
    made = _merged_record(recipe, record, rendering, untied)

    def write(fresh: Path) -> None:
        merged.save_pretrained(fresh)
        trained.save_pretrained(fresh)
        if name_stop(fresh, stop):
            changes.append(
                f"stops: {tokenizer.decode([stop])}, which ended every turn in training, is added"
            )
        check_prompts(AutoTokenizer.from_pretrained(fresh), rendering, asked)
        loaded = AutoModelForCausalLM.from_pretrained(fresh, dtype=torch.bfloat16)
        require_same_weights(merged.state_dict(), loaded.state_dict())
        # Computed in fp32: what rounding the weights has done, not what bf16 sums would add to it.
        check.require("the merged model as written", check.logits(loaded.float()), "bfloat16")
        made.update(served=changes, checks=check.results())
        (fresh / MERGED_RECORD).write_text(
            json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )

    _write_folder(out, write, "--merge")
    if untied:
        say(
            f"{', '.join(untied)}: no longer one matrix with the input embeddings; both are kept "
            "(tie_word_embeddings: false)"
        )
    for line in changes:
        say(line)
    return made


def _merged_record(
    recipe: Recipe, record: Mapping, rendering: Rendering, untied: list[str]
) -> dict:
    """What csc_merged.json holds before the folder is written."""
    return {
        "format": MERGED_FORMAT,
        "csc_tasks": __version__,
        "model": short_name(recipe.model),
        "adapter": record["identity"],
        "style": recipe.style,
        **({} if recipe.format == TEXT else {"format": recipe.format}),
        "thinks": record.get("thinks"),
        "date": rendering.date,
        "chat_template": recipe.chat_template,
        "dtype": "bfloat16",
        "untied": untied,
    }


def merged_model(recipe: Recipe, adapter: Path, check: MergeCheck):
    """(the merged model in fp32, the names of the parameters that are no longer shared).

    The base is read in fp32 whatever it was trained in: weights of 4 bits cannot take the adapter
    in, and sums are rounded once.
    """
    import torch

    base = load_base(recipe, dtype=torch.float32)
    quantized = None
    if getattr(base, "is_quantized", False):
        quantized = check.logits(with_adapter(base, adapter))
        base = dequantized(recipe)
    model = with_adapter(base, adapter)
    check.expect(model)
    if quantized is not None:
        check.require("the adapter on the quantised base", quantized, "bfloat16")
    tied = TiedWeights(base)
    tied.separate(model)
    merged = model.merge_and_unload()
    untied = tied.join(merged)
    check.require("the merged model", check.logits(merged), "float32")
    return merged, untied


def check_unchanged(recipe: Recipe, record: Mapping, config) -> None:
    """Raise ModelError when the base is no longer the one that the adapter was trained on."""
    if fingerprint(recipe.model, getattr(config, "_commit_hash", None)) != record["base"]:
        raise ModelError(
            f"{recipe.model} has changed since this adapter was trained on it: an adapter fits the "
            "very weights it was trained on; put them back, or train again"
        )


def trained_tokens(adapter: Path) -> list[int]:
    """The tokens whose embeddings an adapter trains one by one."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    indices = config.get("trainable_token_indices")
    groups = list(indices.values()) if isinstance(indices, dict) else [indices or []]
    return [token for group in groups for token in group]


def with_adapter(base, adapter: Path):
    """`base` with the adapter in it. Raises ModelError when it does not fit."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(base, str(adapter))
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{adapter} does not fit its base ({type(error).__name__}: {reason})"
        ) from None


def dequantized(recipe: Recipe):
    """A quantised base as a model in fp32.

    Raises ModelError where transformers cannot turn it back.
    """
    import torch

    # Loaded again: some quantised layers rearrange their weights when they are first computed with.
    base = load_base(recipe, dtype=torch.float32)
    method = getattr(base.hf_quantizer.quantization_config, "quant_method", "unknown")
    try:
        return base.dequantize().to(torch.float32)
    except (NotImplementedError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{recipe.model}: weights quantised by {getattr(method, 'value', method)} cannot take "
            f"an adapter in ({' '.join(str(error).split())[:200]}); serve base and adapter, or "
            "train on the base before it was quantised"
        ) from None


def save_quantized_base(record: Mapping, out: Path) -> None:
    """Write the NF4 base that the adapter was trained on, for `pretrained=DIR,peft=ADAPTER`:

    Lm_eval cannot quantise it itself.
    """
    import torch
    from transformers import AutoTokenizer

    recipe = recipe_of(record)
    check_quantized(recipe)
    names = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
    precision = Precision(names[record["dtype"]], "as in training")

    def write(fresh: Path) -> None:
        quantized = quantization_config(precision, recipe.double_quantization)
        base = load_base(
            recipe, dtype=getattr(torch, record["dtype"]), quantization_config=quantized
        )
        base.save_pretrained(fresh)
        AutoTokenizer.from_pretrained(recipe.model, revision=recipe.revision).save_pretrained(fresh)

    _write_folder(out, write, "--save-quantized-base")


def check_quantized(recipe: Recipe) -> None:
    """Raise SettingError unless the recipe's base is quantised."""
    if recipe.quantization != "nf4":
        raise SettingError(
            "--save-quantized-base: this adapter's base is not quantised (quantization: none);"
            " score it with that base"
        )


def check_folder(out: Path, option: str) -> None:
    """Raise SettingError unless `out` can be written and is absent or empty: a model folder is
    never written over.
    """
    if not is_new(out, option):
        raise SettingError(f"{out} is there already and not empty; give a new folder")


def _write_folder(out: Path, write: Callable[[Path], None], option: str) -> None:
    """Let `write` fill a folder beside `out` and move it into place, so that half a model is never
    found there.
    """
    check_folder(out, option)
    with replace_folder(out) as fresh:
        write(fresh)
