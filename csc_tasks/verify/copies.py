"""Replies that two models of different names share: greedy copies of the same weights do, and so
does a run that somebody handed in again under another name.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from csc_tasks.errors import DataError
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.verify.verdict import Finding

DISTINCT = 8
"""A model that says always the same shares it with others by chance."""
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Print:
    """What tells the replies of one task of a run: document -> hash of its replies. file: of its
    results, as it is to be named.
    """

    file: str
    model: str
    task: str
    documents: Mapping[str, str]


def prints_of(measurement: Measurement, run: Run, file: str) -> list[Print]:
    """The print of a task's replies in each repeat, but of those with too few different ones; none
    for a baseline and a task without replies. file: how to name it.
    """
    if measurement.identity.baseline or not measurement.about.has_replies:
        return []
    repeats = (run.one_repeat(repeat) for repeat in range(run.repeats))
    return [one for repeat in repeats if (one := _print_of(measurement, repeat, file)) is not None]


def _print_of(measurement: Measurement, run: Run, file: str) -> Print | None:
    said = {
        f"{line['doc'].get('conversation_id')}/{line['doc'].get('turn_index')}": str(
            [record["reply"] for record in line[run.unit]]
        )
        for line in run.lines
    }
    if len(set(said.values())) < DISTINCT:
        return None
    hashes = {
        key: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        for key, text in said.items()
    }
    return Print(file, measurement.identity.name, measurement.task, hashes)


def copies(measurements: Sequence[Measurement]) -> list[Finding]:
    """`shared` of runs whose samples are still to be read."""
    if len({measurement.identity.name for measurement in measurements}) < 2:
        return []
    prints: list[Print] = []
    for measurement in measurements:
        if measurement.samples is None:
            continue
        try:
            run = read_run(measurement.samples)
        except DataError:  # which its own verdict says
            continue
        prints += prints_of(measurement, run, str(measurement.file))
    return shared(prints)


def shared(prints: Iterable[Print]) -> list[Finding]:
    """Pairs of runs under different names of which most replies are the same, to the letter. No
    accusation: the same weights under two names reply the same.
    """
    known = list(prints)
    findings: dict[tuple[str, str, str], Finding] = {}
    for position, one in enumerate(known):
        for other in known[:position]:
            if one.task != other.task or one.model == other.model:
                continue
            alike = sum(other.documents.get(key) == own for key, own in one.documents.items())
            fewest = min(len(one.documents), len(other.documents))
            if alike >= DISTINCT and alike >= SHARE * fewest:
                # Of the repeats of two runs, the first pair says it.
                findings.setdefault(
                    (one.task, one.file, other.file),
                    Finding(
                        one.task,
                        one.model,
                        "",
                        "",
                        f"replies to {alike:,} of {fewest:,} documents are those of"
                        f" {other.model} ({other.file})",
                        contradicts=False,
                    ),
                )
    return list(findings.values())
