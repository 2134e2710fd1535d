"""Columns that are added to runs afterwards: what lm_eval wrote, with what raters say beside the
other metrics.

As `csc score` does, a results file keeps every number it had, and the new ones stand beside them
under names of their own (names.py); `csc collect` reads it like any other.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.metrics import Estimate
from csc_tasks.runs.names import folder_name, higher_is_better, stamp_of, task_of
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.writing import (
    as_numbers,
    derived,
    only,
    with_columns,
    write_results,
    write_samples,
)


@dataclass(frozen=True, slots=True)
class Added:
    """A column: a number per record of a run, None where it has none; what they give together, and
    what they measure exactly.
    """

    items: Sequence[float | None]
    estimate: Estimate
    signature: str


def write_added(
    files: Iterable[tuple[str, Path]],
    columns_of: Callable[[str, Run], Mapping[str, Added]],
    out: Path,
) -> list[Path]:
    """Write results and samples files with columns added, below `out/MODEL/`; returns the results
    files.

    files: model and samples file of every task. columns_of(model, run) gives result name -> column.
    The names are those of the files they were made from with `.1` after the date: doing it again
    replaces them, and where both are collected they count as the newer ones.
    """
    together: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for model, file in files:
        together[model, stamp_of(file)].append(file)
    return [
        _write(model, own, columns_of, out / folder_name(model), f"{first}.1")
        for (model, first), own in together.items()
    ]


def _write(
    model: str,
    files: Sequence[Path],
    columns_of: Callable[[str, Run], Mapping[str, Added]],
    folder: Path,
    stamp: str,
) -> Path:
    """Those of one run."""
    results = only(derived(read_run(files[0]).results), [task_of(file) for file in files])
    for file in files:
        run = read_run(file)
        columns = columns_of(model, run)
        items = {name: column.items for name, column in columns.items()}
        write_samples(folder, stamp, run.task, with_columns(run, items))
        csc = results["configs"][run.task]["metadata"]["csc"]
        for name, column in columns.items():
            results["results"][run.task] |= as_numbers(name, column.estimate)
            results["higher_is_better"].setdefault(run.task, {})[name] = higher_is_better(name)
            csc.setdefault("signatures", {})[name] = column.signature
    return write_results(folder, stamp, results)
