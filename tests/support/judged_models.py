"""Results of made-up models on the demo corpus, written as lm_eval would, without lm_eval."""

from collections.abc import Callable
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.measuring import measure
from csc_tasks.metrics import select
from csc_tasks.prompts import Reply
from csc_tasks.question import REFERENCES
from csc_tasks.records import answer_record, turn_record
from csc_tasks.runs.writing import TaskResult, as_results, samples, write
from tests.support.made_results import as_written

TASKS = ("csc_conv_ref", "csc_conv_gen", "csc_qa")


def gold(item, turn: int) -> str:
    """What the corpus has there."""
    return item.refined_agent_answer if turn < 0 else item.dialogue[turn].text


def curt(item, turn: int) -> str:
    """Next to nothing."""
    return "好的。" if item.language == "zh" else "Okay."


def wordy(item, turn: int) -> str:
    """The gold reply and more."""
    return (
        gold(item, turn)
        + (
            "我们会继续跟进，请您放心。"
            if item.language == "zh"
            else " We will keep an eye on it, do not worry."
        )
        * 2
    )


def write_model(
    out: Path,
    name: str,
    talk: Callable,
    documents: int = 20,
    tasks=TASKS,
    language: str | None = None,
) -> Path:
    """Write results and samples of a model that says `talk(item, turn)` (turn -1 for a question) to
    the first documents of each task.
    """
    results = []
    for task in tasks:
        corpus = corpora.load("demo", "qa" if task == "csc_qa" else "csconv", "test")
        items = [item for item in corpus.items if language in (None, item.language)][:documents]
        if task == "csc_qa":
            records = [
                answer_record(q, getattr(q, REFERENCES[0]), Reply(None, talk(q, -1)), False, False)
                for q in items
            ]
            unit, metrics = "answers", select("rouge_l", "answer")
        else:
            turns = [(item, turn) for item in items for turn in item.scored_turns()]
            records = [
                turn_record(
                    item, turn, Reply(item.dialogue[turn].strategy, talk(item, turn)), False, False
                )
                for item, turn in turns
            ]
            unit, metrics = "turns", select("rouge_l", "turn")
        columns = measure(records, metrics, sorted({item.language for item in items}))
        raws = [as_written(record) for record in records]
        results.append(TaskResult(task, unit, corpus, items, records, columns, raws))
    return write(
        out,
        as_results(name, {"pretrained": name}, results),
        {result.task: samples(result) for result in results},
    )
