"""One of the repeats of a run (csc_repeats) as a run of its own."""

from dataclasses import replace

from csc_tasks.metrics.consistency import consistency
from csc_tasks.runs.repeats import CONDITION
from csc_tasks.runs.results_file import Measurement


def one_repeat(measurement: Measurement, repeat: int, repeats: int) -> Measurement:
    """One repeat of a run as a run: its own condition, its share of the items, and no number that
    is of all repeats.
    """
    own = ((CONDITION, str(repeat)),)
    return replace(
        measurement,
        conditions=tuple(sorted((*measurement.conditions, *own))),
        items=-(-measurement.items // repeats),
        numbers={
            name: pair for name, pair in measurement.numbers.items() if consistency(name) is None
        },
    )
