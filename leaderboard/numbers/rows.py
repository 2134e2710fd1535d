"""What was measured of a model in a table -> its row: the numbers and the runs they came from."""

from collections.abc import Iterable, Mapping

from csc_tasks.metrics.consistency import consistency
from csc_tasks.runs.results_file import iso
from csc_tasks.verify import Trust
from leaderboard import trust
from leaderboard.board import Row, Run
from leaderboard.numbers.measured import Measured, RunKey

REPEATS_NOTE = (
    "×3, sd 0.4: the mean over 3 runs that differ only in their seed (or 3 repeats within one run,"
    " csc_repeats), and the standard deviation between them. The interval is about conversations"
    " (from each item's mean over the runs), not about runs. Diagnosis and conversations are of the"
    " newest run, of its first repeat. pass^k: the share of turns"
    " that are right in all of k runs; worst of k: the lowest accuracy of a conversation in k runs,"
    " averaged over conversations."
)


def row_of(slug: str, tasks: Mapping[str, Measured], raw: Mapping[RunKey, str]) -> Row:
    """One row. raw: (results file, task) -> path of its copy in the board folder."""
    return Row(
        model=slug,
        runs={task: _run(found, raw) for task, found in tasks.items()},
        values={
            f"{task}/{name}": value
            for task, found in tasks.items()
            for name, value in found.values.items()
        },
        trusts={
            f"{task}/{name}": trust_of(found, name)
            for task, found in tasks.items()
            for name in found.values
        },
        repeats=_repeats(tasks, raw),
        spreads={
            f"{task}/{name}": spread
            for task, found in tasks.items()
            for name, spread in found.spreads.items()
        },
    )


def repeat_notes(rows: Iterable[Row]) -> list[str]:
    """What a reader must know where a row stands for several runs."""
    return [REPEATS_NOTE] if any(row.repeats for row in rows) else []


def trust_of(measured: Measured, name: str) -> Trust:
    """Whether a number was computed again: in all runs that have it, where it is of several. What
    is made of several runs is as good as the metric that it is made of.
    """
    of_repeats = consistency(name)
    known = of_repeats.metric if of_repeats else name
    trusts = {
        number.trust
        for run in measured.repeats or (measured,)
        for number in run.verified.numbers
        if number.name == known
    }
    return Trust.RESCORED if trusts == {Trust.RESCORED} else Trust.CLAIMED


def _run(measured: Measured, raw: Mapping[RunKey, str], repeat: str = "") -> Run:
    m, verified = measured.measurement, measured.verified
    return Run(
        date=iso(m.date),
        documents=m.documents,
        items=m.items,
        conversations=len(measured.logged.ids) if measured.logged else None,
        samples=measured.logged is not None,
        raw=raw[m.file, m.task],
        sha256=m.sha256,
        task_version=m.task_version,
        project=m.provenance.project,
        lm_eval_version=m.lm_eval_version,
        git_hash=m.git_hash,
        seconds=m.seconds,
        repeat=repeat,
        trust=verified.trust,
        corpus=verified.corpus,
        proven=verified.proven,
        findings=trust.contradictions(verified),
        contradicted=verified.contradicted,
    )


def _repeats(
    tasks: Mapping[str, Measured], raw: Mapping[RunKey, str]
) -> dict[str, tuple[Run, ...]]:
    """All runs of the tasks that were asked several times."""
    return {
        task: tuple(
            _run(run, raw, name)
            for run, name in zip(found.repeats, found.repeat_names, strict=True)
        )
        for task, found in tasks.items()
        if found.repeats
    }
