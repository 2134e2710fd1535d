"""Which version the shipped tasks have, as their files say it."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from csc_tasks import TASKS_DIR

SHARED = "_csc_yaml"
"""The file that every task includes: a task without a version of its own has this one's."""


@cache
def task_version(task: str) -> float:
    """The version of a task: its own, else the one that all tasks share, also that of a task that
    is not shipped. A fix that moves the scores of some tasks alone moves theirs.
    """
    own = (_metadata(folder / f"{task}.yaml") for folder in (TASKS_DIR, TASKS_DIR / "more"))
    stated = next(filter(None, own), None) or _metadata(TASKS_DIR / SHARED)
    version: float = stated["version"]
    return version


class _Loader(yaml.SafeLoader):
    """`!function` is a tag of lm_eval's."""


_Loader.add_constructor("!function", lambda _, node: node.value)


def _metadata(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    settings = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    metadata: dict[str, Any] = settings.get("metadata", {})
    return metadata
