"""Results and samples files for tests of the leaderboard: records made by hand, and a real lm_eval
run with a model from a function.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.documents import document_key
from csc_tasks.languages.labels import strategy_name
from csc_tasks.measuring import measure, without_strategies
from csc_tasks.metrics import select
from csc_tasks.prompts import Reply
from csc_tasks.question import Question
from csc_tasks.records import answer_record, turn_record
from csc_tasks.runs.writing import TaskResult, as_results, samples, write

Answer = Callable[[Conversation, int], tuple[str | None, str]]
"""(conversation, position of the turn) -> (strategy id or None where unparsed, text)."""


def conversations(
    count: int, strategies: Sequence[str] = ("GT", "PR", "ID", "AC"), language: str = "en"
) -> list[Conversation]:
    """Alike conversations, customer first, one topic per parity."""
    made = []
    for number in range(count):
        turns = []
        for k, strategy in enumerate(strategies):
            turns += [
                Turn("customer", f"question {k} of case {number}"),
                Turn("supporter", f"gold answer {k} of case {number}", strategy),
            ]
        topic = ("Others", "Product Consultation")[number % 2]
        made.append(Conversation(f"case-{number:03}", language, topic, "test", tuple(turns)))
    return made


def conversation_result(
    task: str,
    items: Sequence[Conversation],
    answer: Answer,
    metrics: str = "overlap",
    chooses: bool = True,
) -> TaskResult:
    """A task's records and metrics when every turn is answered by `answer`. chooses: whether it
    asks for strategies.
    """
    items = in_order(items)
    records = [
        turn_record(item, turn, Reply(*answer(item, turn)), False, False, chooses)
        for item in items
        for turn in item.scored_turns()
    ]
    languages = sorted({item.language for item in items})
    chosen = select(metrics, "turn")
    return TaskResult(
        task,
        "turns",
        _corpus("csconv", items),
        items,
        records,
        measure(records, chosen if chooses else without_strategies(chosen), languages),
        [as_written(record) for record in records],
    )


def in_order(items: Sequence) -> list:
    """As a corpus puts them."""
    return sorted(
        items,
        key=lambda item: hashlib.sha256(document_key(item.to_row()).encode()).hexdigest(),
    )


def as_written(record: Mapping) -> str:
    """A reply as a model would have written it."""
    if not record.get("strategy"):
        return record["reply"]
    return f"[{strategy_name(record['strategy'], record['language'])}] {record['reply']}"


def question_result(
    task: str, items: Sequence[Question], answer: Callable[[Question], str], config: str = "qa"
) -> TaskResult:
    """The same for questions."""
    items = in_order(items)
    records = [
        answer_record(item, item.refined_agent_answer, Reply(None, answer(item)), False, False)
        for item in items
    ]
    languages = sorted({item.language for item in items})
    return TaskResult(
        task,
        "answers",
        _corpus(config, items),
        items,
        records,
        measure(records, select("overlap", "answer"), languages),
        [record["reply"] for record in records],
    )


def write_run(
    root: Path,
    name: str,
    results: Sequence[TaskResult],
    change: Callable[[dict], None] | None = None,
    **arguments,
) -> Path:
    """Write a run of model `name` as lm_eval would (with a prompt style and a chat template);
    returns the results file.

    `change` may edit the results before they are written; `arguments` are model_args.
    """
    made = as_results(name, {"pretrained": name} | arguments, results)
    made["config"]["model"] = "hf"
    made |= {"chat_template": "{{ messages }}", "date": 1_790_000_000.0}
    for config in made["configs"].values():
        config["metadata"]["csc"]["prompt"] = "single"
    if change:
        change(made)
    return write(root, made, {result.task: with_prompts(samples(result)) for result in results})


def with_prompts(lines: list[dict]) -> list[dict]:
    """The lines of a samples file with a prompt for every raw reply, as lm_eval logs them."""
    for line in lines:
        line["arguments"] = {
            f"gen_args_{number}": {"arg_0": f"What does the supporter say? ({number})"}
            for number in range(len(line.get("resps", [])))
        }
    return lines


def csc_of(results: Mapping, task: str = "csc_conv_ref") -> dict:
    """The provenance of a task in a results dictionary."""
    return results["configs"][task]["metadata"]["csc"]


def right(share: float, text: str = "a reply") -> Answer:
    """Right on the first `share` of the turns of each conversation, else Others; the text says
    which turn it was.
    """

    def answer(item: Conversation, turn: int) -> tuple[str | None, str]:
        scored = item.scored_turns()
        gold = item.dialogue[turn].strategy
        return (gold if scored.index(turn) < share * len(scored) else "Others"), f"{text} {turn}"

    return answer


def numbered(every: int) -> Answer:
    """Right in conversations whose number is not a multiple of `every`, unparsed on their last
    turn.
    """

    def answer(item: Conversation, turn: int) -> tuple[str | None, str]:
        if turn == item.scored_turns()[-1]:
            return None, "no label at all"
        return (
            item.dialogue[turn].strategy if int(item.conversation_id[-3:]) % every else "EM"
        ), item.dialogue[turn].text

    return answer


def run_lm_eval(
    root: Path,
    corpus: Path,
    tasks: Sequence[str],
    reply: Callable[[str], str | None],
    name: str = "org/fake",
) -> Path:
    """A real run, written by lm_eval's own tracker; returns its folder."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from csc_tasks import TASKS_DIR
    from tests.support.fakes import FakeLM

    metadata = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    results = simple_evaluate(
        FakeLM(reply), tasks=list(tasks), task_manager=manager, bootstrap_iters=0
    )
    tracker = EvaluationTracker(output_path=str(root))
    tracker.general_config_tracker.log_experiment_args(
        "fake", f"pretrained={name}", None, None, False
    )
    logged = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=logged)
    for task in tasks:
        tracker.save_results_samples(task, logged[task])
    return root


def change_line(file: Path, number: int, change: Callable[[dict], None]) -> None:
    """Edit one line of a samples file in place."""
    lines = file.read_text(encoding="utf-8").splitlines()
    line = json.loads(lines[number])
    change(line)
    lines[number] = json.dumps(line, ensure_ascii=False)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _corpus(config: str, items: Sequence) -> corpora.Corpus:
    return corpora.Corpus(
        "made", config, "test", tuple(items), None, corpora.content_hash(items), {}
    )
