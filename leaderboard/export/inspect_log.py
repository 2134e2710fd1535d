"""One task of a run as a log of inspect_ai, made and written by its own models (EvalLog): a sample
for each reply, its metrics as scores of the sample, and our numbers, errors and bounds as results.
"""

import datetime
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csc_tasks import __version__
from csc_tasks.errors import MissingExtra
from csc_tasks.file_names import safe_name
from leaderboard.board import Value
from leaderboard.export.evaluation import Evaluation, exported, source_of
from leaderboard.export.rows import rows_of
from leaderboard.numbers.measured import Measured

Json = dict[str, Any]


def write_logs(evaluation: Evaluation, out: Path, samples: bool) -> Iterator[Path]:
    """Write a log a task below `out`; the files. Raises MissingExtra without inspect_ai."""
    if importlib.util.find_spec("inspect_ai") is None:
        raise MissingExtra("csc export --to inspect needs inspect_ai: pip install inspect-ai")
    library: Any = importlib.import_module("inspect_ai.log")
    for one in evaluation.measured:
        log = library.EvalLog.model_validate(_log(evaluation, one, samples))
        folder = out / safe_name(evaluation.model)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{one.measurement.task}_{evaluation.name}.json"
        library.write_eval_log(log, str(file), format="json")
        yield file


def _log(evaluation: Evaluation, one: Measured, samples: bool) -> Json:
    measurement = one.measurement
    made = list(_samples(evaluation, one)) if samples else []
    date = datetime.datetime.fromtimestamp(int(evaluation.date), datetime.UTC).isoformat()
    asked = evaluation.asked(one)
    source = source_of(one)
    return {
        "status": "success",
        "eval": {
            "created": date,
            "eval_id": f"{measurement.task}-{evaluation.name}",
            "run_id": evaluation.name,
            "task_id": measurement.task,
            "task": measurement.task,
            "task_version": measurement.task_version,
            "dataset": {"name": source["dataset_name"], "samples": measurement.items},
            "model": evaluation.model,
            "config": {"limit": measurement.limit},
            "packages": {"lm_eval": measurement.lm_eval_version or "unknown"},
            "metadata": {**source["additional_details"], **asked, "exported_by": __version__},
        },
        "stats": {"started_at": date, "completed_at": date},
        "results": {
            "total_samples": measurement.items,
            "completed_samples": measurement.items,
            "scores": [_score(name, value) for name, value in exported(one)],
        },
        "samples": made or None,
    }


def _score(name: str, value: Value) -> Json:
    """A number as a score of one reducer, with what is known of its error beside it."""
    numbers = {
        "value": value.value,
        "stderr": value.stderr,
        "low_95": value.low,
        "high_95": value.high,
    }
    known = {key: number for key, number in numbers.items() if number is not None}
    return {
        "name": name,
        "scorer": name,
        "metrics": {key: {"name": key, "value": number} for key, number in known.items()},
        "metadata": {"clusters": value.clusters, "items": value.items, "method": value.method},
    }


def _samples(evaluation: Evaluation, one: Measured) -> Iterator[Json]:
    """A sample a reply; the rows of one stand together."""
    sample: Json = {}
    for row in rows_of(one, evaluation.id, evaluation.model_id):
        if sample.get("id") != row["sample_id"]:
            if sample:
                yield sample
            sample = _sample(row, evaluation.model)
        name = row["evaluation_result_id"].partition("/")[2]
        answer = row["answer_attribution"][0]["extracted_value"]
        sample["scores"][name] = {"value": row["evaluation"]["score"], "answer": answer}
    if sample:
        yield sample


def _sample(row: Json, model: str) -> Json:
    before = [
        {"role": message["role"], "content": message["content"]}
        for message in (row["messages"] or ())[:-1]
    ]
    reply = {"role": "assistant", "content": row["answer_attribution"][0]["extracted_value"]}
    return {
        "id": row["sample_id"],
        "epoch": 1,
        "input": before or row["input"]["raw"],
        "target": row["input"]["reference"],
        "messages": [*before, reply] if before else [],
        "output": {"model": model, "choices": [{"message": reply, "stop_reason": "unknown"}]},
        "scores": {},
        "metadata": row["metadata"],
    }
