"""Several trainings that differ in one recipe key, and a table that compares them."""

import json
import os
import re
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.arguments import check_known
from csc_tasks.errors import ModelError, SettingError
from csc_tasks.file_names import safe_name
from csc_tasks.out import check_writable, replace_file
from trainers.adapter import scoring_command
from trainers.hardware import is_first_process, release_memory
from trainers.recipe import HELP, Recipe, read_recipe
from trainers.splits import refuse_tested

SHOWN = ("strategy_acc", "strategy_macro_f1", "bleu_4_zh", "bleu_4_en", "bleu_4", "rouge_l")
"""Metrics in the table, as far as the results have them."""

LAUNCHERS = (
    "RANK",
    "LOCAL_",
    "WORLD_SIZE",
    "GROUP_",
    "ROLE_",
    "MASTER_",
    "TORCHELASTIC_",
    "ACCELERATE_",
    "FSDP_",
)
"""How environment variables begin that tell a process that it is one of several."""


def sweep(args: Namespace, flags: Mapping[str, object]) -> None:
    """Train an adapter for every value of `args.sweep`, each into a folder of its own; print and
    write the table (OUT/sweep.md, .json).

    All are trained before the first is scored: under `accelerate launch` no process waits for
    another one's scoring.
    """
    from trainers.qlora import train_adapter

    key, values = read_sweep(args.sweep)
    given = [name for name in ("merge", "save_quantized_base", "repo_id") if getattr(args, name)]
    if given:
        raise SettingError(
            f"--sweep goes without --{given[0].replace('_', '-')}: choose one adapter first"
        )
    out = Path(args.out)
    check_writable(out)
    # Every recipe is checked before the first training starts.
    recipes = {
        value: read_recipe(Path(args.config) if args.config else None, {**flags, key: value})
        for value in values
    }
    folders = {value: out / folder_name(value, values) for value in values}
    if len(set(folders.values())) < len(values):
        raise SettingError(
            f"--sweep: the values {', '.join(values)} would share a folder; give names that differ"
        )
    if args.score:
        check_tested(recipes)
    first = is_first_process()
    rows = []
    for value, recipe in recipes.items():
        if first:
            print(f"--- {key} = {value}")
        record = train_adapter(recipe, folders[value], args.overwrite)
        release_memory()
        rows.append({"value": value, "folder": folders[value].name, "record": record, "scores": {}})
    if not first:
        return
    for row in rows if args.score else ():
        print(f"--- scoring {key} = {row['value']}", flush=True)
        row["scores"] = score(row["record"], folders[row["value"]], None, args.limit)
    table = comparison(key, rows)
    print(f"\n{table}")
    kept = [
        {"value": row["value"], "folder": row["folder"], "scores": row["scores"]}
        | {
            name: row["record"][name]
            for name in (
                "validation_loss",
                "train_loss",
                "steps",
                "trained_parameters",
                "seconds",
                "counts",
            )
        }
        for row in rows
    ]
    replace_file(
        out / "sweep.json",
        json.dumps({"key": key, "rows": kept}, ensure_ascii=False, indent=2) + "\n",
    )
    replace_file(out / "sweep.md", table + "\n")


def read_sweep(text: str) -> tuple[str, list[str]]:
    """`lora_r=8,16,32` -> the key and its values. Raises SettingError for an unknown key or fewer
    than two different values.
    """
    key, _, listed = text.partition("=")
    key = key.strip().replace("-", "_")
    values = list(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
    check_known("--sweep", [key] if listed else [], list(HELP))
    if key not in HELP or len(values) < 2:
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
    if len({tuple(found.items()) for found in tests.values()}) > 1:
        listed = "; ".join(
            f"{value}: {', '.join(found.values()) or 'the published data'}"
            for value, found in tests.items()
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


def score(
    record: Mapping, adapter: Path, base: str | None, limit: int | None
) -> dict[str, dict[str, float]]:
    """Run the scoring command in a process of its own; returns {task: {"metric" and
    "metric_stderr": value}} of its results file.

    Raises ModelError when it fails.
    """
    command = shlex.split(scoring_command(record, adapter, base)) + (
        ["--limit", str(limit)] if limit else []
    )
    results = Path(f"{adapter}-results")
    before = set(results.rglob("results_*.json"))
    # One process scores, even where several have trained.
    env = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    done = subprocess.run([sys.executable, "-m", *command], env=env, check=False)
    new = sorted(set(results.rglob("results_*.json")) - before)
    if done.returncode or not new:
        raise ModelError(
            f"scoring failed (exit status {done.returncode}); the adapter is whole:"
            f" {shlex.join(command)}"
        )
    found = json.loads(new[-1].read_text(encoding="utf-8"))["results"]
    return {
        task: {
            name.removesuffix(",none"): value
            for name, value in numbers.items()
            if isinstance(value, int | float)
        }
        for task, numbers in found.items()
    }


def comparison(key: str, rows: Sequence[Mapping]) -> str:
    """The table, Markdown: validation loss, and each shown metric with its clustered standard
    error.
    """
    columns = [
        (task, name)
        for task in dict.fromkeys(task for row in rows for task in row["scores"])
        for name in SHOWN
        if any(name in row["scores"].get(task, {}) for row in rows)
    ]
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
    for row in rows:
        record = row["record"]
        loss = "–" if record["validation_loss"] is None else f"{record['validation_loss']:.4f}"
        sizes = (
            record["counts"]["rows"],
            record["counts"]["tokens"],
            record["steps"],
            record["trained_parameters"],
        )
        cells = [row["value"], loss, *(f"{size:,}" for size in sizes), f"{record['seconds']:.0f}"]
        lines.append(
            [*cells, *(_with_error(row["scores"].get(task, {}), name) for task, name in columns)]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _with_error(numbers: Mapping[str, float], name: str) -> str:
    if name not in numbers:
        return "–"
    error = numbers.get(f"{name}_stderr")
    return f"{numbers[name]:.4g}" + (f" ± {error:.2g}" if error is not None else "")
