"""Labels of logged replies as columns of results files: the metrics of strategies, as if the run
had chosen what a labeller read from its replies. They stand beside its own choices, which stay
(csc_tasks/runs/added_columns.py).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from builders.labels.replies import LoggedReply, is_labelled
from csc_tasks.labels import Label, majority
from csc_tasks.measuring import measure, signatures
from csc_tasks.metrics import METRICS, Estimate, estimate
from csc_tasks.runs.added_columns import Added, write_added
from csc_tasks.runs.names import AFTERWARDS, MISSING, label_prefix, rating_column
from csc_tasks.runs.samples_file import Run

Labelled = Mapping[tuple[str, int], Sequence[Label]]
"""(Conversation id, turn) of a run -> what the raters say of the reply."""
Columns = dict[str, list[float | None]]
"""Result name -> a number per record, None where it has none."""


def columns_of(
    run: Run, asked: Collection[tuple[str, int]], labels: Labelled, name: str
) -> Columns:
    """The columns that labels make of a run's records, those of turns in `asked` alone. A reply
    that is empty or failed has no strategy, and one whose labels are lost is missing.
    """
    records = run.records
    own = [
        (i, record)
        for i, record in enumerate(records)
        if is_labelled(record) and (record["conversation_id"], record["turn"]) in asked
    ]
    known, missing = [], []
    for i, record in own:
        given = labels.get((record["conversation_id"], record["turn"]), ())
        silent = bool(record.get("failed")) or not record["reply"].strip()
        missing.append(float(not given and not silent))
        if given or silent:
            known.append((i, _as_chosen(record, given)))
    columns: Columns = {}
    metrics = [METRICS[metric] for metric in AFTERWARDS]
    languages = sorted({record["language"] for record in records})
    measured = measure([record for _, record in known], metrics, languages)
    for metric, column in measured.items():
        if any(item is not None for item in column.items):
            places = [i for i, _ in known]
            columns[_column(name, metric)] = _spread(places, column.items, len(records))
    columns[_column(name, MISSING)] = _spread([i for i, _ in own], missing, len(records))
    return columns


def _as_chosen(record: Mapping[str, Any], given: Sequence[Label]) -> dict[str, Any]:
    """A record that names what the raters read from its reply: the strategy that most name first,
    and behind it the others that at least half of them name.
    """
    main = majority(given)
    also = [
        name
        for label in given
        for name in label.strategies
        if 2 * sum(name in one.strategies for one in given) >= len(given)
    ]
    # An empty reply is read as it stands: it names nothing.
    strategies = list(dict.fromkeys([main, *also])) if main else []
    return {**record, "strategy": main or None, "strategies": strategies}


def _column(name: str, what: str) -> str:
    return rating_column(label_prefix(name), what)


def _spread(places: Sequence[int], items: Sequence[Any], size: int) -> list[float | None]:
    spread: list[float | None] = [None] * size
    for place, item in zip(places, items, strict=True):
        spread[place] = None if item is None else float(item)
    return spread


def estimate_of(run: Run, column: Sequence[float | None]) -> Estimate:
    """The mean of a column with its error over conversations."""
    own = [
        (item, record["conversation_id"])
        for item, record in zip(column, run.records, strict=True)
        if item is not None
    ]
    return estimate([item for item, _ in own], [cluster for _, cluster in own])


def signed(columns: Collection[str], run: Run, name: str, asked: str) -> dict[str, str]:
    """Column -> what it measured exactly: the metric, and what the labeller was asked."""
    languages = sorted({record["language"] for record in run.records})
    of_metric = signatures([METRICS[metric] for metric in AFTERWARDS], languages)
    return {
        _column(name, what): f"{of_metric.get(what, what).replace('|', ',')}|{asked}"
        for what in (*AFTERWARDS, MISSING)
        if _column(name, what) in columns
    }


def write_columns(
    replies: Sequence[LoggedReply],
    labels: Mapping[Path, Labelled],
    name: str,
    asked: str,
    out: Path,
) -> tuple[list[Path], list[tuple[str, str, str, Estimate]]]:
    """Write results and samples files with the columns below `out/MODEL/` (csc_tasks' write_added);
    returns the results files, and (model, task, column, estimate) of every number.
    """
    places: dict[Path, set[tuple[str, int]]] = defaultdict(set)
    for reply in replies:
        places[reply.file].add(reply.place)
    numbers: list[tuple[str, str, str, Estimate]] = []

    def columns(model: str, run: Run) -> dict[str, Added]:
        items = columns_of(run, places[run.file], labels.get(run.file, {}), name)
        about = signed(items, run, name, asked)
        made = {one: Added(own, estimate_of(run, own), about[one]) for one, own in items.items()}
        numbers.extend((model, run.task, one, added.estimate) for one, added in made.items())
        return made

    files = dict.fromkeys((reply.model, reply.file) for reply in replies)
    return write_added(files, columns, out), numbers
