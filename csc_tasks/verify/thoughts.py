"""How a run's replies may have been read: which marks of thinking its model, its server and its
prompts have.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from csc_tasks.runs.model_arguments import model_arguments
from csc_tasks.runs.samples_file import Run
from csc_tasks.thinking import CUT, FAMILIES, Thinking, opened_by

MARK = re.compile(r"[<>\[\]|]|assistantfinal")
"""What stands in a mark of thinking, and seldom in a reply."""


def ways(run: Run) -> list[Thinking]:
    """The ways in which the model's replies may have been read, the likeliest first."""
    metadata = run.results["configs"][run.task]["metadata"]
    stated = metadata["csc"].get("thinking")
    name = stated.get("family") if isinstance(stated, dict) else None
    family = next((family for family in FAMILIES if family.name == name), None)
    configured = run.results.get("config")
    arguments = model_arguments(
        configured.get("model_args") if isinstance(configured, dict) else None
    )
    closing = arguments.get("think_end_token", "")
    first = Thinking(family=family, closing="" if closing.isdigit() else closing)
    made = [first]
    made += [way for way in (replace(first, closing=""), Thinking()) if way not in made]
    return made


def opening(family_ways: Sequence[Thinking], mark: str) -> Iterator[Thinking]:
    """Every way with what the prompt opens, without it (the backend took the thinking out), and cut
    by the token limit (a server says so beside the text).
    """
    for way in family_ways:
        for begun in dict.fromkeys((mark, "", CUT)):
            yield replace(way, opened=begun)


def opened(line: Mapping[str, Any], number: int) -> str:
    """The marks of a thought that the logged prompt of a record opens."""
    arguments = line.get("arguments")
    sent = arguments.get(f"gen_args_{number}") if isinstance(arguments, dict) else None
    prompt = sent.get("arg_0") if isinstance(sent, dict) else None
    return opened_by(prompt) if isinstance(prompt, str) else ""
