"""Which parts of the project work with the versions installed: those that patch a library or use
what it keeps to itself.

Nothing is loaded but code. Each check stands beside what it is about, in csc_tasks/compat.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec

from csc_tasks.compat import bert_score, bleurt, lm_eval, transformers, trl
from csc_tasks.doctor import NOTE, OFF, OK, Finding

TORCH = ["torch", "transformers"]

# part -> (libraries it is made of, what finds out why it is off, what happens then)
PARTS = {
    "tasks": (["lm_eval"], lm_eval.why_no_tasks, "no task can run"),
    "lockstep play": (
        TORCH,
        transformers.why_no_lockstep,
        "replies are the same, and slow: every prompt is encoded from its start",
    ),
    "pinned date": (
        ["transformers"],
        transformers.why_no_pinned_date,
        "templates that print a date print today's",
    ),
    "GGUF tokenizers": (
        ["transformers"],
        transformers.why_no_gguf_splits,
        "files of some models are read as other tokens than in llama.cpp",
    ),
    "bertscore": ([*TORCH, "bert-score"], bert_score.why_no_bertscore, "leave the metric out"),
    "bleurt": ([*TORCH, "bleurt-pytorch"], bleurt.why_no_bleurt, "leave the metric out"),
    "trainer": ([*TORCH, "trl", "peft"], trl.why_no_trainer, "csc train cannot run"),
}


def parts() -> Iterator[Finding]:
    """One finding per part."""
    for part, (libraries, why, then) in PARTS.items():
        missing = [library for library in libraries if not find_spec(library.replace("-", "_"))]
        if missing:
            yield Finding(
                NOTE, part, f"needs {', '.join(missing)}", "install the extra above that lacks it"
            )
            continue
        used = ", ".join(f"{library} {_version(library)}" for library in libraries)
        reason = _quietly(why)
        if reason is None:
            yield Finding(OK, part, f"works with {used}")
        else:
            yield Finding(
                OFF,
                part,
                f"OFF with {used}: {reason}; {then}",
                "install versions within the ranges above",
            )


def _quietly(why: Callable[[], str | None]) -> str | None:
    """What `why` says, without what libraries say about themselves while they are imported."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return why()
    finally:
        logging.disable(logging.NOTSET)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "of unknown version"
