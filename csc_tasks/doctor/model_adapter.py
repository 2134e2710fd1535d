"""What an adapter on a model, or merged into it, was trained on, and if lm_eval can load it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from csc_tasks.adapter import MERGED_RECORD, RECORD
from csc_tasks.doctor import BROKEN, OK, Finding
from csc_tasks.doctor.subject import Subject
from csc_tasks.prompts import DATE, TEXT


def adapter_findings(subject: Subject) -> Iterator[Finding]:
    """The findings; sets what the scoring command has to say for prompts as in training."""
    if subject.adapter is None:
        merged = _record(subject.folder / MERGED_RECORD)
        if merged:
            subject.settings |= trained_on(merged)
            text = f"{merged['model']} and an adapter trained with csc_prompt={merged['style']}"
            yield Finding(OK, "merged from", text)
        return
    from peft import PeftConfig

    try:
        config = PeftConfig.from_pretrained(str(subject.adapter))
    except (OSError, ValueError):
        text = f"{subject.adapter}: no adapter that peft can read"
        yield Finding(BROKEN, "adapter", text, "give the folder with adapter_config.json")
        return
    layers = getattr(config, "target_modules", None) or ()
    targets = set() if isinstance(layers, str) else set(layers)
    record = _record(subject.adapter / RECORD)
    trained = "not trained by csc train"
    if record:
        subject.settings |= trained_on(record)
        subject.arguments |= record["template_arguments"]
        subject.stop = record.get("stop")
        trained = f"trained with csc_prompt={record['style']}"
    kind = getattr(config.peft_type, "value", config.peft_type)
    shown = layers if isinstance(layers, str) else ", ".join(sorted(layers))
    yield Finding(OK, "adapter", f"{kind} on {shown or 'no layer'}, {trained}")
    yield from embeddings(subject, targets, set(getattr(config, "modules_to_save", None) or ()))


def trained_on(record: Mapping[str, Any]) -> dict[str, str | int]:
    """The settings that ask as in training; a date only where it is not the usual."""
    settings: dict[str, str | int] = {"csc_prompt": record["style"]}
    if record.get("format", TEXT) != TEXT:
        settings["csc_format"] = record["format"]
    date = record.get("date") or DATE
    if date != DATE:
        settings["csc_date"] = date
    # The base would think; what was trained replies at once.
    if record.get("thinks"):
        settings["csc_think_tokens"] = 0
    return settings


def embeddings(subject: Subject, targets: set[str], whole: set[str]) -> Iterator[Finding]:
    """What keeps lm_eval from loading the embeddings that an adapter trains:

    `whole` in full, of `targets` a part.
    """
    skeleton = subject.skeleton
    names = {module: name.rpartition(".")[2] for name, module in skeleton.named_modules()}
    first = skeleton.get_input_embeddings()
    inputs, outputs = names.get(first), names.get(skeleton.get_output_embeddings())
    rows, tokens = getattr(first, "num_embeddings", 0), len(subject.tokenizer)
    advice = "score it merged: csc train --out ADAPTER --merge DIR"
    tied = skeleton.config.get_text_config().tie_word_embeddings
    if tied and (outputs in targets or {inputs, outputs} & whole):
        text = (
            "it trains embeddings that the base uses as input and output; lm_eval shares them "
            "again, and fails or scores other weights"
        )
        yield Finding(BROKEN, "embeddings", text, advice)
    elif {inputs, outputs} & (targets | whole) and rows != tokens:
        text = f"it trains {rows:,} embeddings; lm_eval cuts them to the tokenizer's {tokens:,}"
        yield Finding(BROKEN, "embeddings", text, advice)


def _record(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
