"""Results files in lm_eval's shape, for numbers that did not come out of an lm_eval run, and the
provenance both kinds carry.

`results_<date>.json` holds `results`, `configs`, `versions`, `n-shot`, `higher_is_better`,
`n-samples` and `config`;
`samples_<task>_<date>.jsonl` holds one line per conversation or question. A reader need not know
who wrote them.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from csc_tasks import __version__, corpora
from csc_tasks.conversation import Conversation
from csc_tasks.languages import language
from csc_tasks.measuring import Column, repeats_of, signatures
from csc_tasks.metrics import Estimate
from csc_tasks.metrics.result_names import signed_with
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.question import Question
from csc_tasks.runs.conditions import public_copy
from csc_tasks.runs.names import folder_name, results_name, samples_name, value_keys
from csc_tasks.runs.public import HASHED, public_arguments
from csc_tasks.runs.public_lists import GENERATION
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import read_task_record
from csc_tasks.runs.task_version import task_version


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task's records and metrics over a corpus.

    unit: "turns" or "answers", the name the records carry in a samples file. documents: the corpus
    items behind the records, in order.
    columns: result name -> measured column. raws: the raw reply behind each record, where there are
    any: whoever verifies the results reads them again. due: all documents of the task where only
    some were asked about.
    """

    task: str
    unit: str
    corpus: corpora.Corpus
    documents: Sequence[Conversation | Question]
    records: Sequence[Mapping[str, Any]]
    columns: Mapping[str, Column]
    raws: Sequence[str] | None = None
    due: Sequence[Conversation | Question] | None = None


def provenance(
    corpus: corpora.Corpus, items: Sequence[Conversation | Question], signed: Mapping[str, str]
) -> dict[str, Any]:
    """What a reader needs to know to compare two results: data, its state, project version, and
    every metric's signature (`signed`).
    """
    spoken = sorted({item.language for item in items})
    draft = [code for code in spoken if language(code).draft]
    return {
        "project": __version__,
        "corpus": corpus.name,
        "config": corpus.config,
        "split": corpus.split,
        "revision": corpus.revision,
        "content_hash": corpora.content_hash(items),
        **({"labels": corpus.labels} if corpus.labels else {}),
        "rows": len(items),
        "languages": spoken,
        **({"draft_languages": draft} if draft else {}),
        "counts": dict(corpus.counts),
        "signatures": dict(signed),
    }


def estimates(
    columns: Mapping[str, Column], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | str]:
    """`metric,none` and `metric_stderr,none` as in lm_eval's results; "N/A" where undefined.
    `records` are those that the columns are over.
    """
    clusters = [record["conversation_id"] for record in records]
    numbers: dict[str, float | str] = {}
    for name, column in columns.items():
        numbers |= as_numbers(name, column.estimate(clusters, repeats_of(records)))
    return numbers


def as_numbers(name: str, made: Estimate) -> dict[str, float | str]:
    """A result's value and standard error under lm_eval's keys; "N/A" where undefined."""
    value, stderr = value_keys(name)
    return {
        value: "N/A" if made.value is None else made.value,
        stderr: "N/A" if made.stderr is None else made.stderr,
    }


def as_results(
    model: str, settings: Mapping[str, Any], results: Sequence[TaskResult]
) -> dict[str, Any]:
    """The dictionary of a results file for several tasks of one model."""
    tasks: dict[str, dict[str, Any]] = {
        name: {}
        for name in (
            "results",
            "group_subtasks",
            "configs",
            "versions",
            "n-shot",
            "higher_is_better",
            "n-samples",
        )
    }
    for r in results:
        metrics = list(
            {column.metric.name: column.metric for column in r.columns.values()}.values()
        )
        signed = signatures(metrics, sorted({item.language for item in r.documents}))
        signed = signed_with(r.corpus.labels, signed)
        numbers = estimates(r.columns, r.records)
        tasks["results"][r.task] = {
            "alias": r.task,
            "sample_len": len(r.documents),
            f"{r.unit},none": len(r.records),
            **numbers,
        }
        tasks["group_subtasks"][r.task] = []
        due = r.documents if r.due is None else r.due
        csc = provenance(r.corpus, due, signed)
        csc |= read_task_record(r.task, csc).to_json()
        version = task_version(r.task)
        tasks["configs"][r.task] = {"task": r.task, "metadata": {"version": version, "csc": csc}}
        tasks["versions"][r.task] = version
        tasks["n-shot"][r.task] = 0
        tasks["higher_is_better"][r.task] = {
            name: column.metric.higher_is_better for name, column in r.columns.items()
        }
        tasks["n-samples"][r.task] = {"original": len(due), "effective": len(r.documents)}
    return tasks | {
        "config": {"model": model, "model_args": dict(settings), "limit": None},
        "model_name": model,
        "date": time.time(),
    }


def numbers_of(results: Mapping[str, Any], task: str) -> dict[str, dict[str, Any]]:
    """Metric -> value, standard error (both on its own scale, None where undefined) and whether
    higher is better, of one task of a results dictionary.
    """
    own = results["results"][task]
    return {
        name: {
            **{
                part: number if isinstance(number := own.get(key), (int, float)) else None
                for part, key in zip(("value", "stderr"), value_keys(name), strict=True)
            },
            "higher_is_better": higher,
        }
        for name, higher in results["higher_is_better"][task].items()
    }


def samples(result: TaskResult) -> list[dict[str, Any]]:
    """The lines of a task's samples file: document, records, and each metric's items."""
    own: dict[tuple[str, int | None], list[int]] = {}
    for i, record in enumerate(result.records):
        own.setdefault(
            (record["conversation_id"], record["turn"] if result.unit == "answers" else None), []
        ).append(i)
    lines = []
    for number, document in enumerate(result.documents):
        row = document.to_row()
        positions = own.get((row["conversation_id"], row.get("turn_index")), [])
        line = {
            "doc_id": number,
            "doc": row,
            "filter": "none",
            "metrics": [result.unit, *result.columns],
        }
        if result.raws is not None:
            line["resps"] = [[result.raws[i]] for i in positions]
        line[result.unit] = [result.records[i] for i in positions]
        for name, column in result.columns.items():
            line[name] = [row["conversation_id"], [column.items[i] for i in positions]]
        lines.append(line)
    return lines


def check_out(out: Path) -> None:
    """Raise SettingError where results cannot be written below `out`; says what becomes of those
    that are there.
    """
    check_writable(out)
    if out.is_dir() and any(out.rglob("results_*.json")):
        say_earlier(
            f"{out} holds earlier results, which stay; of runs with the same settings every verb"
            " takes the newest"
        )


def write(
    out: Path, results: Mapping[str, Any], lines: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Path:
    """Write a results dictionary and its samples (task -> lines) into `out/<model name>/`; returns
    the results file.

    Files appear whole or not at all.
    """
    folder = out / folder_name(results["model_name"])
    stamp = datetime.now().isoformat().replace(":", "-")
    for task, rows in lines.items():
        write_samples(folder, stamp, task, rows)
    return write_results(folder, stamp, results)


def write_samples(folder: Path, stamp: str, task: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a task's samples file of a run."""
    return replace_file(
        folder / samples_name(task, stamp),
        (json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    )


def write_results(folder: Path, stamp: str, results: Mapping[str, Any]) -> Path:
    """Write the results file of a run; last, because it says that the run is whole."""
    return replace_file(
        folder / results_name(stamp), json.dumps(results, ensure_ascii=False, indent=2)
    )


def derived(results: Mapping[str, Any]) -> dict[str, Any]:
    """A run's results as other verbs write them again: without keys, addresses and folders, which
    stay in the file that lm_eval wrote, but with the texts that asking again needs.
    """
    texts = {name: results[name] for name in HASHED if results.get(name) is not None}
    return public_copy(results) | texts


def with_columns(run: Run, columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The lines of a run's task with each column's items, one per record, beside or over what they
    had.
    """
    lines, start = [], 0
    for line in run.lines:
        end = start + len(line[run.unit])
        items: dict[str, Any] = {
            name: [line["doc"]["conversation_id"], list(column[start:end])]
            for name, column in columns.items()
        }
        if isinstance(sent := line.get("arguments"), dict):
            items["arguments"] = {name: _sent(one) for name, one in sent.items()}
        lines.append(line | items | {"metrics": list(dict.fromkeys([*line["metrics"], *columns]))})
        start = end
    return lines


def _sent(request: object) -> object:
    """A logged request, with those generation settings that may be published."""
    if not isinstance(request, dict):
        return request
    return {
        name: public_arguments(value, GENERATION, "") if isinstance(value, dict) else value
        for name, value in request.items()
    }


def only(results: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """A copy of a results dictionary with these tasks alone."""
    by_task = (
        "results",
        "group_subtasks",
        "configs",
        "versions",
        "n-shot",
        "higher_is_better",
        "n-samples",
    )
    of_tasks = {
        name: {task: results[name][task] for task in tasks if task in results[name]}
        for name in by_task
        if name in results
    }
    general = {
        name: value
        for name, value in results.items()
        if not isinstance(value, dict) or name == "config"
    }
    copy: dict[str, Any] = json.loads(json.dumps(general | of_tasks))
    return copy
