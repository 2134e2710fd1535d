"""All measurements of a board, read and verified by several processes where that pays."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from leaderboard.numbers.measured import Measured, Options, RunKey, measure

# Below this a second process costs more than it saves.
WORTH_A_PROCESS = 40 * 2**20


def all_measured(
    measurements: Sequence[Measurement], options: Options, jobs: int, notes: list[str]
) -> dict[RunKey, Measured]:
    """Every measurement, read and worked out; says which ones are done."""
    measured = {}
    for number, found in enumerate(_measured(measurements, options, jobs), 1):
        measured[found.measurement.file, found.measurement.task] = found
        notes += found.notes
        print(
            f"{number} of {len(measurements)} results read:"
            f" {shown(found.measurement.identity.name)}, {found.measurement.task}",
            file=sys.stderr,
        )
    return measured


def _measured(
    measurements: Sequence[Measurement], options: Options, jobs: int
) -> Iterable[Measured]:
    """Every measurement, read by `jobs` processes where there is enough to read, in the order
    given.
    """
    size = sum(m.samples.stat().st_size for m in measurements if m.samples)
    if jobs == 1 or len(measurements) == 1 or size < WORTH_A_PROCESS:
        return (measure(m, options) for m in measurements)
    return _in_processes(measurements, options, jobs)


def _in_processes(
    measurements: Sequence[Measurement], options: Options, jobs: int
) -> Iterator[Measured]:
    # Fresh processes: a fork would copy whatever threads and memory the caller has.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            yield from pool.map(partial(measure, options=options), measurements)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
