"""Results files in lm_eval's shape, for numbers that did not come out of an lm_eval run, and the provenance both kinds carry.

`results_<date>.json` holds `results`, `configs`, `versions`, `n-shot`, `higher_is_better`, `n-samples` and `config`;
`samples_<task>_<date>.jsonl` holds one line per conversation or question. A reader need not know who wrote them.
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from csc_tasks import TASKS_DIR, __version__, corpora, score
from csc_tasks.metrics import Metric


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task's records and metrics, ready to be written.

    documents: the corpus items behind the records, in order. records: `score` records. columns: result name -> measured column.
    unit: "turns" or "answers", the name the records carry in a samples file.
    """

    task: str
    unit: str
    corpus: corpora.Corpus
    documents: Sequence
    records: Sequence[Mapping]
    columns: Mapping[str, score.Column]

    def clusters(self) -> list[str]:
        """The conversation id of every record."""
        return [record["conversation_id"] for record in self.records]


def provenance(corpus: corpora.Corpus, items: Sequence, metrics: Sequence[Metric]) -> dict:
    """What a reader needs to know to compare two results: data, its state, project version, and every metric's signature."""
    languages = sorted({item.language for item in items})
    return {
        "project": __version__,
        "corpus": corpus.name,
        "config": corpus.config,
        "split": corpus.split,
        "revision": corpus.revision,
        "content_hash": corpora.content_hash(items),
        "rows": len(items),
        "languages": languages,
        "counts": dict(corpus.counts),
        "signatures": score.signatures(metrics, languages),
    }


def estimates(result: TaskResult) -> dict[str, float | int | str]:
    """`metric,none` and `metric_stderr,none` as in lm_eval's results; "N/A" where undefined."""
    numbers: dict[str, float | int | str] = {f"{result.unit},none": len(result.records)}
    for name, column in result.columns.items():
        found = column.estimate(result.clusters())
        numbers[f"{name},none"] = "N/A" if found.value is None else found.value
        numbers[f"{name}_stderr,none"] = "N/A" if found.stderr is None else found.stderr
    return numbers


def as_results(model: str, settings: Mapping, results: Sequence[TaskResult]) -> dict:
    """The dictionary of a results file: what `lm_eval.utils.make_table` prints and the leaderboard reads."""
    version = task_version()
    return {
        "results": {r.task: {"alias": r.task, "sample_len": len(r.documents), **estimates(r)} for r in results},
        "group_subtasks": {r.task: [] for r in results},
        "configs": {
            r.task: {
                "task": r.task,
                "metadata": {"version": version, "csc": provenance(r.corpus, r.documents, [c.metric for c in _one_each(r)])},
            }
            for r in results
        },
        "versions": {r.task: version for r in results},
        "n-shot": {r.task: 0 for r in results},
        "higher_is_better": {r.task: {name: column.metric.higher_is_better for name, column in r.columns.items()} for r in results},
        "n-samples": {r.task: {"original": len(r.documents), "effective": len(r.documents)} for r in results},
        "config": {"model": model, "model_args": dict(settings), "limit": None},
        "model_name": model,
        "date": time.time(),
    }


def write(out: Path, model: str, settings: Mapping, results: Sequence[TaskResult]) -> Path:
    """Write results and samples into `out/<model>/`; returns the results file. Files appear whole or not at all."""
    folder = out / re.sub(r"[^\w.-]+", "__", model)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().isoformat().replace(":", "-")
    for result in results:
        _replace(folder / f"samples_{result.task}_{stamp}.jsonl", "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in _samples(result)))
    file = folder / f"results_{stamp}.json"
    _replace(file, json.dumps(as_results(model, settings, results), ensure_ascii=False, indent=2))
    return file


def task_version() -> float:
    """The version all task files share."""
    import yaml

    return yaml.safe_load((TASKS_DIR / "_csc_yaml").read_text(encoding="utf-8"))["metadata"]["version"]


def _one_each(result: TaskResult) -> list[score.Column]:
    """One column per metric: a metric that stands once per language is one metric."""
    return list({column.metric.name: column for column in result.columns.values()}.values())


def _samples(result: TaskResult) -> list[dict]:
    rows: dict[tuple, list[int]] = {}
    for i, record in enumerate(result.records):
        rows.setdefault(_document_key(result, record), []).append(i)
    lines = []
    for number, document in enumerate(result.documents):
        row = document.to_row()
        own = rows.get((row["conversation_id"], row.get("turn_index")), [])
        line = {"doc_id": number, "doc": row, "filter": "none", "metrics": [result.unit, *result.columns], result.unit: [result.records[i] for i in own]}
        for name, column in result.columns.items():
            line[name] = [row["conversation_id"], [column.items[i] for i in own]]
        lines.append(line)
    return lines


def _document_key(result: TaskResult, record: Mapping) -> tuple:
    return record["conversation_id"], record["turn"] if result.unit == "answers" else None


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, file)
