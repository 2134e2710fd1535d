"""Several trainings that differ in one recipe key, and what compares them: a table for readers
(OUT/sweep.md) and a file for programs (OUT/sweep.json, see trainers/sweep_file.py).
"""

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from csc_tasks.arguments import check_known
from csc_tasks.errors import SettingError
from csc_tasks.file_names import safe_name
from csc_tasks.out import check_writable, replace_file
from csc_tasks.telling import show, tally, tell
from trainers.hardware import is_first_process, release_memory
from trainers.qlora import train_adapter
from trainers.recipe import KEYS, Recipe, read_recipe
from trainers.scoring import base_command, results_of, run_scoring, scoring_command
from trainers.shipped_recipes import recipe_file
from trainers.splits import read_training_data, refuse_tested
from trainers.sweep_file import (
    Earlier,
    Point,
    base_point,
    check_key,
    read_earlier,
    trained_point,
    write_points,
)
from trainers.sweep_table import comparison

SIZE = "train_size"
"""The key whose value 0 is the base itself."""


@dataclass(slots=True)
class Run:
    """One training of a sweep; its record once it is trained. recipe: None for the base, whose
    record is that of an adapter of it. folder: its name below the sweep's.
    """

    value: str
    recipe: Recipe | None
    folder: str
    record: Mapping[str, Any] = field(default_factory=dict)


def sweep(args: Namespace, flags: Mapping[str, object]) -> None:
    """Train an adapter for every value of `args.sweep` and every seed, each into a folder of its
    own; print and write what compares them.

    All are trained before the first is scored: under `accelerate launch` no process waits for
    another one's scoring. A sweep that was killed goes on: what is trained or scored already is
    left as it is.
    """
    key, values = read_sweep(args.sweep)
    out = Path(args.out)
    runs = _runs(args, flags, key, values)
    earlier = read_earlier(out)
    check_key(earlier, key, out, args.overwrite)
    for run in runs:
        if run.recipe is None:
            continue
        if is_first_process():
            seed = f", seed {run.recipe.seed}" if args.seeds else ""
            tell(f"--- {key} = {run.value}{seed}")
        run.record = train_adapter(run.recipe, out / run.folder, args.overwrite)
        release_memory()
    if not is_first_process():
        return
    limit = args.limit if args.score else earlier.limit
    of_base = next(run.record for run in runs if run.recipe is not None)
    points = []
    for run in runs:
        run.record = run.record or of_base
        points.append(_point(run, out, earlier, limit))
    write_points(out, key, limit, points)
    for run, point in zip(runs, points, strict=True) if args.score else ():
        tell(f"--- scoring {run.folder}")
        if point.file is not None:
            tell(f"scored already: {out / point.file} (delete it to score again)")
            continue
        command, results = _scoring(run, out)
        point.add(run_scoring(command, results, limit), command, results, out)
        write_points(out, key, limit, points)
    table = comparison(key, points)
    show(f"\n{table}")
    replace_file(out / "sweep.md", table + "\n")
    waiting = [run.folder for run, point in zip(runs, points, strict=True) if point.file is None]
    if waiting:
        tally(
            f"\nNot scored: {', '.join(waiting)}; the same command with --score goes on with that"
        )


def _point(run: Run, out: Path, earlier: Earlier, limit: int | None) -> Point:
    """What the file says of a run, with what was scored of it earlier."""
    if run.recipe is None:
        point = base_point(run.value, run.record)
    else:
        point = trained_point(run.value, run.record, run.folder)
    command, results = _scoring(run, out)
    scored = earlier.scored(point, command, limit, out)
    if scored is not None:
        point.add(scored, command, results, out)
    return point


def _scoring(run: Run, out: Path) -> tuple[str, Path]:
    """The command that scores a run, and the folder that it writes to."""
    adapter = out / run.folder
    if run.recipe is None:
        return base_command(run.record, results_of(adapter)), results_of(adapter)
    return scoring_command(run.record, adapter), results_of(adapter)


def _runs(
    args: Namespace, flags: Mapping[str, object], key: str, values: Sequence[str]
) -> list[Run]:
    """The trainings of a sweep, every recipe checked before the first one starts."""
    given = [name for name in ("merge", "save_quantized_base", "repo_id") if getattr(args, name)]
    if given:
        raise SettingError(
            f"--sweep goes without --{given[0].replace('_', '-')}: choose one adapter first"
        )
    seeds = read_seeds(args.seeds, key, flags)
    check_writable(Path(args.out))
    config = recipe_file(args.config) if args.config else None
    recipes = {
        value: None if key == SIZE and value == "0" else read_recipe(config, {**flags, key: value})
        for value in values
    }
    trained = {value: recipe for value, recipe in recipes.items() if recipe is not None}
    if len(set(trained.values())) < len(trained):
        raise SettingError(f"--sweep: two of the values {', '.join(values)} are the same")
    folders = {value: folder_name(value, values) for value in values}
    if len(set(folders.values())) < len(values):
        raise SettingError(
            f"--sweep: the values {', '.join(values)} would share a folder; give names that differ"
        )
    if key == SIZE:
        check_sizes(list(trained.values()))
    if args.score:
        check_tested(trained)
    runs = []
    for value, recipe in recipes.items():
        if recipe is None or not seeds:
            runs.append(Run(value, recipe, folders[value]))
            continue
        runs += [
            Run(value, replace(recipe, seed=seed), f"{folders[value]}-seed{seed}") for seed in seeds
        ]
    return runs


def read_seeds(text: str | None, key: str, flags: Mapping[str, object]) -> list[int]:
    """`0,1,2` -> the seeds; none without `--seeds`. Raises SettingError for anything else, and
    where the seed is given twice.
    """
    if text is None:
        return []
    if key == "seed" or "seed" in flags:
        raise SettingError("--seeds: the seed is given twice; give --seeds alone")
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise SettingError(f"--seeds {text!r}: give whole numbers from 0 on, for example 0,1,2")
    return list(dict.fromkeys(int(part) for part in parts))


def check_sizes(recipes: Sequence[Recipe]) -> None:
    """Raise SettingError for training sizes that are larger than what there is to learn."""
    sizes = [recipe.train_size for recipe in recipes if recipe.train_size is not None]
    if not sizes:
        return
    one = recipes[0]
    tested = [one.test_data] if one.test_data else []
    data = read_training_data(
        one.data,
        one.configs,
        one.language,
        one.validation_share,
        tested,
        bad_rows=one.bad_rows,
    )
    there = data.conversations()
    larger = [str(size) for size in sorted(sizes) if size > there]
    if larger:
        raise SettingError(
            f"--sweep {SIZE}: there are {there:,} conversations to learn, not {', '.join(larger)};"
            " give smaller sizes, or all"
        )


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
            (),
            dict.fromkeys([*([recipe.test_data] if recipe.test_data else []), *recipe.data]),
            recipe.bad_rows,
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
