"""The base of a training: reading it, and everything that is checked about it before it is trained
on.
"""

from collections.abc import Sequence

from csc_tasks.errors import ModelError, SettingError
from csc_tasks.gguf import why_not
from csc_tasks.stops import last_token, stop_tokens
from trainers.hardware import Precision, check_memory, free_memory
from trainers.memory import weights_of
from trainers.recipe import ALL_LINEAR, Recipe
from trainers.rendering import Rendering
from trainers.rows import Row


def load_tokenizer(recipe: Recipe):
    """(tokenizer, configuration) of the base. Raises ModelError when it cannot be read."""
    from transformers import AutoConfig, AutoTokenizer

    if reason := why_not(recipe.model, "training and merging"):
        raise ModelError(reason)
    try:
        config = AutoConfig.from_pretrained(recipe.model, revision=recipe.revision)
        return AutoTokenizer.from_pretrained(recipe.model, revision=recipe.revision), config
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{recipe.model}: no model that transformers can load"
            f" ({' '.join(str(error).split())[:300]})"
        ) from None


def kind_of(recipe: Recipe, precision: Precision) -> str:
    """What the base's weights are kept in: nf4 or the precision's name."""
    return "nf4" if recipe.quantization == "nf4" else precision.name


def check_base(recipe: Recipe, precision: Precision, tokenizer, config, parts: int = 1) -> None:
    """Raise ModelError when the base does not fit into memory, or its embeddings are to be trained
    although they cannot be scored then.

    `parts`: over how many processes its weights are spread.
    """
    skeleton = _skeleton(config)
    _check_embeddings(recipe, skeleton, len(tokenizer))
    weights = weights_of(skeleton)
    kinds = {name: weights.size(name, False, True) for name in ("fp32", "fp16", "bf16")}
    # In 4 bits the embeddings stay what they are computed in.
    kinds["nf4"] = weights.size(precision.name, True, recipe.double_quantization)
    check_memory(kinds, kind_of(recipe, precision), *free_memory(), parts)


def _check_embeddings(recipe: Recipe, skeleton, tokens: int) -> None:
    """Raise ModelError when trl would not train, or lm_eval not score, the embeddings that the
    recipe wants to train.

    `tokens`: how many the tokenizer knows.
    """
    first, last = skeleton.get_input_embeddings(), skeleton.get_output_embeddings()
    names = {module: name.rpartition(".")[2] for name, module in skeleton.named_modules()}
    inputs, outputs = names.get(first), names.get(last)
    embeddings = {name for name in (inputs, outputs) if name is not None}
    targets = {name.rpartition(".")[2] for name in recipe.lora_target}
    whole = {name.rpartition(".")[2] for name in recipe.modules_to_save}
    if outputs in targets:
        # trl computes the loss from the layer's own weights, where an adapter's are not.
        raise ModelError(
            f"lora_target: {outputs} cannot get an adapter, because the loss is computed without"
            f" it; leave it out, or train it in full with modules_to_save: {outputs} (for a base"
            " with tie_word_embeddings: false)"
        )
    tied = embeddings & whole
    if tied and skeleton.config.get_text_config().tie_word_embeddings:
        # lm_eval ties the weights again after it has loaded an adapter: it fails, or scores other
        # weights than were trained.
        raise ModelError(
            f"modules_to_save: {', '.join(sorted(tied))} cannot be trained for a base whose input"
            " and output embeddings are one matrix; leave it out, or take a base that keeps them"
            " apart (tie_word_embeddings: false)"
        )
    adapted = embeddings & (targets | whole)
    rows = getattr(first, "num_embeddings", tokens)
    if adapted and rows != tokens:
        # lm_eval resizes the embeddings to the tokenizer before it loads an adapter.
        raise ModelError(
            f"{', '.join(sorted(adapted))} cannot be trained for this base: its embeddings have"
            f" {rows:,} rows and its tokenizer {tokens:,} tokens, and lm_eval would cut the base to"
            " the tokenizer before it loads the adapter; leave it out"
        )


def check_rows(rows: Sequence[Row], config) -> None:
    """Raise ModelError when a row is longer than the base can read."""
    longest = max(len(row.ids) for row in rows)
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions and longest > positions:
        raise ModelError(
            f"rows have up to {longest} tokens, and the base reads no more than {positions}; set"
            f" max_length: {positions}"
        )


def check_layers(recipe: Recipe, model) -> None:
    """Raise SettingError when the recipe names a layer that the base has not: peft says nothing as
    long as it finds others.
    """
    there = [f".{name}" for name, _ in model.named_modules()]
    for key in ("lora_target", "modules_to_save"):
        wanted = getattr(recipe, key)
        if wanted == (ALL_LINEAR,):
            continue
        unknown = [name for name in wanted if not any(one.endswith(f".{name}") for one in there)]
        if unknown:
            known = sorted(
                {
                    name.rpartition(".")[2]
                    for name, module in model.named_modules()
                    if hasattr(module, "weight")
                }
            )
            raise SettingError(
                f"{key}: the base has no layer {', '.join(unknown)}; it has {', '.join(known)}"
            )


def mark_to_stop_at(recipe: Recipe, rendering: Rendering, config) -> str | None:
    """The mark that ends every target, where lm_eval would write on after it; None where it stops
    there by itself.

    Bases that are not instruction-tuned often have a chat template, and end a text with another
    mark than it ends a turn.
    """
    last = last_token(rendering.tokenizer, rendering.end)
    stops = stop_tokens(recipe.model, recipe.revision, rendering.tokenizer, config)
    return None if last in stops else rendering.tokenizer.decode([last])


def load_base(recipe: Recipe, **options):
    """The base's weights. Raises ModelError when they cannot be read."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            recipe.model, revision=recipe.revision, **options
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{recipe.model}: the weights cannot be loaded ({' '.join(str(error).split())[:300]})"
        ) from None


def _skeleton(config):
    """The base without its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
