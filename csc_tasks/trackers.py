"""Trackers that a training or a trial is reported to, by the names of the packages that do it."""

import importlib.util

from csc_tasks.errors import SettingError

TRACKERS = ("tensorboard", "trackio", "wandb")


def check_tracker(name: str, option: str, otherwise: str) -> None:
    """Raise SettingError for a tracker whose package is not installed. option: where it was named;
    otherwise: what to do without it.
    """
    if name in TRACKERS and importlib.util.find_spec(name) is None:
        raise SettingError(
            f"{option}{name} needs the package {name}: pip install {name}, or {otherwise}"
        )
