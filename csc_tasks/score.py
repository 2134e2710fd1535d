"""Compute or re-compute metrics from logged samples files, without asking the model again.

  csc score results/my__model/samples_csc_conv_ref_*.jsonl --metrics bleu_4,rouge_l --out rescored/
  csc score results/ --metrics all --out rescored/

SAMPLES are files that `lm_eval --log_samples` (or `csc score` itself) wrote, or folders that hold them. Numbers that stand in the
results file beside a samples file are kept, and those that are computed now replace them; both go, with the samples, below --out, in
lm_eval's own format.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics import LearnedSettings, select
from csc_tasks.reading import not_utf8, read_json
from csc_tasks.records import check_ready, measure, measure_choices, signatures, signatures_of_choices, without_strategies
from csc_tasks.results import NOT_THE_MODEL, check_out, estimates, model_arguments, write
from csc_tasks.runs.task_record import TaskRecord, read_task_record

UNITS = {"turns": "turn", "answers": "answer"}
_SAMPLES = re.compile(r"samples_(?P<task>cscx?_\w+?)_(?P<stamp>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")


@dataclass(frozen=True, slots=True)
class Logged:
    """One samples file: its task, its lines, and the results file that was written with it."""

    file: Path
    task: str
    about: TaskRecord
    lines: list[dict]
    results: dict

    @property
    def unit(self) -> str:
        return self.about.unit

    @property
    def records(self) -> list[dict]:
        return [record for line in self.lines for record in line[self.unit]]


def add_arguments(parser) -> None:
    parser.add_argument("samples", nargs="+", type=Path, metavar="SAMPLES", help="samples files, or folders that hold them")
    parser.add_argument("--metrics", default="overlap", help="overlap, all or a comma-separated list (default: overlap)")
    parser.add_argument(
        "--model-path", action="append", default=[], metavar="METRIC=MODEL", help="Hub id or folder for a learned metric; repeatable"
    )
    parser.add_argument("--bertscore-layer", type=int, metavar="N", help="layer of BERTScore's model, from 1")
    parser.add_argument("--device", help="where learned metrics run (default: the GPU if there is one)")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="texts in one forward pass (default: 32)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results and samples go")


def main(args) -> None:
    check_out(args.out)
    for option, value in (("--batch-size", args.batch_size), ("--bertscore-layer", args.bertscore_layer)):
        if value is not None and value < 1:
            raise SettingError(f"{option} {value}: at least 1")
    learned = LearnedSettings(
        **_models(args.model_path), bertscore_layer=args.bertscore_layer, device=args.device, batch_size=args.batch_size
    )
    for logged in map(read, newest(find(args.samples))):
        lines, results = rescored(logged, args.metrics, learned)
        print(f"{logged.file.name}: {len(logged.records)} {logged.unit} -> {write(args.out, results, {logged.task: lines})}")


def find(paths: Sequence[Path]) -> list[Path]:
    """The samples files among `paths`; folders are searched. Raises DataError where there are none."""
    found = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
        files = sorted(path.rglob("samples_*.jsonl")) if path.is_dir() else [path]
        kept = [file for file in files if _SAMPLES.fullmatch(file.name)]
        if not kept:
            raise DataError(
                f"{path}: no samples file of a csc task; lm_eval writes samples_TASK_DATE.jsonl with --log_samples --output_path DIR"
            )
        found += kept
    return list(dict.fromkeys(found))


def task_of(file: Path) -> str:
    """The task that a samples file is about, by its name."""
    return _SAMPLES.fullmatch(file.name)["task"]


def newest(files: Sequence[Path]) -> list[Path]:
    """One samples file per model, task and settings: the newest run, by its date and then its name. What is left out is said.

    A file whose results cannot be read stays among them: `read` says what is wrong with it.
    """
    same: dict[object, list[tuple]] = defaultdict(list)
    for file in files:
        try:
            results = json.loads(_results_file(file).read_text(encoding="utf-8"))
            same[_run(results, task_of(file))].append((results["date"], file.name, file))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            same[file].append((0.0, file.name, file))
    kept = {max(found)[-1] for found in same.values()}
    if older := [file for file in files if file not in kept]:
        more = f" and {len(older) - 3:,} more" if len(older) > 3 else ""
        names = ", ".join(map(str, older[:3]))
        print(f"note: of runs with the same settings the newest is taken; left out: {names}{more}", file=sys.stderr)
    return [file for file in files if file in kept]


def _run(results: Mapping, task: str) -> str:
    """What two runs of one model and task with the same settings have in common."""
    run, metadata = results["config"], results["configs"][task]["metadata"]
    arguments = {name: value for name, value in model_arguments(run.get("model_args")).items() if name not in NOT_THE_MODEL}
    asked = {name: metadata["csc"].get(name) for name in ("config", "split", "content_hash", "revision", "prompt", "reference")}
    given = [run.get("gen_kwargs"), run.get("model_sha"), results.get("system_instruction_sha"), results.get("chat_template") is None]
    documents = results.get("n-samples", {}).get(task)
    return json.dumps([results["model_name"], task, metadata.get("version"), arguments, asked, given, documents], sort_keys=True)


def _results_file(file: Path) -> Path:
    return file.with_name(f"results_{_SAMPLES.fullmatch(file.name)['stamp']}.json")


def read(file: Path) -> Logged:
    """Read a samples file and the results file beside it.

    Raises DataError that names file and line for anything that is not as lm_eval writes it.
    """
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    task, results_file = task_of(file), _results_file(file)
    if not results_file.is_file():
        raise DataError(f"{file}: the results file that lm_eval wrote with it, {results_file.name}, is missing; keep the two together")
    results = read_json(results_file, "run the evaluation again")
    try:
        config = results["configs"][task]["metadata"]["csc"]
        results["results"][task], results["model_name"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{results_file}: not a results file with {task} in it ({type(error).__name__}: {error})") from None
    about = read_task_record(task, config, f"{results_file}: {task}")
    lines = list(_lines(file, about.unit))
    if not lines:
        raise DataError(f"{file}: the file is empty")
    return Logged(file, task, about, lines, results)


def rescored(logged: Logged, names: str, learned: LearnedSettings | None = None) -> tuple[list[dict], dict]:
    """Samples lines and results of one task with the metrics `names` in them.

    Raises SettingError for a metric that does not exist.
    """
    task, records = logged.task, logged.records
    metrics = select(names, UNITS[logged.unit])
    chooses = not logged.about.has_replies
    if chooses:
        metrics = [metric for metric in metrics if metric.of == "strategy" or metric.name == "failed"]
    elif logged.unit == "turns" and records[0]["unparsed"] is None:
        metrics = without_strategies(metrics)
    if not metrics:
        raise SettingError(f"{logged.file}: none of {names} applies to {task}")
    languages = sorted({record["language"] for record in records})
    check_ready(metrics, languages, learned)
    columns = measure_choices(records, metrics, languages) if chooses else measure(records, metrics, languages, learned)
    lines, start = [], 0
    for line in logged.lines:
        end = start + len(line[logged.unit])
        items = {name: [line["doc"]["conversation_id"], column.items[start:end]] for name, column in columns.items()}
        lines.append(line | items | {"metrics": list(dict.fromkeys([*line["metrics"], *columns]))})
        start = end
    numbers = estimates(columns, [record["conversation_id"] for record in records])
    directions = {name: column.metric.higher_is_better for name, column in columns.items()}
    signed = signatures_of_choices(metrics, languages) if chooses else signatures(metrics, languages, learned)
    return lines, _merged(logged, numbers, directions, signed)


def _merged(logged: Logged, numbers: Mapping, directions: Mapping, signed: Mapping) -> dict:
    """The results file reduced to one task, with the new numbers over the old ones."""
    task, old = logged.task, logged.results
    config = json.loads(json.dumps(old["configs"][task]))
    config["metadata"]["csc"]["signatures"] |= signed
    kept = {key: {task: old[key][task]} for key in ("versions", "n-shot", "n-samples") if task in old.get(key, {})}
    return (
        {key: value for key, value in old.items() if not isinstance(value, dict) or key == "config"}
        | kept
        | {
            "results": {task: old["results"][task] | numbers},
            "group_subtasks": {task: []},
            "configs": {task: config},
            "higher_is_better": {task: old["higher_is_better"][task] | directions},
        }
    )


def _models(given: Sequence[str]) -> dict[str, str]:
    """`METRIC=MODEL`, repeated -> {"bertscore_model": MODEL}; raises SettingError for a metric without a model."""
    known = {field.name for field in fields(LearnedSettings) if field.name.endswith("_model")}
    models = {}
    for text in given:
        metric, equals, model = text.partition("=")
        if not equals or not model or f"{metric}_model" not in known:
            names = ", ".join(sorted(name.removesuffix("_model") for name in known))
            raise SettingError(f"--model-path {text}: must be METRIC=MODEL with one of {names}")
        models[f"{metric}_model"] = model
    return models


def _lines(file: Path, unit: str) -> Iterator[dict]:
    with file.open("rb") as stream:
        for number, text in enumerate(stream, 1):
            try:
                line = json.loads(text.decode())
            except UnicodeDecodeError as error:
                raise not_utf8(f"{file} line {number}", error) from None
            except ValueError as error:
                raise DataError(f"{file} line {number}: broken JSON ({error})") from None
            if not isinstance(line, dict) or not isinstance(line.get(unit), list) or "conversation_id" not in line.get("doc", {}):
                raise DataError(f"{file} line {number}: no '{unit}' in it; was it written by an older version or another task?")
            yield line


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
