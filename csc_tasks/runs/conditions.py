"""Under which conditions a run was made, and which of several runs under the same ones is the
newest: the one rule of every verb.

A results file records far more than what anyone thought of as a setting. So all of it counts as a
condition, also what a later version of lm_eval or of this project will add, except what HARMLESS
names: two runs that differ in anything else are never taken for one.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from csc_tasks.runs.model_arguments import CREDENTIALS, HOW_IT_RAN, NAMES, model_arguments
from csc_tasks.runs.task_record import read_task_record

HARMLESS: dict[str, frozenset[str]] = {
    # What came out, what was computed from it, when, and with which software: of two runs that
    # differ in these the newer one is meant to take the place of the older.
    "file": frozenset(
        {
            *("results", "groups", "group_subtasks", "higher_is_better", "task_hashes"),
            *("date", "start_time", "end_time", "total_evaluation_time_seconds"),
            *("git_hash", "upper_git_hash", "pretty_env_info"),
            *("transformers_version", "lm_eval_version", "model_name_sanitized"),
        }
    ),
    # Seeds of generators that no csc task draws from (a sampling seed stands in gen_kwargs), and
    # --limit, whose effect n-samples says.
    "config": frozenset(
        {
            *("batch_size", "batch_sizes", "device", "use_cache", "limit", "bootstrap_iters"),
            *("random_seed", "numpy_seed", "torch_seed", "fewshot_seed"),
        }
    ),
    "model_args": HOW_IT_RAN | CREDENTIALS,
    # Settings as they were given; what they resolved to stands in metadata.csc. lm_eval also copies
    # the model arguments here.
    "metadata": frozenset(
        {
            *("config_source", "csc_corpus", "csc_qa_corpus", "csc_revision", "csc_qa_revision"),
            *("csc_prompt", "csc_date", "csc_language", "csc_subset", "csc_bad_rows"),
            *("csc_qa_variant", "csc_qa_reference"),
            *("csc_metrics", "csc_metric_device", "csc_metric_batch_size", "csc_bertscore_model"),
            *("csc_bertscore_layer", "csc_bleurt_model", "csc_bartscore_model"),
            *("csc_cosine_model", "csc_play", "csc_window", "csc_max_failed"),
        }
    )
    | NAMES
    | HOW_IT_RAN
    | CREDENTIALS,
    # The corpus is known by its content. Metrics are computed again from the same replies, so
    # signatures are no condition of a run; play says in which order prompts were sent.
    "csc": frozenset(
        {
            *("project", "corpus", "counts", "signatures", "draft_languages"),
            *("places", "play"),
        }
    ),
}
"""By where it stands in a results file: what two runs may differ in and still be the same."""

Conditions = tuple[tuple[str, str], ...]
"""Name -> value as JSON, in the order of the names."""

T = TypeVar("T")


def conditions(results: Mapping[str, Any], task: str) -> Conditions:
    """What a results file records about one of its tasks that can move a number.

    A value of null and an empty one are as good as none. Raises LookupError, TypeError or
    AttributeError for what is not a results file with this task, DataError for a task record that
    cannot be read.
    """
    config, run = results["configs"][task], results["config"]
    metadata = config["metadata"]
    csc = metadata["csc"]
    about = read_task_record(task, csc)
    by_task = ("versions", "n-shot", "n-samples", "configs")
    parts: dict[str, Mapping[str, Any]] = {
        "file": {k: v for k, v in results.items() if k not in (*by_task, "config")},
        "config": {k: v for k, v in run.items() if k != "model_args"},
        "model_args": model_arguments(run.get("model_args")),
        "metadata": {k: v for k, v in metadata.items() if k not in ("csc", "version")},
        # As it is read, so that files of before the record existed have it too.
        "csc": {**csc, "unit": about.unit, "generated": about.generated, "variant": about.variant},
        "task": {k: v for k, v in config.items() if k not in ("metadata", "task")}
        | {
            "task": task,
            "version": metadata.get("version", results.get("versions", {}).get(task)),
            "n-shot": results.get("n-shot", {}).get(task),
            "n-samples": results.get("n-samples", {}).get(task),
        },
    }
    return tuple(
        sorted(
            (f"{part}.{name}", json.dumps(value, sort_keys=True, ensure_ascii=False))
            for part, values in parts.items()
            for name, value in values.items()
            if value not in (None, "", [], {}) and name not in HARMLESS.get(part, ())
        )
    )


def differing(one: Conditions, other: Conditions) -> list[str]:
    """The names of the conditions in which two runs differ."""
    return sorted({name for name, _ in {*one} ^ {*other}})


def same_runs(
    runs: Iterable[T],
    conditions_of: Callable[[T], Hashable],
    age: Callable[[T], tuple[Any, ...]],
) -> list[list[T]]:
    """The runs in groups of one model, task and conditions, each from the oldest to the newest.

    age: what sorts them by their date; what decides between equal dates stands behind it.
    """
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for run in runs:
        groups[conditions_of(run)].append(run)
    return [sorted(group, key=age) for group in groups.values()]
