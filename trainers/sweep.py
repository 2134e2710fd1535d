"""Several trainings that differ in one recipe key, and a table that compares them."""

import json
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csc_tasks.arguments import check_known
from csc_tasks.errors import SettingError
from csc_tasks.file_names import safe_name
from csc_tasks.metrics.result_names import metric_of
from csc_tasks.out import check_writable, replace_file
from trainers.hardware import is_first_process, release_memory
from trainers.qlora import train_adapter
from trainers.recipe import KEYS, Recipe, read_recipe
from trainers.scoring import score
from trainers.splits import refuse_tested


def sweep(args: Namespace, flags: Mapping[str, object]) -> None:
    """Train an adapter for every value of `args.sweep`, each into a folder of its own; print and
    write the table (OUT/sweep.md, .json).

    All are trained before the first is scored: under `accelerate launch` no process waits for
    another one's scoring.
    """
    key, values = read_sweep(args.sweep)
    out = Path(args.out)
    runs = _runs(args, flags, key, values)
    for run in runs:
        if is_first_process():
            print(f"--- {key} = {run.value}")
        run.record = train_adapter(run.recipe, run.folder, args.overwrite)
        release_memory()
    if not is_first_process():
        return
    for run in runs if args.score else ():
        print(f"--- scoring {key} = {run.value}", flush=True)
        run.scores = score(run.record, run.folder, None, args.limit)
    table = comparison(key, runs)
    print(f"\n{table}")
    content = {"key": key, "rows": [run.to_json() for run in runs]}
    replace_file(out / "sweep.json", json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    replace_file(out / "sweep.md", table + "\n")


@dataclass(slots=True)
class Run:
    """One value of a sweep: its recipe and folder, then the record of its training and its scores
    (as scoring.score returns them).
    """

    value: str
    recipe: Recipe
    folder: Path
    record: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Its row in sweep.json."""
        of_record = (
            "validation_loss",
            "train_loss",
            "steps",
            "trained_parameters",
            "seconds",
            "counts",
        )
        row = {"value": self.value, "folder": self.folder.name, "scores": self.scores}
        return row | {name: self.record[name] for name in of_record}


def _runs(
    args: Namespace, flags: Mapping[str, object], key: str, values: Sequence[str]
) -> list[Run]:
    """The trainings of a sweep, every recipe checked before the first one starts."""
    given = [name for name in ("merge", "save_quantized_base", "repo_id") if getattr(args, name)]
    if given:
        raise SettingError(
            f"--sweep goes without --{given[0].replace('_', '-')}: choose one adapter first"
        )
    out = Path(args.out)
    check_writable(out)
    config = Path(args.config) if args.config else None
    recipes = {value: read_recipe(config, {**flags, key: value}) for value in values}
    folders = {value: out / folder_name(value, values) for value in values}
    if len(set(folders.values())) < len(values):
        raise SettingError(
            f"--sweep: the values {', '.join(values)} would share a folder; give names that differ"
        )
    if args.score:
        check_tested(recipes)
    return [Run(value, recipe, folders[value]) for value, recipe in recipes.items()]


def read_sweep(text: str) -> tuple[str, list[str]]:
    """`lora_r=8,16,32` -> the key and its values. Raises SettingError for an unknown key or fewer
    than two different values.
    """
    key, _, listed = text.partition("=")
    key = key.strip().replace("-", "_")
    values = list(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
    check_known("--sweep", [key] if listed else [], list(KEYS))
    if key not in KEYS or len(values) < 2:
        raise SettingError(
            f"--sweep {text!r}: give KEY=V1,V2,... with a recipe key and at least two values, for"
            " example lora_r=8,16,32"
        )
    return key, values


def check_tested(recipes: Mapping[str, Recipe]) -> None:
    """Raise SettingError when the values would be scored on different test splits: their scores
    could not be compared.
    """
    tests = {
        value: refuse_tested(
            (), dict.fromkeys([*([recipe.test_data] if recipe.test_data else []), *recipe.data])
        )
        for value, recipe in recipes.items()
    }
    if len({tuple(splits.items()) for splits in tests.values()}) > 1:
        listed = "; ".join(
            f"{value}: {', '.join(splits.values()) or 'the published data'}"
            for value, splits in tests.items()
        )
        raise SettingError(
            f"--score would use different test splits ({listed}); name one for all with"
            " --test-corpus"
        )


def folder_name(value: str, values: Sequence[str]) -> str:
    """A folder name for a value: its last path part where that tells the values apart."""
    short = [Path(one).name for one in values]
    name = Path(value).name if len(set(short)) == len(short) else value
    return safe_name(re.sub(r"[^\w.-]+", "-", name).strip("-.") or "value")


def comparison(key: str, runs: Sequence[Run]) -> str:
    """The table, Markdown: validation loss, and each headline metric with its clustered standard
    error.
    """
    columns = _columns(runs)
    header = [
        key,
        "validation loss",
        "rows",
        "tokens an epoch",
        "steps",
        "trained parameters",
        "seconds",
    ]
    header += [f"{task} {name}" for task, name in columns]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for run in runs:
        record = run.record
        loss = "–" if record["validation_loss"] is None else f"{record['validation_loss']:.4f}"
        sizes = (
            record["counts"]["rows"],
            record["counts"]["tokens"],
            record["steps"],
            record["trained_parameters"],
        )
        cells = [run.value, loss, *(f"{size:,}" for size in sizes), f"{record['seconds']:.0f}"]
        cells += [_with_error(run.scores.get(task, {}), name) for task, name in columns]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _columns(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(task, result name) of every headline metric that a run has, the metrics of a task in the
    order of the tables.
    """
    places: dict[tuple[str, str], int] = {}
    tasks = list(dict.fromkeys(task for run in runs for task in run.scores))
    for task in tasks:
        for name in (name for run in runs for name in run.scores.get(task, {})):
            metric = metric_of(name)
            if metric is not None and metric.headline:
                places[task, name] = metric.order
    return sorted(places, key=lambda column: (tasks.index(column[0]), places[column], column[1]))


def _with_error(numbers: Mapping[str, float], name: str) -> str:
    if name not in numbers:
        return "–"
    error = numbers.get(f"{name}_stderr")
    return f"{numbers[name]:.4g}" + (f" ± {error:.2g}" if error is not None else "")
