"""All measurements of a board, worked out by one or several processes; those whose samples cannot
be used are set aside.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from csc_tasks.errors import DataError
from csc_tasks.runs.quarantine import Quarantine
from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from csc_tasks.telling import mention
from leaderboard.numbers.measured import Measured, Options, RunKey, measure
from leaderboard.reading.comparable import newest, select
from leaderboard.reading.origins import kept_apart

# Below this a second process costs more than it saves.
WORTH_A_PROCESS = 40 * 2**20


def usable(
    every: Sequence[Measurement],
    options: Options,
    split: Sequence[str],
    jobs: int,
    notes: list[str],
    aside: Quarantine,
) -> tuple[list[Measurement], dict[RunKey, Measured]]:
    """The newest measurements whose samples can be used, read and worked out.

    What cannot be compared is an error before anything is worked out. Where the newest run cannot
    be used, the one before it takes its place.
    """
    measured: dict[RunKey, Measured] = {}
    of_samples: list[str] = []
    while True:
        older: list[str] = []
        measurements = kept_apart(newest(every, older), older)
        select(measurements, split)
        new = [m for m in measurements if (m.file, m.task) not in measured]
        measured |= _all_measured(new, options, jobs, of_samples, aside)
        bad = [m for m in measurements if (m.file, m.task) not in measured]
        if not bad:
            notes += older + of_samples
            return measurements, measured
        unusable = {(m.file, m.task) for m in bad}
        every = [m for m in every if (m.file, m.task) not in unusable]
        aside.check(len(every))


def _all_measured(
    measurements: Sequence[Measurement],
    options: Options,
    jobs: int,
    notes: list[str],
    aside: Quarantine,
) -> dict[RunKey, Measured]:
    """Every measurement that can be used, read and worked out; says which ones are done."""
    measured = {}
    everything = zip(measurements, _measured(measurements, options, jobs), strict=True)
    for number, (measurement, found) in enumerate(everything, 1):
        if isinstance(found, DataError):
            aside.add(measurement.samples or measurement.file, found)
            continue
        measured[found.measurement.file, found.measurement.task] = found
        notes += found.notes
        mention(
            f"{number} of {len(measurements)} results read:"
            f" {shown(found.measurement.identity.name)}, {found.measurement.task}"
        )
    return measured


def _measured(
    measurements: Sequence[Measurement], options: Options, jobs: int
) -> Iterable[Measured | DataError]:
    """Every measurement, or what is wrong with its samples, in the order given; read by `jobs`
    processes where there is enough to read.
    """
    size = sum(m.samples.stat().st_size for m in measurements if m.samples and m.samples.is_file())
    if jobs == 1 or len(measurements) == 1 or size < WORTH_A_PROCESS:
        return (_tried(m, options) for m in measurements)
    return _in_processes(measurements, options, jobs)


def _in_processes(
    measurements: Sequence[Measurement], options: Options, jobs: int
) -> Iterator[Measured | DataError]:
    # Fresh processes: a fork would copy whatever threads and memory the caller has.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            yield from pool.map(partial(_tried, options=options), measurements)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _tried(measurement: Measurement, options: Options) -> Measured | DataError:
    """What `measure` returns or raises, as a value that other processes can hand over."""
    try:
        return measure(measurement, options)
    except DataError as error:
        return error
