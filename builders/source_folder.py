"""A dataset folder that another one is made of: what is read of it, and what stays of its
build.json; and when something was made.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.cards.render import Card
from builders.dataset import check_target, read_folder
from builders.review.dataset_card import read_card
from csc_tasks.errors import SettingError


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """What is known of the folder: its build.json, its rows (config -> split -> rows), its card."""

    record: dict[str, Any]
    rows: dict[str, dict[str, list[dict[str, Any]]]]
    card: Card


def read_source(folder: Path, out: Path, called: str) -> SourceFolder:
    """Read a folder, to write another one into `out`. Raises SettingError where that is the same or
    will not do, DataError for a folder that no builder wrote.
    """
    check_other(folder, out, called)
    check_target(out)
    record, rows = read_folder(folder)
    return SourceFolder(record, rows, read_card(folder / "README.md"))


def check_other(folder: Path, out: Path, called: str) -> None:
    """Raise SettingError where `out` is the folder itself, which is `called` so."""
    if out.resolve() == folder.resolve():
        raise SettingError(f"--out {out} is {called}; give another folder")


def kept_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What build.json goes on to say in a folder made of this one."""
    return {k: v for k, v in record.items() if k not in ("format", "csc_tasks", "splits")}


def contents(record: Mapping[str, Any]) -> dict[str, str]:
    """CONFIG/SPLIT -> sha256 of the rows."""
    return {
        f"{config}/{split}": content["content_sha256"]
        for config, parts in record["splits"].items()
        for split, content in parts.items()
    }


def timed(started: float) -> dict[str, object]:
    """What run.json says of the time of something that began at `started` (seconds since 1970)."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }
