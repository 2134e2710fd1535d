"""Scoring an adapter: the lm_eval command line that goes with its training, and what it gives."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.corpora.bad_rows import BAD_ROWS
from csc_tasks.errors import ModelError
from csc_tasks.prompts import DATE, TEXT
from csc_tasks.runs.finding import find_results
from csc_tasks.runs.main_tasks import task_pattern
from csc_tasks.runs.results_file import Measurement, read_results
from csc_tasks.runs.task_record import ANSWERS, TURNS

CORPUS_KEYS = {TURNS: "csc_corpus", ANSWERS: "csc_qa_corpus"}
"""The setting that names what is scored, by what one record is."""

TESTED = {TURNS: "csconv", ANSWERS: "qa"}
"""The config whose test split that is."""

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


def scoring_command(record: Mapping, adapter: Path | str, base: str | None = None) -> str:
    """The lm_eval command line that scores an adapter the way it was trained; `base` is a quantised
    copy of its base, if any.
    """
    return _command(record, _model_arguments(record, adapter, base), results_of(adapter))


def base_command(record: Mapping, results: Path | str) -> str:
    """The lm_eval command line that scores the base of an adapter alone, on the adapter's prompts,
    into the folder `results`.
    """
    # The adapter has learned to reply at once; a base that thinks does so as it does by itself.
    return _command({**record, "thinks": False}, _model_arguments(record), results)


def results_of(adapter: Path | str) -> Path:
    """The folder that an adapter's results are written to."""
    return Path(f"{adapter}-results")


def _command(record: Mapping, arguments: str, results: Path | str) -> str:
    trained = {source["config"] for source in record["data"]}
    configs = [config for config in record["recipe"]["configs"] if config in trained]
    units = list(dict.fromkeys(_unit(config) for config in configs))
    words = ["lm_eval", "--model", "hf", "--model_args", arguments]
    words += ["--tasks", task_pattern(units)]
    words += ["--apply_chat_template"] if record["recipe"]["chat_template"] else []
    words += ["--metadata", json.dumps(_settings(record, configs, units), ensure_ascii=False)]
    words += ["--output_path", str(results), "--log_samples"]
    # Only for adapters of a base model: lm_eval stops at the tokenizer's and the base's own end
    # marks by itself.
    words += ["--gen_kwargs", f"until={record['stop']}"] if record.get("stop") else []
    words += ["--batch_size", "16"]
    if record["dtype"] == "float32" and record.get("device", "cpu") == "cpu":
        words += ["--device", "cpu"]
    return shlex.join(words)


def _unit(config: str) -> str:
    return ANSWERS if config.startswith("qa") else TURNS


def _model_arguments(
    record: Mapping, adapter: Path | str | None = None, base: str | None = None
) -> str:
    """As `key=value,...`, or as JSON where the chat template takes arguments of other names. None:
    no adapter.
    """
    recipe = record["recipe"]
    arguments: dict[str, Any] = {"pretrained": base or recipe["model"]}
    arguments |= {"peft": str(adapter)} if adapter is not None else {}
    arguments["dtype"] = record["dtype"]
    if recipe["revision"] and base is None:
        arguments["revision"] = recipe["revision"]
    switch = record["template_arguments"]
    if set(switch) <= {"enable_thinking"}:
        arguments |= switch
        return ",".join(f"{key}={value}" for key, value in arguments.items())
    return json.dumps({**arguments, "chat_template_args": switch}, ensure_ascii=False)


def _settings(record: Mapping, configs: list[str], units: list[str]) -> dict[str, Any]:
    """The csc_ settings of the prompts that were trained on."""
    recipe, tested = record["recipe"], record["tested"]
    # Without a test split of their own, adapters are scored on the published data, which lm_eval
    # takes by itself.
    settings = {CORPUS_KEYS[unit]: tested[TESTED[unit]] for unit in units if TESTED[unit] in tested}
    variants = [config.removeprefix("qa_") for config in configs if config.startswith("qa_")]
    if variants:
        settings["csc_qa_variant"] = variants[0]
    settings["csc_prompt"] = recipe["style"]
    if recipe.get("format", TEXT) != TEXT:
        settings["csc_format"] = recipe["format"]
    if recipe.get("bad_rows", BAD_ROWS[0]) != BAD_ROWS[0]:
        settings["csc_bad_rows"] = recipe["bad_rows"]
    if record.get("date") not in (None, DATE):
        settings["csc_date"] = record["date"]
    if recipe["language"]:
        settings["csc_language"] = recipe["language"]
    if record.get("thinks"):
        # The base would think; the adapter has learned to reply at once.
        settings["csc_think_tokens"] = 0
    return settings


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring gave. file: the results file. model: the name of its row on a board. numbers:
    {task: {"metric" and "metric_stderr": value}}.
    """

    file: Path
    model: str
    numbers: Mapping[str, Mapping[str, float]]


def score(record: Mapping, adapter: Path, base: str | None, limit: int | None) -> Scored:
    """Run the scoring command of an adapter. Raises ModelError when it fails."""
    return run_scoring(scoring_command(record, adapter, base), results_of(adapter), limit)


def run_scoring(command: str, folder: Path, limit: int | None) -> Scored:
    """Run a scoring command in a process of its own; what its results file, which it writes below
    `folder`, says.

    Raises ModelError when it fails.
    """
    words = shlex.split(command)
    words += ["--limit", str(limit)] if limit else []
    before = set(folder.rglob("results_*.json"))
    # One process scores, even where several have trained.
    env = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    done = subprocess.run([sys.executable, "-m", *words], env=env, check=False)
    new = sorted(set(folder.rglob("results_*.json")) - before)
    if done.returncode or not new:
        raise ModelError(
            f"scoring failed (exit status {done.returncode}); what was trained is whole:"
            f" {shlex.join(words)}"
        )
    return read_scored(new[-1])


def read_scored(file: Path) -> Scored:
    """What a results file says. Raises DataError when it holds no results of these tasks."""
    measurements = read_measurements([file])
    numbers = {one.task: _numbers(one) for one in measurements}
    return Scored(file, measurements[0].identity.name, numbers)


def read_measurements(paths: list[Path]) -> list[Measurement]:
    """What the results files among `paths` measured; folders are searched. What is left out is said
    on stderr.

    Raises DataError for a path that holds no results of these tasks.
    """
    notes: list[str] = []
    measurements = [one for file in find_results(paths) for one in read_results(file, notes)]
    for note in notes:
        print(note, file=sys.stderr)
    return measurements


def _numbers(measurement: Measurement) -> dict[str, float]:
    """Values and standard errors, as far as the file has them, and what they are of."""
    numbers: dict[str, float] = {
        "sample_len": measurement.documents,
        measurement.unit: measurement.items,
    }
    for name, (value, stderr) in measurement.numbers.items():
        both = {name: value, f"{name}_stderr": stderr}
        numbers |= {key: number for key, number in both.items() if number is not None}
    return numbers
