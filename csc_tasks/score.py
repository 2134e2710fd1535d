"""Compute or re-compute metrics from logged samples files, without asking the model again.

  csc score results/my__model/samples_csc_conv_ref_*.jsonl --metrics bleu_4,rouge_l --out rescored/
  csc score results/ --metrics all --out rescored/
  csc score results/ --labels labelled/ --out rescored/

SAMPLES are files that `lm_eval --log_samples` (or `csc score` itself) wrote, or folders that hold
them. Numbers that stand in the results file beside a samples file are kept, and those that are
computed now replace them; both go, with the samples, below --out, in lm_eval's own format. A file
that cannot be read is set aside, named and counted, unless --strict makes it an error. Samples that
were logged before a corpus had labels of several raters get them by --labels, and with them the
metrics against these.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from csc_tasks.arguments import add_json
from csc_tasks.errors import SettingError
from csc_tasks.measuring import (
    check_ready,
    consistency_columns,
    consistency_names,
    measure,
    measure_choices,
    signatures,
    signatures_of_choices,
    without_strategies,
)
from csc_tasks.metrics import ASKED_AGAIN, LearnedSettings, select
from csc_tasks.metrics.result_names import signed_with
from csc_tasks.runs.applying import KIND_OF, applying
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.quarantine import STRICT_HELP, Quarantine, read_newest
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import TURNS
from csc_tasks.runs.writing import check_out, derived, estimates, numbers_of, with_columns, write
from csc_tasks.score_labels import add_labels
from csc_tasks.telling import show, show_document


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc score`."""
    parser.add_argument(
        "samples",
        nargs="+",
        type=Path,
        metavar="SAMPLES",
        help="samples files, or folders that hold them",
    )
    parser.add_argument(
        "--metrics",
        default="overlap",
        help="overlap, all or a comma-separated list (default: overlap)",
    )
    parser.add_argument(
        "--model-path",
        action="append",
        default=[],
        metavar="METRIC=MODEL",
        help="Hub id or folder for a learned metric; repeatable",
    )
    parser.add_argument(
        "--bertscore-layer", type=int, metavar="N", help="layer of BERTScore's model, from 1"
    )
    parser.add_argument(
        "--device", help="where learned metrics run (default: the GPU if there is one)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=32,
        metavar="N",
        help="texts in one forward pass (default: 32)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the results and samples go"
    )
    parser.add_argument(
        "--labels",
        metavar="CORPUS",
        help=(
            "a corpus with labels of several raters (demo, a folder, a file or a Hub id), for"
            " samples of the same conversations that were logged without"
        ),
    )
    parser.add_argument("--strict", action="store_true", help=STRICT_HELP)
    add_json(parser)


def main(args: Namespace) -> None:
    """Score every samples file that was named, the newest run of each; prints one line a file."""
    check_out(args.out)
    for option, value in (
        ("--batch-size", args.batch_size),
        ("--bertscore-layer", args.bertscore_layer),
    ):
        if value is not None and value < 1:
            raise SettingError(f"{option} {value}: at least 1")
    learned = LearnedSettings(
        **_models(args.model_path),
        bertscore_layer=args.bertscore_layer,
        device=args.device,
        batch_size=args.batch_size,
    )
    aside = Quarantine(args.samples, args.strict)
    written: list[dict[str, Any]] = []
    for logged in read_newest(find_samples(args.samples), aside, read_run):
        if args.labels:
            add_labels(logged, args.labels)
        lines, results = rescored(logged, args.metrics, learned)
        file = write(args.out, results, {logged.task: lines})
        show(f"{logged.file.name}: {len(logged.records)} {logged.unit} -> {file}")
        written.append(
            {
                "samples": str(logged.file),
                "model": results["model_name"],
                "task": logged.task,
                "unit": logged.unit,
                "count": len(logged.records),
                "results": str(file),
                "metrics": numbers_of(results, logged.task),
            }
        )
    show_document(args.json, {"files": written})


def rescored(
    logged: Run, names: str, learned: LearnedSettings | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Samples lines and results of one task with the metrics `names` in them.

    Raises SettingError for a metric that does not exist.
    """
    task, records = logged.task, logged.records
    labelled = any("labels" in record for record in records)
    metrics = select(names, KIND_OF[logged.unit], labelled)
    chooses = not logged.about.has_replies
    if not chooses and logged.unit == TURNS and records[0]["unparsed"] is None:
        # Also of a deployed agent, or a baseline that chooses none.
        metrics = without_strategies(metrics)
    if "reasked" in records[0]:
        metrics += select(None, ASKED_AGAIN)
    metrics = applying(metrics, logged.about)
    if not metrics:
        raise SettingError(f"{logged.file}: none of {names} applies to {task}")
    languages = sorted({record["language"] for record in records})
    check_ready(metrics, languages, learned)
    columns = (
        measure_choices(records, metrics, languages)
        if chooses
        else measure(records, metrics, languages, learned)
    )
    columns |= consistency_columns(columns, records)
    lines = with_columns(logged, {name: column.items for name, column in columns.items()})
    numbers = estimates(columns, records)
    directions = {name: column.metric.higher_is_better for name, column in columns.items()}
    signed = (
        signatures_of_choices(metrics, languages)
        if chooses
        else signatures(metrics, languages, learned)
    )
    csc = logged.results["configs"][task]["metadata"]["csc"]
    signed = signed_with(csc.get("labels"), signed)
    of_repeats = [one for one in consistency_names(logged.repeats) if one.name in columns]
    signed |= {one.name: one.signature for one in of_repeats}
    return lines, _merged(logged, numbers, directions, signed)


def _merged(
    logged: Run,
    numbers: Mapping[str, float | str],
    directions: Mapping[str, bool],
    signed: Mapping[str, str],
) -> dict[str, Any]:
    """The results file reduced to one task, with the new numbers over the old ones."""
    task, old = logged.task, derived(logged.results)
    config = json.loads(json.dumps(old["configs"][task]))
    config["metadata"]["csc"]["signatures"] |= signed
    by_task = {
        key: {task: old[key][task]}
        for key in ("versions", "n-shot", "n-samples")
        if task in old.get(key, {})
    }
    return (
        {key: value for key, value in old.items() if not isinstance(value, dict) or key == "config"}
        | by_task
        | {
            "results": {task: old["results"][task] | numbers},
            "group_subtasks": {task: []},
            "configs": {task: config},
            "higher_is_better": {task: old.get("higher_is_better", {}).get(task, {}) | directions},
        }
    )


def _models(given: Sequence[str]) -> dict[str, str]:
    """`METRIC=MODEL`, repeated -> {"bertscore_model": MODEL}; raises SettingError for a metric
    without a model.
    """
    known = {field.name for field in fields(LearnedSettings) if field.name.endswith("_model")}
    models = {}
    for text in given:
        metric, equals, model = text.partition("=")
        if not equals or not model or f"{metric}_model" not in known:
            names = ", ".join(sorted(name.removesuffix("_model") for name in known))
            raise SettingError(f"--model-path {text}: must be METRIC=MODEL with one of {names}")
        models[f"{metric}_model"] = model
    return models


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
