"""Replies that two models of different names share: greedy copies of the same weights do, and so
does a run that somebody handed in again under another name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.verify.verdict import Finding

DISTINCT = 8
"""A model that says always the same shares it with others by chance."""
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Print:
    """What tells the replies of one task of a run: document -> hash of its raw replies."""

    file: Path
    model: str
    task: str
    documents: Mapping[str, str]


def _prints_of(measurement: Measurement) -> list[_Print]:
    """The print of a task's replies in each repeat, but of those with too few different ones; none
    where there are no samples that can be read.
    """
    if measurement.samples is None or measurement.identity.baseline:
        return []
    if not measurement.about.has_replies:
        return []
    try:
        run = read_run(measurement.samples)
    except DataError:  # which its own verdict says
        return []
    prints = (_print_of(measurement, run.one_repeat(repeat)) for repeat in range(run.repeats))
    return [one for one in prints if one is not None]


def _print_of(measurement: Measurement, run: Run) -> _Print | None:
    said = {
        f"{line['doc'].get('conversation_id')}/{line['doc'].get('turn_index')}": str(
            [record["reply"] for record in line[run.unit]]
        )
        for line in run.lines
    }
    if len(set(said.values())) < DISTINCT:
        return None
    hashes = {key: hashlib.sha256(text.encode()).hexdigest()[:16] for key, text in said.items()}
    return _Print(measurement.file, measurement.identity.name, measurement.task, hashes)


def copies(measurements: Sequence[Measurement]) -> list[Finding]:
    """Pairs of runs under different names of which most replies are the same, to the letter. No
    accusation: the same weights under two names reply the same.
    """
    if len({measurement.identity.name for measurement in measurements}) < 2:
        return []
    prints = [one for measurement in measurements for one in _prints_of(measurement)]
    findings: dict[tuple[str, Path, Path], Finding] = {}
    for position, one in enumerate(prints):
        for other in prints[:position]:
            if one.task != other.task or one.model == other.model:
                continue
            shared = sum(other.documents.get(key) == own for key, own in one.documents.items())
            fewest = min(len(one.documents), len(other.documents))
            if shared >= DISTINCT and shared >= SHARE * fewest:
                # Of the repeats of two runs, the first pair says it.
                findings.setdefault(
                    (one.task, one.file, other.file),
                    Finding(
                        one.task,
                        one.model,
                        "",
                        "",
                        f"replies to {shared:,} of {fewest:,} documents are those of"
                        f" {other.model} ({other.file})",
                        contradicts=False,
                    ),
                )
    return list(findings.values())
