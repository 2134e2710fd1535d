"""Everything about a training that is known before the base's weights are loaded: whether it can be
done, on which prompts, and its rows.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from csc_tasks.conversation import Conversation, content_id
from csc_tasks.errors import SettingError
from csc_tasks.prompts import TEXT
from csc_tasks.question import Question
from trainers.adapter import fingerprint
from trainers.base import check_base, check_rows, kind_of, load_tokenizer, mark_to_stop_at
from trainers.hardware import (
    Precision,
    choose_precision,
    free_memory,
    return_freed_blocks,
    shards,
    what_would_fit,
)
from trainers.memory import Estimate, estimate
from trainers.recipe import Recipe, as_dict
from trainers.rendering import Rendering
from trainers.rows import Row, build_rows
from trainers.splits import TrainingData, read_training_data
from trainers.summary import count_lines, data_lines, prompt_lines

Say = Callable[[str], None]

_LATER: dict[str, Any] = {"train_size": None, "format": TEXT}
"""Recipe key that came later -> what it was before: so an adapter of then is the same training."""
_WITHOUT_EFFECT = frozenset({"report_to"})
"""Recipe keys that change no weight."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A training whose base and data have been looked at.

    config: the base's configuration. base: what tells the base from another (see
    adapter.fingerprint). identity: the same for recipe, base and data together.
    """

    recipe: Recipe
    precision: Precision
    tokenizer: Any
    config: Any
    rendering: Rendering
    data: TrainingData
    base: str
    identity: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """The rows of a training and what was counted in making them.

    stop: the mark that ends every target where lm_eval would write on after it, else None.
    """

    rows: list[Row]
    counts: Counter
    stop: str | None
    held_out: list[Row] = field(default_factory=list)
    held_counts: Counter = field(default_factory=Counter)


def prepare(recipe: Recipe, processes: int, say: Say) -> Preparation:
    """Read the base's tokenizer and configuration, and the data.

    Raises SettingError, DataError or ModelError for whatever stands in the way.
    """
    precision = choose_precision(recipe.precision)
    say(
        f"precision: {precision.name}, because {precision.reason}; base weights in"
        f" {kind_of(recipe, precision)}"
    )
    tokenizer, config = load_tokenizer(recipe)
    check_base(recipe, precision, tokenizer, config, shards(processes))
    rendering = Rendering(
        tokenizer, recipe.chat_template, tags=recipe.strategy_weight != 1, today=recipe.date
    )
    tested = [recipe.test_data] if recipe.test_data else []
    data = read_training_data(
        recipe.data,
        recipe.configs,
        recipe.language,
        recipe.validation_share,
        tested,
        recipe.train_size,
        recipe.seed,
        recipe.bad_rows,
    )
    for line in data_lines(data):
        say(line)
    base = fingerprint(recipe.model, getattr(config, "_commit_hash", None))
    identity = content_id(
        "training",
        telling_settings(recipe, base),
        [source.content_hash for source in data.sources],
    )
    return Preparation(recipe, precision, tokenizer, config, rendering, data, base, identity)


def telling_settings(recipe: Recipe, base: str) -> dict[str, Any]:
    """The settings that tell one training from another. base: as in Preparation."""
    settings = as_dict(recipe) | {"model": base}
    return {
        name: value
        for name, value in settings.items()
        if name not in _WITHOUT_EFFECT and not (name in _LATER and value == _LATER[name])
    }


def make_lessons(prepared: Preparation, say: Say, quiet: bool) -> Lessons:
    """The rows to learn and those held out. quiet: no progress bar.

    Raises SettingError or DataError when there is nothing to learn, or to measure early stopping
    on, ModelError for rows that the base cannot read.
    """
    recipe, data = prepared.recipe, prepared.data

    def rows_of(items: tuple[Conversation | Question, ...]) -> tuple[list[Row], Counter]:
        return build_rows(
            items,
            prepared.rendering,
            recipe.style,
            recipe.max_length,
            quiet,
            reference=recipe.reference,
            pack=recipe.pack_turns,
            form=recipe.format,
            skip_too_long=recipe.too_long == "skip",
        )

    rows, counts = rows_of(data.train)
    held_out, held_counts = rows_of(data.validation) if data.validation else ([], Counter())
    check_rows([*rows, *held_out], prepared.config)
    if recipe.early_stopping and not held_out:
        raise SettingError(
            "early_stopping needs a validation loss, and there is nothing to hold out of a single"
            " conversation; set it to 0"
        )
    stop = mark_to_stop_at(recipe, prepared.rendering, prepared.config)
    for line in (*count_lines(counts, held_counts), *prompt_lines(prepared.rendering, stop)):
        say(line)
    if recipe.validation_share and not held_out:
        say(
            "held out: nothing, because there is only one conversation; there will be no validation"
            " loss"
        )
    return Lessons(rows, counts, stop, held_out, held_counts)


def needed_memory(prepared: Preparation, lessons: Lessons, processes: int) -> Estimate:
    """What one process of the training takes at its peak, if its longest rows, and those that teach
    most, are one batch. Raises as memory.estimate does.
    """
    import torch

    recipe = prepared.recipe
    longest = max(len(row.ids) for row in lessons.rows)
    packed = recipe.batching == "packed"
    rows = recipe.batch_size if packed else min(recipe.batch_size, len(lessons.rows))
    length = recipe.max_length if packed else longest
    counts = sorted((row.learned() for row in lessons.rows), reverse=True)
    learned = sum(counts[:rows])
    if packed:
        # Filled up with as many rows as fit: they learn as much of it as rows do on average.
        learned = rows * length * sum(counts) // sum(len(row.ids) for row in lessons.rows)
    return estimate(
        recipe,
        prepared.precision,
        prepared.config,
        rows,
        length,
        learned,
        torch.cuda.is_available(),
        shards(processes),
    )


def provide_memory(prepared: Preparation, lessons: Lessons, processes: int) -> str:
    """What the training takes at its peak, and whether that is there. Where it is more than half of
    what is free, and the base is trained on a CPU, freed blocks go back at once from now on.

    Whatever keeps the base from being run on shapes alone is said in place of a number: an estimate
    is no reason to stop.
    """
    import torch

    recipe = prepared.recipe
    try:
        needed = needed_memory(prepared, lessons, processes)
    except Exception as error:  # the base's own code, run in a way it may not allow
        first = next(iter(str(error).splitlines()), "")
        return f"memory: not estimated for this base ({type(error).__name__}: {first[:120]})"
    free, where = free_memory()
    if free is None or needed.total <= free / 2:
        return f"memory: {needed}"
    back = ""
    if not torch.cuda.is_available():
        return_freed_blocks()
        back = "; freed memory goes back at once, which costs time"
    if needed.total <= free:
        return f"memory: {needed}{back}"
    way = what_would_fit(
        recipe.batch_size,
        recipe.accumulation,
        recipe.max_length,
        recipe.gradient_checkpointing,
        recipe.quantization == "nf4",
    )
    return (
        f"memory: {needed}{back}; {where} has {free / 1e9:.1f} GB free. Should it run out, this"
        f" needs less: {way}"
    )
