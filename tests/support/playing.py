"""Playing a small corpus with lm_eval's HF backend, both ways."""

from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.play import rows


def backend(folder, **options):
    return HFLM(
        pretrained=str(folder), **{"dtype": "float32", "device": "cpu", "batch_size": 1, **options}
    )


def run(lm, corpus, tasks, play, batch_size=1, metadata=None, **options):
    """The tasks' samples, and how many forward passes lockstep play made (0: it did not play)."""
    passes = []
    forward = rows.Rows._forward
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus), "csc_play": play} | (
        metadata or {}
    )
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, "gen_kwargs": "max_gen_toks=10", **options}
    lm.batch_size_per_gpu = batch_size
    try:
        rows.Rows._forward = lambda *args: passes.append(1) or forward(*args)
        results = simple_evaluate(lm, tasks=tasks, task_manager=manager, **options)
    finally:
        rows.Rows._forward = forward
    samples = {
        task: [
            (arguments, untimed(record))
            for sample in results["samples"][task]
            for arguments, record in zip(
                sample["arguments"], sample["answers" if "qa" in task else "turns"], strict=True
            )
        ]
        for task in tasks
    }
    return samples, len(passes)


def untimed(record):
    """A record without what its reply took, which no two runs have in common."""
    return {key: value for key, value in record.items() if key != "timing"}


def same(lm, corpus, tasks, batch_sizes, **options):
    """Play both ways and compare prompts and records; the reference is a batch of one, which
    nothing pads.
    """
    expected, none = run(lm, corpus, tasks, "plain", **options)
    assert none == 0
    for batch_size in batch_sizes:
        found, passes = run(lm, corpus, tasks, "auto", batch_size, **options)
        assert passes > 0
        assert found == expected
    return expected
