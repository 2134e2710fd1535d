"""eval.yaml: what the Hub reads of a dataset that is a benchmark there.

The Hub checks the file on every push and takes an `evaluation_framework` of its own list only
(huggingface.js, packages/tasks/src/eval.ts). What runs these tasks is not on it, so no eval.yaml is
written or sent until it is: docs/hub-registration.md says what to propose and what to change here
then.
"""

from collections.abc import Mapping
from pathlib import Path

from builders.cards.render import Card, readers_of
from csc_tasks.benchmark import SPLIT

NAME = "eval.yaml"
FRAMEWORK: str | None = None
"""What the Hub's list calls the framework that runs these tasks; None: it has no such entry."""
UNKNOWN = ("lm-evaluation-harness",)
"""Names that earlier versions wrote into eval.yaml, which the Hub's list has never had."""


def evaluation(card: Card, record: Mapping) -> dict:
    """eval.yaml: one entry per task that can be run on a test split here. Empty for a dataset that
    is only trained on, and as long as the Hub's list has no framework of ours.
    """
    tasks = [
        {"id": task, "config": config, "split": SPLIT}
        for config, reader in readers_of(record).items()
        for task in reader.tasks
    ]
    if not tasks or FRAMEWORK is None:
        return {}
    return {
        "name": card.title,
        "description": card.summary,
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }


def refused(file: Path) -> str | None:
    """The framework that an eval.yaml of an earlier version names and the Hub would refuse the
    whole commit for; None where there is no such file or it names another.
    """
    import yaml

    if not file.is_file():
        return None
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None  # The Hub says what is wrong with a file of the user's own.
    named = content.get("evaluation_framework") if isinstance(content, dict) else None
    return named if named in UNKNOWN and named != FRAMEWORK else None
