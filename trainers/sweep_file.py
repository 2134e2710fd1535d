"""OUT/sweep.json: what a sweep trained and scored, one point a value and seed.

    {"format": "csc-tasks sweep, version 1",
     "key": "train_size",          the recipe key that was swept: train_size, lora_r, data, ...
     "limit": null,                --limit of the scoring: conversations asked about; null: all
     "points": [
       {"value": "3000",           as it was given: a number, `all`, a folder
        "base": false,             true: the base itself, nothing trained (train_size=0)
        "seed": 0,                 of the training; null for the base
        "size": 3000,              conversations that were learned; 0 for the base
        "rows": 3120,              training rows that were made of them
        "steps": 585,              optimizer steps
        "folder": "3000",          the adapter, below OUT; null for the base
        "results": "3000-results", what lm_eval wrote, below OUT; null: not scored (yet)
        "file": "3000-results/.../results_2026-11-29T02-00-00.0.json",
                                   the results file of this point, below OUT; null: not scored
        "model": "OUT/3000",       the name of its row on a board that collects `results`;
                                   null: not scored
        "scores": {"csc_conv_ref": {"strategy_acc": 0.6, "strategy_acc_stderr": 0.02, ...}},
        "command": "lm_eval ...",  what scored it, without --limit; null: not scored
        "identity": "...",         what was trained: recipe, base, data; of the base: its weights
        "validation_loss": 2.5, "train_loss": 2.1,      null: not measured; nats a learned token
        "trained_parameters": 1722368, "seconds": 165.0,
        "counts": {"rows": 3120, "tokens": 1510000, ...}}]}

Points stand in the order of the values as given, and of the seeds within a value. The base is one
point, whatever the number of seeds: its replies are greedy. The conversations of a size are part of
those of every larger size with the same seed. The file is written when all are trained, and
again after every scoring; a sweep that was killed goes on by the same command, and what was scored
already is read from here. Paths are relative to the file's folder, with `/`.

`csc collect OUT/*-results` makes a board of all points; a point is its row by `model`. Several
seeds of a value are rows of their own there (`3000-seed0`, `3000-seed1`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from csc_tasks.errors import SettingError
from csc_tasks.file_names import stays_inside
from csc_tasks.out import replace_file
from trainers.scoring import Scored, read_scored

NAME = "sweep.json"
FORMAT = "csc-tasks sweep, version 1"


@dataclass(slots=True)
class Point:
    """One value of a sweep with one seed, as the file holds it (see above)."""

    value: str
    base: bool
    seed: int | None
    size: int | None
    rows: int
    steps: int
    folder: str | None
    identity: str
    validation_loss: float | None = None
    train_loss: float | None = None
    trained_parameters: int = 0
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    results: str | None = None
    file: str | None = None
    model: str | None = None
    command: str | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def add(self, scored: Scored, command: str, results: Path, out: Path) -> None:
        """Say what was scored by `command` into the folder `results`; out: the sweep's folder."""
        self.results = results.relative_to(out).as_posix()
        self.file = scored.file.relative_to(out).as_posix()
        self.model, self.command, self.scores = scored.model, command, scored.numbers


def trained_point(
    value: str, record: Mapping[str, Any], folder: str, seed: int | None = None
) -> Point:
    """The point of an adapter in `folder`, by its record."""
    counts = record["counts"]
    return Point(
        value=value,
        base=False,
        seed=record["recipe"]["seed"] if seed is None else seed,
        # Adapters of before conversations were counted were trained on all there are.
        size=record.get("conversations", counts.get("conversations")),
        rows=counts["rows"],
        steps=record["steps"],
        folder=folder,
        identity=record["identity"],
        validation_loss=record["validation_loss"],
        train_loss=record["train_loss"],
        trained_parameters=record["trained_parameters"],
        seconds=record["seconds"],
        counts=counts,
    )


def base_point(value: str, record: Mapping[str, Any]) -> Point:
    """The point of the base under the adapter whose record this is."""
    return Point(
        value=value,
        base=True,
        seed=None,
        size=0,
        rows=0,
        steps=0,
        folder=None,
        identity=record["base"],
    )


def write_points(out: Path, key: str, limit: int | None, points: Sequence[Point]) -> None:
    """Write the file of a sweep into the folder `out`."""
    content = {
        "format": FORMAT,
        "key": key,
        "limit": limit,
        "points": [asdict(point) for point in points],
    }
    replace_file(out / NAME, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run of the command left: the file's key, limit and points, as it says them;
    no key where it left nothing that can be read.
    """

    key: str | None = None
    limit: int | None = None
    points: tuple[Mapping[str, Any], ...] = ()

    def scored(self, point: Point, command: str, limit: int | None, out: Path) -> Scored | None:
        """What was scored of a point by this command, where its results file is still there."""
        for one in self.points:
            same = (one.get("identity"), one.get("command"), self.limit)
            file = one.get("file")
            if same != (point.identity, command, limit) or not stays_inside(file):
                continue
            if (out / str(file)).exists():
                return read_scored(out / str(file))
        return None


def read_earlier(out: Path) -> Earlier:
    """The file of a sweep that was begun in the folder `out`. What is no such file is none."""
    try:
        content = json.loads((out / NAME).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return Earlier()
        points = tuple(point for point in content["points"] if isinstance(point, dict))
        return Earlier(content["key"], content["limit"], points)
    except (OSError, ValueError, LookupError, TypeError):
        return Earlier()


def check_key(earlier: Earlier, key: str, out: Path, overwrite: bool) -> None:
    """Raise SettingError where the folder holds a sweep over another key."""
    if earlier.key not in (None, key) and not overwrite:
        raise SettingError(
            f"{out} holds a sweep over {earlier.key}; give another folder, or replace its"
            f" {NAME} with --overwrite"
        )
