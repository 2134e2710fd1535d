"""Ratings as columns of results files (csc_tasks/runs/added_columns.py): the judges' or people's
means beside the other metrics.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.metrics import estimate
from csc_tasks.runs.added_columns import Added, write_added
from csc_tasks.runs.names import MISSING, OVERALL, rating_column
from csc_tasks.runs.repeats import RATED
from csc_tasks.runs.samples_file import Run
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
    `out/MODEL/` (csc_tasks' write_added); returns the results files.
    """
    parts = {(part.model, part.task): part for part in judged}

    def added(model: str, run: Run) -> dict[str, Added]:
        units, own = parts[model, run.task].units, columns[model, run.task]
        conversations = {unit.id: unit.conversation_id for unit in units.values()}
        items = _columns(run, units, own)
        return {
            name: Added(
                items[name],
                estimate(list(values.values()), [conversations[unit] for unit in values]),
                signatures[name],
            )
            for name, values in own.items()
        }

    return write_added([(part.model, part.file) for part in judged], added, out)


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
