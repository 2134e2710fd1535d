"""Trackers that a training reports its losses to: transformers' own callbacks, and only where the
recipe names one.
"""

from pathlib import Path
from typing import Any

from csc_tasks.trackers import check_tracker
from trainers.recipe import NOWHERE

LOGS = "logs"
"""The folder of TensorBoard's files, in the adapter's."""


def check(name: str) -> None:
    """Raise SettingError for a tracker whose package is not installed."""
    check_tracker(name, "report_to: ", f"report_to: {NOWHERE}")


def trackers(name: str, out: Path) -> list[Any]:
    """transformers' callbacks for a tracker, none for `none`. out: the adapter's folder.

    Raises SettingError where the package is missing.
    """
    check(name)
    if name == NOWHERE:
        return []
    from transformers import integrations

    if name == "tensorboard":
        writer = integrations.TensorBoardCallback()
        writer.logging_dir = str(out / LOGS)
        return [writer]
    return [integrations.TrackioCallback() if name == "trackio" else integrations.WandbCallback()]
