"""Under which conditions a run was made, and which of several runs under the same ones is the
newest: the one rule of every verb.

A results file records far more than what anyone thought of as a setting. So all of it counts as a
condition, also what a later version of lm_eval or of this project will add, except what HARMLESS
names: two runs that differ in anything else are never taken for one. What may not be published
(csc_tasks/runs/public.py) counts by its hash, which stands in a public copy too: so a run and its
copy have the same conditions. The seed that a run drew from is a special condition: runs that
differ in nothing else are repeats of one another.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from csc_tasks.runs.model_arguments import (
    CREDENTIALS,
    HOW_IT_RAN,
    NAMES,
    as_text,
    model_arguments,
)
from csc_tasks.runs.public import HASHED, LeftOut, public_results
from csc_tasks.runs.public_lists import OTHER
from csc_tasks.runs.task_record import TaskRecord, read_task_record

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
    # Seeds of generators that no csc task draws from, but a model that samples does (SEEDS), and
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
            *("csc_prompt", "csc_format", "csc_strategies", "csc_reask"),
            *("csc_date", "csc_language", "csc_subset", "csc_bad_rows"),
            *("csc_qa_variant", "csc_qa_reference", "csc_evidence", "csc_passages"),
            *("csc_metrics", "csc_metric_device", "csc_metric_batch_size", "csc_bertscore_model"),
            *("csc_bertscore_layer", "csc_bleurt_model", "csc_bartscore_model"),
            *("csc_cosine_model", "csc_play", "csc_window", "csc_max_failed", "csc_repeats"),
            "csc_price",
        }
    )
    | NAMES
    | HOW_IT_RAN
    | CREDENTIALS,
    # Corpus and passages are known by their content; who labels a corpus later changes no reply.
    # Metrics are computed again from the same replies, so signatures are no condition of a run;
    # play says in which order prompts were sent, and a price moves no reply.
    "csc": frozenset(
        {
            *("project", "corpus", "counts", "signatures", "draft_languages"),
            *("places", "play", "evidence_name", "evidence_counts", "audit_evidence", "labels"),
            "price",
        }
    ),
}
"""By where it stands in a results file: what two runs may differ in and still be the same."""

SEEDS = ("random_seed", "numpy_seed", "torch_seed")
"""The seeds that lm_eval's --seed sets. They move a reply only where it is sampled."""
REPEAT = "repeat."
"""How the names of conditions begin that tell the repeats of one measurement apart."""

Conditions = tuple[tuple[str, str], ...]
"""Name -> value as JSON, in the order of the names."""

T = TypeVar("T")


def conditions(results: Mapping[str, Any], task: str) -> Conditions:
    """What a results file records about one of its tasks that can move a number.

    A value of null and an empty one are as good as none. Names that begin with REPEAT hold what the
    replies were drawn from: a seed in gen_kwargs or model_args, and lm_eval's own where replies
    were sampled. Raises LookupError, TypeError or
    AttributeError for what is not a results file with this task, DataError for a task record that
    cannot be read.
    """
    return _conditions(results, public_results(results), task)


def recorded(results: Mapping[str, Any], task: str) -> Conditions:
    """The same in the values as they stand in the file: what `conditions` hashes together, since it
    may not be published, is told apart. Raises as `conditions` does.
    """
    about = read_task_record(task, results["configs"][task]["metadata"]["csc"])
    stated = dict(_recorded(public_results(results), task, about))
    return tuple(sorted((stated | dict(_recorded(results, task, about))).items()))


def public_copy(results: Mapping[str, Any], left: LeftOut | None = None) -> dict[str, Any]:
    """The results dictionary that may be published, with the hashes of the conditions that stay.
    left: is told what stays. Raises as `conditions` does.
    """
    copy = public_results(results, left)
    csc = {task: config["metadata"].get("csc") for task, config in copy["configs"].items()}
    stated = {task: dict(_conditions(results, copy, task)) for task, own in csc.items() if own}
    for task, own in stated.items():
        for name, place in ((_RUN, copy["config"]), (_TASK, csc[task])):
            if name in own:
                place[OTHER] = json.loads(own[name])
    return copy


def other_settings(stated: Conditions) -> str:
    """The hash of a run's own conditions that are not published; "" where all are."""
    return str(json.loads(dict(stated).get(_RUN, '""')))


_RUN, _TASK = f"config.{OTHER}", f"csc.{OTHER}"


def _conditions(results: Mapping[str, Any], public: Mapping[str, Any], task: str) -> Conditions:
    about = read_task_record(task, results["configs"][task]["metadata"]["csc"])
    recorded, seen = _recorded(results, task, about), dict(_recorded(public, task, about))
    hidden = [pair for pair in recorded if seen.get(pair[0]) != pair[1]]
    of_run = ("file.", "config.", "model_args.")
    for name in (_RUN, _TASK):
        own = tuple(pair for pair in hidden if pair[0].startswith(of_run) == (name == _RUN))
        if own:
            seen[name] = json.dumps(_hash((*own, (name, seen.get(name, "")))))
    return tuple(sorted(seen.items()))


@lru_cache(maxsize=4096)
def _hash(pairs: Conditions) -> str:
    """Few digits, and slow to make: enough to tell two runs apart, little for whoever guesses."""
    text = json.dumps(pairs, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=b"csc_other", n=2**13, r=8, p=1, dklen=4).hex()


def _recorded(results: Mapping[str, Any], task: str, about: TaskRecord) -> Conditions:
    config, run = results["configs"][task], results["config"]
    metadata = config["metadata"]
    csc = metadata["csc"]
    # Templates and instructions count by their hashes.
    elsewhere = ("versions", "n-shot", "n-samples", "configs", "config", *HASHED)
    given, arguments = run.get("gen_kwargs"), model_arguments(run.get("model_args"))
    generation = config.get("generation_kwargs")
    drawn = _generation(given).get("seed", _generation(generation).get("seed"))
    repeat: dict[str, Any] = {
        "seed": None if drawn is None else as_text(drawn),
        "model_args.seed": arguments.get("seed"),
    }
    if sampled(results, task):
        repeat |= {name: run.get(name) for name in SEEDS}
    parts: dict[str, Mapping[str, Any]] = {
        "file": {k: v for k, v in results.items() if k not in elsewhere},
        "config": {k: v for k, v in run.items() if k != "model_args"}
        | {"gen_kwargs": without_seed(given)},
        "model_args": without_seed(arguments),
        "metadata": {k: v for k, v in metadata.items() if k not in ("csc", "version")},
        # As it is read, so that files of before the record existed have it too.
        "csc": {**csc, "unit": about.unit, "generated": about.generated, "variant": about.variant},
        "task": {k: v for k, v in config.items() if k not in ("metadata", "task")}
        | {
            "task": task,
            "version": metadata.get("version", results.get("versions", {}).get(task)),
            "n-shot": results.get("n-shot", {}).get(task),
            "n-samples": results.get("n-samples", {}).get(task),
            "generation_kwargs": without_seed(generation),
        },
        REPEAT.rstrip("."): repeat,
    }
    return tuple(
        sorted(
            (f"{part}.{name}", json.dumps(value, sort_keys=True, ensure_ascii=False))
            for part, values in parts.items()
            for name, value in values.items()
            if value not in (None, "", [], {}) and name not in HARMLESS.get(part, ())
        )
    )


def sampled(results: Mapping[str, Any], task: str) -> bool:
    """Whether replies were drawn, as the run's generation settings say: `do_sample`, or a
    temperature above 0. Greedy replies of two repeats are the same.
    """
    config = results["configs"][task].get("generation_kwargs")
    asked = {**_generation(config), **_generation(results["config"].get("gen_kwargs"))}
    try:
        warm = float(asked.get("temperature") or 0) > 0
    except (TypeError, ValueError):
        warm = True
    return warm or str(asked.get("do_sample")).lower() == "true"


def without_repeat(conditions: Conditions) -> Conditions:
    """What repeats of one measurement have in common."""
    return tuple(pair for pair in conditions if not pair[0].startswith(REPEAT))


def repeat_of(conditions: Conditions) -> dict[str, str]:
    """What may tell a repeat from the others, by name."""
    return {
        name.removeprefix(REPEAT): as_text(json.loads(value))
        for name, value in conditions
        if name.startswith(REPEAT)
    }


def without_seed(generation: Any) -> Any:
    """Generation settings or model arguments without their seed, in the form that they have."""
    if isinstance(generation, Mapping):
        return {name: value for name, value in generation.items() if name != "seed"}
    if isinstance(generation, str):
        parts = generation.split(",")
        return ",".join(part for part in parts if part.partition("=")[0].strip() != "seed")
    return generation


def _generation(given: Any) -> Mapping[str, Any]:
    """Generation settings by name, whichever way lm_eval wrote them down."""
    return model_arguments(given) if isinstance(given, str) else given or {}


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
