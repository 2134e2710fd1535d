"""What a training says before it starts: what was made of the data, and what is particular about
the base's prompts.
"""

from collections.abc import Iterator, Mapping

from trainers.rendering import Rendering
from trainers.splits import TrainingData


def data_lines(data: TrainingData) -> Iterator[str]:
    """What was read and what is left out."""
    for source in data.sources:
        yield from source.report()
    if data.set_aside:
        yield (
            f"{data.set_aside} rows are left out, because their conversations are held out in"
            " another config or corpus"
        )
    if data.not_drawn:
        yield (
            f"train_size: {data.conversations():,} conversations are learned, {data.not_drawn:,}"
            " others are not"
        )
    for config in data.absent:
        yield f"there is no {config}/train in the data"


def count_lines(counts: Mapping[str, int], held_out: Mapping[str, int]) -> Iterator[str]:
    """Every count that is not zero, of the rows that are learned and of those held out."""
    for name, numbers in (("rows", counts), ("held out", held_out)):
        if numbers:
            shown = (f"{count:,} {what}" for what, count in numbers.items() if count)
            yield f"{name}: {'; '.join(shown)}"


def prompt_lines(rendering: Rendering, stop: str | None) -> Iterator[str]:
    """What is particular about the base's prompts. stop: see base.mark_to_stop_at."""
    if stop:
        yield (
            f"the chat template ends a turn with {stop}, where this base does not stop by itself:"
            " the scoring command says so"
        )
    if rendering.template_arguments:
        switch = ", ".join(f"{key}={value}" for key, value in rendering.template_arguments.items())
        yield (
            f"thinking: switched off in the chat template ({switch}), here and in the command that"
            " scores the adapter"
        )
    if rendering.closes_thinking:
        yield "thinking: the chat template opens it in every prompt; targets close it at once"
    elif rendering.thinking.thinks:
        yield (
            "thinking: the base thinks before it replies; targets begin with the reply"
            f" ({rendering.opening!r})"
        )
    if rendering.date:
        yield (
            f"the chat template prints today's date: it is given {rendering.date}, here and where"
            " the adapter is scored"
        )
    if rendering.template is not None and rendering.template.needs_parts:
        yield "the chat template shows text parts only: texts are sent as such, as in the benchmark"
    if not rendering.takes_system:
        yield (
            "the chat template takes no system message: instructions open the first user message,"
            " as in the benchmark"
        )
