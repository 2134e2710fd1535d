"""What a careful forger does after an edit: everything in both files agrees again."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks import corpora
from csc_tasks.measuring import Column, measure, measure_choices
from csc_tasks.metrics import METRICS
from csc_tasks.metrics.result_names import metric_of
from csc_tasks.runs.writing import as_numbers

Text = dict[str, Any]
Lines = list[dict[str, Any]]
Edit = Callable[[Text, Lines], None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as `corpora.content_hash` takes it."""

    row: Mapping[str, Any]

    def to_row(self) -> Mapping[str, Any]:
        """The row itself."""
        return self.row


def task_of(text: Text) -> str:
    """The one task of a results dictionary."""
    (task,) = text["results"]
    return str(task)


def csc(text: Text) -> dict[str, Any]:
    """The provenance of its task."""
    own: dict[str, Any] = text["configs"][task_of(text)]["metadata"]["csc"]
    return own


def numbers(text: Text) -> dict[str, Any]:
    """The numbers of its task."""
    own: dict[str, Any] = text["results"][task_of(text)]
    return own


def unit_of(lines: Lines) -> str:
    """turns or answers."""
    return "turns" if "turns" in lines[0] else "answers"


def records(lines: Lines) -> list[dict[str, Any]]:
    """All records, in order."""
    return [record for line in lines for record in line[unit_of(lines)]]


def in_order(lines: Lines) -> None:
    """The order in which lm_eval would have asked and logged, and its numbers of documents."""

    def key(line: Mapping[str, Any]) -> str:
        doc = line["doc"]
        own = f"{doc['conversation_id']}/{doc['turn_index']}" if "turn_index" in doc else None
        return hashlib.sha256((own or doc["conversation_id"]).encode()).hexdigest()

    lines.sort(key=key)
    for number, line in enumerate(lines):
        line["doc_id"] = number


def consistent(text: Text, lines: Lines) -> None:
    """Every metric, item, count and hash anew, as an honest run on these lines would have them."""
    in_order(lines)
    unit, rows = unit_of(lines), records(lines)
    languages = sorted({line["doc"]["language"] for line in lines})
    names = [name for name in lines[0]["metrics"] if name != unit and not name.endswith("_stderr")]
    metrics = list(dict.fromkeys(m for name in names if (m := metric_of(name)) is not None))
    choice = "strategy_norm" in rows[0]
    columns: Mapping[str, Column] = (
        measure_choices(rows, metrics, languages) if choice else measure(rows, metrics, languages)
    )
    stale = {name for name in names if name not in columns}
    clusters = [row["conversation_id"] for row in rows]
    task = task_of(text)
    for name in stale:
        for key in (f"{name},none", f"{name}_stderr,none"):
            text["results"][task].pop(key, None)
    for name, column in columns.items():
        text["results"][task] |= as_numbers(name, column.estimate(clusters))
    start = 0
    for line in lines:
        end = start + len(line[unit])
        for name in stale:
            line.pop(name, None)
            line.pop(f"{name}_stderr", None)
        for name, column in columns.items():
            entry = [line["doc"]["conversation_id"], column.items[start:end]]
            line[name] = line[f"{name}_stderr"] = entry
        line["metrics"] = [unit, *columns]
        line["doc_hash"] = _hash(json.dumps(line["doc"], indent=2, ensure_ascii=False))
        start = end
    text["results"][task] |= {f"{unit},none": len(rows), "sample_len": len(lines)}
    csc(text).update(
        rows=len(lines),
        languages=languages,
        content_hash=corpora.content_hash([Row(line["doc"]) for line in lines]),
    )
    text["n-samples"][task] = {"original": len(lines), "effective": len(lines)}


def keep(lines: Lines, places: Mapping[int, Sequence[int]]) -> None:
    """Of each line only the records at these places, and no line without any."""
    unit = unit_of(lines)
    for position, line in enumerate(lines):
        own = places.get(position, range(len(line[unit])))
        sent = [line["arguments"][f"gen_args_{i}"] for i in own]
        line["arguments"] = {f"gen_args_{i}": one for i, one in enumerate(sent)}
        for name in (unit, "resps", "filtered_resps"):
            line[name] = [line[name][i] for i in own]
    lines[:] = [line for line in lines if line[unit]]


def better(lines: Lines) -> list[int]:
    """Positions of the lines, the best scored first."""
    name = "strategy_acc" if "strategy_acc" in lines[0] else None
    if name is None:
        return sorted(range(len(lines)), key=lambda i: -_overlap(lines[i]))
    return sorted(range(len(lines)), key=lambda i: -_mean(lines[i][name][1]))


def write(out: Path, results: Path, samples: Path, text: Text, lines: Lines) -> Path:
    """Hand the two files in; returns the results file."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / results.name
    target.write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
    name = samples.name.replace(samples.name.split("_2")[0], f"samples_{task_of(text)}", 1)
    (out / name).write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    return target


def renamed(text: Text, task: str) -> None:
    """Call the task another name, everywhere."""
    old = task_of(text)
    for part in ("results", "configs", "versions", "higher_is_better", "n-samples", "n-shot"):
        if old in text.get(part, {}):
            text[part] = {task: text[part][old]}
    text["configs"][task]["task"] = task
    text["results"][task] |= {"alias": task, "name": task}


def _mean(items: Sequence[float]) -> float:
    return sum(items) / len(items)


def _overlap(line: Mapping[str, Any]) -> float:
    (answer,) = line["answers"]
    made = METRICS["rouge_l"].score([answer["reply"]], [answer["reference"]], answer["language"])
    return float(str(made.items[0]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
