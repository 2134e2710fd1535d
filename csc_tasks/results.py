"""Results files in lm_eval's shape, for numbers that did not come out of an lm_eval run, and the provenance both kinds carry.

`results_<date>.json` holds `results`, `configs`, `versions`, `n-shot`, `higher_is_better`, `n-samples` and `config`;
`samples_<task>_<date>.jsonl` holds one line per conversation or question. A reader need not know who wrote them.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from csc_tasks import TASKS_DIR, __version__, corpora
from csc_tasks.languages import language
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.records import Column, signatures

NOT_THE_MODEL = {
    *("pretrained", "peft", "delta", "model", "path", "engine", "device", "batch_size", "max_batch_size", "base_url", "num_concurrent"),
    *("max_retries", "timeout", "tokenized_requests", "tokenizer_backend", "parallelize", "device_map", "trust_remote_code"),
    *("gpu_memory_utilization", "tensor_parallel_size", "data_parallel_size", "swap_space", "verify_certificate"),
}
"""Model arguments that say how a model was run, not which it is: two runs that differ in these alone are two runs of one model."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task's records and metrics over a corpus.

    unit: "turns" or "answers", the name the records carry in a samples file. documents: the corpus items behind the records, in order.
    columns: result name -> measured column.
    """

    task: str
    unit: str
    corpus: corpora.Corpus
    documents: Sequence
    records: Sequence[Mapping]
    columns: Mapping[str, Column]


def provenance(corpus: corpora.Corpus, items: Sequence, signed: Mapping[str, str]) -> dict:
    """What a reader needs to know to compare two results: data, its state, project version, and every metric's signature (`signed`)."""
    spoken = sorted({item.language for item in items})
    draft = [code for code in spoken if language(code).draft]
    return {
        "project": __version__,
        "corpus": corpus.name,
        "config": corpus.config,
        "split": corpus.split,
        "revision": corpus.revision,
        "content_hash": corpora.content_hash(items),
        "rows": len(items),
        "languages": spoken,
        **({"draft_languages": draft} if draft else {}),
        "counts": dict(corpus.counts),
        "signatures": dict(signed),
    }


def estimates(columns: Mapping[str, Column], clusters: Sequence[str]) -> dict[str, float | str]:
    """`metric,none` and `metric_stderr,none` as in lm_eval's results; "N/A" where undefined. `clusters` are conversation ids."""
    numbers: dict[str, float | str] = {}
    for name, column in columns.items():
        found = column.estimate(clusters)
        numbers[f"{name},none"] = "N/A" if found.value is None else found.value
        numbers[f"{name}_stderr,none"] = "N/A" if found.stderr is None else found.stderr
    return numbers


def as_results(model: str, settings: Mapping, results: Sequence[TaskResult]) -> dict:
    """The dictionary of a results file for several tasks of one model."""
    version = task_version()
    tasks: dict[str, dict] = {
        name: {} for name in ("results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples")
    }
    for r in results:
        metrics = list({column.metric.name: column.metric for column in r.columns.values()}.values())
        signed = signatures(metrics, sorted({item.language for item in r.documents}))
        numbers = estimates(r.columns, [record["conversation_id"] for record in r.records])
        tasks["results"][r.task] = {"alias": r.task, "sample_len": len(r.documents), f"{r.unit},none": len(r.records), **numbers}
        tasks["group_subtasks"][r.task] = []
        tasks["configs"][r.task] = {"task": r.task, "metadata": {"version": version, "csc": provenance(r.corpus, r.documents, signed)}}
        tasks["versions"][r.task] = version
        tasks["n-shot"][r.task] = 0
        tasks["higher_is_better"][r.task] = {name: column.metric.higher_is_better for name, column in r.columns.items()}
        tasks["n-samples"][r.task] = {"original": len(r.documents), "effective": len(r.documents)}
    return tasks | {"config": {"model": model, "model_args": dict(settings), "limit": None}, "model_name": model, "date": time.time()}


def samples(result: TaskResult) -> list[dict]:
    """The lines of a task's samples file: document, records, and each metric's items."""
    own: dict[tuple, list[int]] = {}
    for i, record in enumerate(result.records):
        own.setdefault((record["conversation_id"], record["turn"] if result.unit == "answers" else None), []).append(i)
    lines = []
    for number, document in enumerate(result.documents):
        row = document.to_row()
        positions = own.get((row["conversation_id"], row.get("turn_index")), [])
        line = {"doc_id": number, "doc": row, "filter": "none", "metrics": [result.unit, *result.columns]}
        line[result.unit] = [result.records[i] for i in positions]
        for name, column in result.columns.items():
            line[name] = [row["conversation_id"], [column.items[i] for i in positions]]
        lines.append(line)
    return lines


def check_out(out: Path) -> None:
    """Raise SettingError where results cannot be written below `out`; says what becomes of those that are there."""
    check_writable(out)
    if out.is_dir() and any(out.rglob("results_*.json")):
        say_earlier(f"{out} holds earlier results, which stay; of runs with the same settings every verb takes the newest")


def model_arguments(given: Mapping | str | None) -> dict[str, str]:
    """model_args as text by name, whichever way lm_eval wrote them down."""
    if isinstance(given, Mapping):
        return {str(name): as_text(value) for name, value in given.items()}
    parts = (part.partition("=") for part in (given or "").split(",") if part)
    return {name.strip(): value for name, equals, value in parts if equals}


def as_text(value) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def write(out: Path, results: Mapping, lines: Mapping[str, Iterable[Mapping]]) -> Path:
    """Write a results dictionary and its samples (task -> lines) into `out/<model name>/`; returns the results file.

    Files appear whole or not at all.
    """
    folder = out / re.sub(r"[^\w.-]+", "__", results["model_name"])
    stamp = datetime.now().isoformat().replace(":", "-")
    for task, rows in lines.items():
        replace_file(folder / f"samples_{task}_{stamp}.jsonl", (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    file = folder / f"results_{stamp}.json"
    return replace_file(file, json.dumps(results, ensure_ascii=False, indent=2))


def task_version() -> float:
    """The version all task files share."""
    import yaml

    return yaml.safe_load((TASKS_DIR / "_csc_yaml").read_text(encoding="utf-8"))["metadata"]["version"]
