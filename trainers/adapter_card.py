"""The card (README.md) of an adapter: base, data and their state, recipe, losses, and scores where
there are any.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from csc_tasks.errors import DataError
from trainers.adapter import scoring_command


def write_card(record: Mapping, out: Path, scores: Iterable[Path] = ()) -> None:
    """Write README.md into `out`. `scores` are results files of lm_eval, or folders of them;
    DataError for those that are not.
    """
    import yaml

    recipe = record["recipe"]
    on_hub = not Path(recipe["model"]).exists()
    base = short_name(recipe["model"])
    front_matter = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "language": record["languages"],
        **({"base_model": base} if on_hub else {}),
        **(
            {"datasets": names}
            if (
                names := [
                    name for name in recipe["data"] if name != "demo" and not Path(name).exists()
                ]
            )
            else {}
        ),
        "tags": ["customer-support", "lora", "csc-tasks"],
    }
    questions = all(config.startswith("qa") for config in recipe["configs"])
    settings = {
        key: value
        for key, value in recipe.items()
        if value not in (None, [], "") and key not in ("model", "data")
    }
    settings |= {"test_data": short_name(recipe["test_data"])} if recipe["test_data"] else {}
    tested = {config: short_name(name) for config, name in record["tested"].items()}
    text = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8")).substitute(
        front_matter=yaml.safe_dump(front_matter, allow_unicode=True, sort_keys=False).strip(),
        title=f"{Path(base).name}, trained on customer support",
        base=(
            f"[{base}](https://huggingface.co/{base})"
            if on_hub
            else f"`{base}`, a model that is not on the Hub"
        ),
        version=record["csc_tasks"],
        what="questions" if questions else "conversations",
        style=record["style"],
        template=(
            " with `--apply_chat_template`"
            if record["chat_template"]
            else " without a chat template"
        ),
        command=scoring_command(
            {**record, "recipe": recipe | {"model": base}, "tested": tested}, "THIS_ADAPTER"
        ),
        results=_results(record, list(scores)),
        data="\n".join(_source(source) for source in record["data"]),
        counts="\n".join(
            f"- {count:,} {what}" for what, count in record["counts"].items() if count
        ),
        recipe=_table(
            ["setting", "value"], [[key, _shown(value)] for key, value in settings.items()]
        ),
        steps=f"{record['steps']:,}",
        trained=f"{record['trained_parameters']:,}",
        **{key: record[key] for key in ("epochs", "seconds", "processes", "dtype")},
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def short_name(name: str) -> str:
    """A Hub id as it is; of a folder its last part, because a path of this machine means nothing to
    a reader.
    """
    path = Path(name).expanduser()
    return path.resolve().name if path.exists() else name


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
    for file in (found for path in scores for found in _results_files(path)):
        text += "\n\n" + _scores(file)
    return text


def _results_files(path: Path) -> list[Path]:
    files = sorted(path.rglob("results_*.json")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: no results_*.json of lm_eval in there")
    return files


def _scores(file: Path) -> str:
    """A table of a results file: one row per task and metric, with the standard error."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        rows = []
        for task, numbers in found["results"].items():
            for key, value in numbers.items():
                name = key.removesuffix(",none")
                error = numbers.get(f"{name}_stderr,none")
                if (
                    key.endswith(",none")
                    and not name.endswith("_stderr")
                    and isinstance(value, int | float)
                ):
                    rows.append(
                        [
                            task,
                            name,
                            f"{value:.4g}"
                            + (f" ± {error:.2g}" if isinstance(error, float) else ""),
                        ]
                    )
        arguments = found["config"].get("model_args")
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(
            f"{file}: not a results file of lm_eval ({type(error).__name__}: {error})"
        ) from None
    return f"`{arguments}`:\n\n" + _table(["task", "metric", "value"], rows)


def _shown(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
