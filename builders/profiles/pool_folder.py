"""The folder that holds a pool of profiles: profiles.jsonl, build.json and run.json, put into place
in one step.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from builders.rolecs.pool import POOL_FILE
from csc_tasks.errors import SettingError
from csc_tasks.out import is_new, replace_file, replace_folder, say_earlier

FORMAT = "csc-tasks profile pool, version 1"
"""Written into build.json; a folder without it is never replaced."""

FILES = (POOL_FILE, "build.json", "run.json")


@dataclass(frozen=True, slots=True)
class PoolProfile:
    """One profile: what was extracted, and the description (`profile`) made of it. `profile_id`
    depends on the description alone; `source_id` is the conversation it was read from.
    """

    profile_id: str
    language: str
    profile: str
    demographics: str
    financial_status: str
    communication_preference: str
    source_id: str

    def to_row(self) -> dict:
        """The line of profiles.jsonl."""
        return asdict(self)


def check_target(out: Path) -> None:
    """Raise SettingError unless `out` is absent, empty, or a pool of ours with nothing else in it;
    says so where an earlier pool will be replaced.
    """
    if is_new(out):
        return
    try:
        ours = json.loads((out / "build.json").read_text(encoding="utf-8"))["format"] == FORMAT
    except (OSError, ValueError, LookupError, TypeError):
        ours = False
    if not ours or {path.name for path in out.iterdir()} - set(FILES):
        raise SettingError(
            f"{out} is not empty and is not a profile pool alone; give an empty folder or a new one"
        )
    say_earlier(f"{out} holds an earlier pool, which this one replaces at the end")


def write_pool(out: Path, rows: Iterable[Mapping], build: Mapping, run: Mapping) -> None:
    """Write the three files of a pool; raises SettingError where they cannot be written."""
    lines = (
        json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        for row in rows
    )
    with replace_folder(out) as fresh:
        replace_file(fresh / POOL_FILE, lines)
        for name, content in (("run.json", run), ("build.json", build)):
            replace_file(fresh / name, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
