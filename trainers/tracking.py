"""Trackers that a training reports its losses to: transformers' own callbacks, and only where the
recipe names one.
"""

import importlib.util
from pathlib import Path
from typing import Any

from csc_tasks.errors import SettingError
from trainers.recipe import NOWHERE

LOGS = "logs"
"""The folder of TensorBoard's files, in the adapter's."""

TRACKERS = ("tensorboard", "trackio", "wandb")
"""Where a training can be reported to, by the names of the packages that do it."""


def check_tracker(name: str) -> None:
    """Raise SettingError for a tracker whose package is not installed."""
    if name in TRACKERS and importlib.util.find_spec(name) is None:
        raise SettingError(
            f"report_to: {name} needs the package {name}: pip install {name}, or report_to:"
            f" {NOWHERE}"
        )


def trackers(name: str, out: Path) -> list[Any]:
    """transformers' callbacks for a tracker, none for `none`. out: the adapter's folder.

    Raises SettingError where the package is missing.
    """
    check_tracker(name)
    if name == NOWHERE:
        return []
    from transformers import integrations

    if name == "tensorboard":
        writer = integrations.TensorBoardCallback()
        writer.logging_dir = str(out / LOGS)
        return [writer]
    return [integrations.TrackioCallback() if name == "trackio" else integrations.WandbCallback()]
