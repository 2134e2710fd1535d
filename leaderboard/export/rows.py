"""One reply as rows of Every Eval Ever: one for each metric that has a value of that reply."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from csc_tasks.metrics.result_names import metric_of
from csc_tasks.runs.samples_file import read_run
from csc_tasks.runs.task_record import TURNS
from csc_tasks.timing import timing_of
from leaderboard.numbers.measured import Measured
from leaderboard.numbers.scales import scale_of

SCHEMA = "0.3.0"
ROLES = {"customer": "user", "supporter": "assistant"}
_SAID = ("strategy", "gold_strategy", "topic", "language", "stage")
_FLAGS = ("unparsed", "empty", "truncated", "history_truncated", "thinking_cut", "failed")

Json = dict[str, Any]


def result_id(task: str, name: str) -> str:
    """What ties a row to its number."""
    return f"{task}/{name}"


def rows_of(one: Measured, evaluation_id: str, model_id: str) -> Iterator[Json]:
    """The rows of one task: for every reply, one a metric that is a mean over replies and ranked.
    Tasks without single replies (choices by likelihood, live conversations) have none.
    """
    measurement = one.measurement
    if measurement.samples is None or not measurement.about.has_single_replies:
        return
    names = [name for name in one.means if name in one.values and _per_reply(name)]
    run = read_run(measurement.samples)
    position = 0
    for line in run.lines:
        replies = {record["turn"]: record for record in line[run.unit]}
        for record in line[run.unit]:
            common = _reply(line["doc"], record, replies, one)
            for name in names:
                score = float(one.means[name][position])
                if math.isfinite(score):
                    yield _row(common, measurement.task, name, score, evaluation_id, model_id)
            position += 1


def _per_reply(name: str) -> bool:
    metric = metric_of(name)
    return metric is not None and metric.ranked and metric.statistic is None


def _row(
    common: Json, task: str, name: str, score: float, evaluation_id: str, model_id: str
) -> Json:
    metric = metric_of(name)
    best = scale_of(name).high if metric is None or metric.higher_is_better else scale_of(name).low
    turns = len(common["messages"]) if common["messages"] else 1
    return {
        "schema_version": SCHEMA,
        "evaluation_id": evaluation_id,
        "model_id": model_id,
        "evaluation_name": task,
        "evaluation_result_id": result_id(task, name),
        **common,
        # The format wants a verdict of every row: right is what has the best score there is.
        "evaluation": {"score": score, "is_correct": score == best, "num_turns": turns},
    }


def _reply(
    doc: Mapping[str, Any], record: Mapping[str, Any], replies: Mapping[int, Json], one: Measured
) -> Json:
    """What all rows of one reply have in common."""
    talks = one.measurement.unit == TURNS
    text = record["reply"] or ""
    if talks:
        history = list(_history(doc, record["turn"], replies, one.measurement.about.generated))
        raw = "\n".join(f"{message['role']}: {message['content']}" for message in history)
    else:
        history, raw = [], _question(doc)
    reference = [record["reference"]] if isinstance(record.get("reference"), str) else []
    said: Json = {"role": "assistant", "content": text}
    spoken = [{"turn_idx": i, **message} for i, message in enumerate([*history, said])]
    made: Json = {
        "sample_id": f"{record['conversation_id']}:{record['turn']}",
        "sample_hash": hashlib.sha256("".join([raw, *reference]).encode()).hexdigest(),
        "interaction_type": "multi_turn" if talks else "single_turn",
        "input": {"raw": raw, "reference": reference},
        "output": None if talks else {"raw": [text]},
        "messages": spoken if talks else None,
        "answer_attribution": [
            {
                "turn_idx": len(history),
                "source": "messages[turn_idx].content" if talks else "output.raw",
                "extracted_value": text,
                "extraction_method": "custom",
                "is_terminal": True,
            }
        ],
        "metadata": _metadata(record),
    }
    if record.get("failed"):
        made["error"] = "the request failed"
    return made | _timing(record)


def _history(
    doc: Mapping[str, Any], turn: int, replies: Mapping[int, Json], generated: bool
) -> Iterator[Json]:
    """The conversation before a turn, as the model had it: with its own replies in place of the
    recorded ones where it played on.
    """
    for position, spoken in enumerate(doc["dialogue"][:turn]):
        text = spoken["text"]
        if generated and position in replies:
            text = replies[position]["reply"] or ""
        yield {"role": ROLES.get(spoken["speaker"], spoken["speaker"]), "content": text}


def _question(doc: Mapping[str, Any]) -> str:
    """What a question's prompt is made of: instruction, summary, question."""
    parts = (doc.get(name) for name in ("instruction", "history_summary", "client_question"))
    return "\n\n".join(part for part in parts if part)


def _metadata(record: Mapping[str, Any]) -> dict[str, str]:
    made = {name: str(record[name]) for name in _SAID if record.get(name)}
    made |= {name: "true" for name in _FLAGS if record.get(name)}
    return made | {"conversation_id": str(record["conversation_id"]), "turn": str(record["turn"])}


def _timing(record: Mapping[str, Any]) -> Json:
    timing = timing_of(record)
    if timing is None:
        return {}
    seconds = {
        "time_to_first_token_ms": timing.first_token_s,
        "latency_ms": timing.last_token_s,
    }
    known = {name: 1000 * value for name, value in seconds.items() if value is not None}
    made: Json = {"performance": known} if known else {}
    if timing.tokens_in is not None and timing.tokens_out is not None:
        made["token_usage"] = {
            "input_tokens": timing.tokens_in,
            "output_tokens": timing.tokens_out,
            "total_tokens": timing.tokens_in + timing.tokens_out,
        }
    return made


def texts(rows: Iterable[Json]) -> Iterator[tuple[str, str]]:
    """(task and sample, text) of everything in rows that somebody or a model has said, once a
    sample.
    """
    seen: set[tuple[str, str]] = set()
    for row in rows:
        sample = (row["evaluation_name"], row["sample_id"])
        if sample in seen:
            continue
        seen.add(sample)
        said = [row["input"]["raw"], *row["input"]["reference"]]
        said += [entry["extracted_value"] for entry in row["answer_attribution"]]
        yield " ".join(sample), "\n".join(said)
