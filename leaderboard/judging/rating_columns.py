"""Ratings as columns of results files: what lm_eval wrote, with the judges' or people's means
beside the other metrics.

As `csc score` does, a results file keeps every number it had, and the new ones are added; `csc
collect` reads it like any other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.metrics import estimate
from csc_tasks.runs.names import (
    MISSING,
    OVERALL,
    folder_name,
    higher_is_better,
    rating_column,
    stamp_of,
)
from csc_tasks.runs.repeats import RATED
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.writing import (
    as_numbers,
    derived,
    only,
    with_columns,
    write_results,
    write_samples,
)
from leaderboard.judging.ratings import Rating
from leaderboard.judging.units import WHOLE, Judged, Unit


def unit_scores(ratings: Sequence[Rating]) -> dict[str, dict[str, float]]:
    """Dimension (and OVERALL, the mean of a rating's dimensions) -> unit -> mean over raters.
    Missing ratings are left out.
    """
    given: dict[tuple[str, str], list[float]] = defaultdict(list)
    for rating in ratings:
        if rating.scores is None or rating.repeat:
            continue
        for name, score in rating.scores.items():
            given[name, rating.unit].append(score)
        given[OVERALL, rating.unit].append(sum(rating.scores.values()) / len(rating.scores))
    means: dict[str, dict[str, float]] = defaultdict(dict)
    for (name, unit), scores in given.items():
        means[name][unit] = sum(scores) / len(scores)
    return dict(means)


def columns_of(prefix: str, ratings: Sequence[Rating]) -> dict[str, dict[str, float]]:
    """Result name -> unit -> value: `prefix_dimension`, `prefix_overall`, and `prefix_missing` (1
    where nobody's rating is usable).
    """
    scores = unit_scores(ratings)
    columns = {rating_column(prefix, name): values for name, values in scores.items()}
    usable = set(scores.get(OVERALL, {}))
    columns[rating_column(prefix, MISSING)] = {
        rating.unit: float(rating.unit not in usable) for rating in ratings
    }
    return columns


def write_columns(
    judged: Sequence[Judged],
    columns: Mapping[tuple[str, str], Mapping[str, Mapping[str, float]]],
    signatures: Mapping[str, str],
    out: Path,
) -> list[Path]:
    """Write results and samples files with the columns of each (model, task) in them, below
    `out/MODEL/`; returns the results files.

    The names are those of the files they were made from with `.1` after the date: doing it again
    replaces them, and where both are collected they count as the newer ones.
    """
    together: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for item in judged:
        together[item.model, stamp_of(item.file)].append(item)
    written = []
    for (model, first), parts in together.items():
        results = only(derived(read_run(parts[0].file).results), [part.task for part in parts])
        folder, stamp = out / folder_name(model), f"{first}.1"
        for part in parts:
            run, own = read_run(part.file), columns[model, part.task]
            write_samples(
                folder, stamp, part.task, with_columns(run, _columns(run, part.units, own))
            )
            _add(
                results,
                part.task,
                own,
                {unit.id: unit.conversation_id for unit in part.units.values()},
                signatures,
            )
        written.append(write_results(folder, stamp, results))
    return written


def _add(
    results: dict,
    task: str,
    columns: Mapping,
    conversations: Mapping[str, str],
    signatures: Mapping[str, str],
) -> None:
    for name, values in columns.items():
        value = estimate(list(values.values()), [conversations[unit] for unit in values])
        results["results"][task] |= as_numbers(name, value)
        results["higher_is_better"].setdefault(task, {})[name] = higher_is_better(name)
        results["configs"][task]["metadata"]["csc"].setdefault("signatures", {})[name] = signatures[
            name
        ]


def _columns(
    run: Run, units: Mapping[str, Unit], columns: Mapping[str, Mapping[str, float]]
) -> dict[str, list[float | None]]:
    """Each column's value at the record it belongs to, None at the others; a conversation's stands
    at its last. Of several repeats the one that is rated has them.
    """
    by_place = {(unit.conversation_id, unit.turn): unit.id for unit in units.values()}
    own: list[str | None] = []
    for line in run.lines:
        records = [record for record in line[run.unit] if record.get("repeat", RATED) == RATED]
        rated = [by_place.get((record["conversation_id"], record["turn"])) for record in records]
        if records and rated[-1] is None:
            rated[-1] = by_place.get((records[-1]["conversation_id"], WHOLE))
        # The rated repeat is the first of a line.
        own += rated + [None] * (len(line[run.unit]) - len(rated))
    return {
        name: [None if unit is None else values.get(unit) for unit in own]
        for name, values in columns.items()
    }
