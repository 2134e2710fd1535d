"""Runs as somebody hands them in, for verification: played through lm_eval with a model from a
function, and changed by hand afterwards.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from csc_tasks.runs.results_file import read_results
from csc_tasks.verify import Trusted, Verified, examine

Forge = Callable[[dict, list[dict]], None]
"""Changes a results dictionary and the lines of one samples file, in place."""


def hand_in(
    root: Path,
    tasks: Sequence[str],
    reply: Callable[[str], str | None],
    metadata: dict,
    limit: int | None = None,
    model: object = None,
    **options,
) -> Path:
    """A run written by lm_eval's own tracker; returns its results file."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from csc_tasks import TASKS_DIR
    from tests.support.fakes import FakeLM

    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    fake = FakeLM(reply)
    fake.loglikelihood = lambda requests: [
        (-float(zlib.crc32("".join(request.args).encode()) % 1000), False) for request in requests
    ]
    results = simple_evaluate(
        model or fake,
        tasks=list(tasks),
        task_manager=manager,
        bootstrap_iters=0,
        limit=limit,
        **options,
    )
    tracker = EvaluationTracker(output_path=str(root))
    tracker.general_config_tracker.log_experiment_args(
        "fake", "pretrained=org/fake", None, None, False
    )
    logged = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=logged)
    for task in tasks:
        tracker.save_results_samples(task, logged[task])
    return next(root.rglob("results_*.json"))


def verdicts(results: Path, trusted: Trusted, references=None) -> dict[str, Verified]:
    """Every task of a results file, verified."""
    return {m.task: examine(m, trusted, references) for m in read_results(results, [])}


def forged(results: Path, out: Path, task: str, forge: Forge) -> Path:
    """A copy of one task of a run below `out`, changed by `forge`; returns its results file."""
    file = next(results.parent.glob(f"samples_{task}_*.jsonl"))
    text = json.loads(results.read_text(encoding="utf-8"))
    for part in ("results", "configs", "versions", "higher_is_better", "n-samples"):
        text[part] = {task: text[part][task]}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    forge(text, lines)
    out.mkdir(parents=True, exist_ok=True)
    (out / results.name).write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
    (out / file.name).write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    return out / results.name
