"""The card (README.md) of an adapter: base, data and their state, recipe, losses, and scores where
there are any.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from csc_tasks.prompts import TEXT
from csc_tasks.runs.public import public_name
from csc_tasks.runs.results_file import OTHER_SETTINGS, Measurement
from trainers.scoring import read_measurements, scoring_command


def write_card(record: Mapping, out: Path, scores: Iterable[Path] = ()) -> None:
    """Write README.md into `out`. `scores` are results files of lm_eval, or folders of them;
    DataError for those that are not.
    """
    recipe = record["recipe"]
    base = short_name(recipe["model"])
    questions = all(config.startswith("qa") for config in recipe["configs"])
    tested = {config: short_name(name) for config, name in record["tested"].items()}
    command = scoring_command(
        {**record, "recipe": recipe | {"model": base}, "tested": tested}, "THIS_ADAPTER"
    )
    front_matter = yaml.safe_dump(_front_matter(record), allow_unicode=True, sort_keys=False)
    style = record["style"]
    if (form := record.get("format", TEXT)) != TEXT:
        style += f"`, `csc_format={form}"
    template = "with `--apply_chat_template`"
    if not record["chat_template"]:
        template = "without a chat template"
    text = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8")).substitute(
        front_matter=front_matter.strip(),
        title=f"{Path(base).name}, trained on customer support",
        base=(
            f"[{base}](https://huggingface.co/{base})"
            if _on_hub(recipe["model"])
            else f"`{base}`, a model that is not on the Hub"
        ),
        version=record["csc_tasks"],
        what="questions" if questions else "conversations",
        style=style,
        template=f" {template}",
        command=command,
        results=_results(record, list(scores)),
        data="\n".join(_source(source) for source in record["data"]),
        counts="\n".join(
            f"- {count:,} {what}" for what, count in record["counts"].items() if count
        ),
        recipe=_table(["setting", "value"], _settings(recipe)),
        steps=f"{record['steps']:,}",
        trained=f"{record['trained_parameters']:,}",
        **{key: record[key] for key in ("epochs", "seconds", "processes", "dtype")},
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def _front_matter(record: Mapping) -> dict[str, Any]:
    """What the Hub reads of a card. Names that only this machine knows stay out of it."""
    recipe = record["recipe"]
    front: dict[str, Any] = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "language": record["languages"],
    }
    if _on_hub(recipe["model"]):
        front["base_model"] = short_name(recipe["model"])
    datasets = [name for name in recipe["data"] if name != "demo" and _on_hub(name)]
    if datasets:
        front["datasets"] = datasets
    return front | {"tags": ["customer-support", "lora", "csc-tasks"]}


def _on_hub(name: str) -> bool:
    """Whether a base or data set is one of the Hub: one that is not a path, here or elsewhere."""
    return not Path(name).exists() and public_name(name) == name


def _settings(recipe: Mapping) -> list[list[str]]:
    """The rows of the recipe's table: every key that is set, base and data aside."""
    settings = {
        key: value
        for key, value in recipe.items()
        if value not in (None, [], "") and key not in ("model", "data")
    }
    if recipe["test_data"]:
        settings["test_data"] = short_name(recipe["test_data"])
    return [[key, _shown(value)] for key, value in settings.items()]


def short_name(name: str) -> str:
    """A Hub id as it is; of a folder its last part, because a path of this machine means nothing to
    a reader.
    """
    path = Path(name).expanduser()
    return path.resolve().name if path.exists() else public_name(name)


def _source(source: Mapping) -> str:
    at = f", revision {source['revision']}" if source["revision"] else ""
    return (
        f"- {short_name(source['name'])}, {source['config']}/{source['split']}{at}, content"
        f" {source['content_hash']}"
    )


def _results(record: Mapping, scores: list[Path]) -> str:
    losses = {
        "training loss, at the end": record["train_loss"],
        "validation loss": record["validation_loss"],
    }
    rows = [[name, f"{value:.4f}"] for name, value in losses.items() if value is not None]
    text = _table(["per learned token, nats", "loss"], rows)
    runs: dict[Path, list[Measurement]] = {}
    for measurement in read_measurements(scores) if scores else []:
        runs.setdefault(measurement.file, []).append(measurement)
    return "\n\n".join([text, *(_scores(measurements) for measurements in runs.values())])


def _scores(measurements: list[Measurement]) -> str:
    """The table of one results file: a row per task and metric, with the standard error, below the
    model that it is of.
    """
    rows = []
    for one in measurements:
        rows.append([one.task, one.unit, f"{one.items:,}"])
        for name, (value, stderr) in one.numbers.items():
            if value is not None:
                error = "" if stderr is None else f" ± {stderr:.2g}"
                rows.append([one.task, name, f"{value:.4g}{error}"])
    identity = measurements[0].identity
    base = f", adapter of `{short_name(identity.base)}`" if identity.base else ""
    settings = "".join(
        f", {name}={value}" for name, value in identity.settings if name != OTHER_SETTINGS
    )
    heading = f"`{short_name(identity.name)}`{base}{settings}:"
    return f"{heading}\n\n" + _table(["task", "metric", "value"], rows)


def _shown(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
