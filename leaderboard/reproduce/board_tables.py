"""Tables of a board as the papers have them: models by metrics, variants of a task below each
other, and one model on several corpora.
"""

from collections.abc import Sequence

from csc_tasks.papers import PaperExhibit
from leaderboard.board import Column, Table
from leaderboard.board import Row as BoardRow
from leaderboard.reproduce.cells import (
    OPENING,
    cell,
    columns_of,
    heading_of,
    missing_metrics,
    missing_tasks,
    no_results,
    notes_of,
    nothing,
    opening,
    places,
    title_of,
)
from leaderboard.reproduce.contrast_tables import contrasts
from leaderboard.reproduce.exhibits import Exhibit, Heading, ReportTable, Row
from leaderboard.reproduce.published import with_printed
from leaderboard.reproduce.sources import BoardSource, Sources, model_of

MARKS = "Bold and underlined compare the models that were shown the same."
APART = "Numbers of different corpora are of different questions: read them along a row."


def metrics(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Models by the metrics of every task (Table 6)."""
    tables = places(exhibit, sources)
    made: list[Exhibit] = [] if tables else [*no_results(exhibit)]
    for name, title, source, table in tables:
        columns = columns_of(table, exhibit)
        if columns:
            rows = tuple(
                Row(
                    (*opening(row, model), *(cell(table, row, column) for column in columns)),
                    model.kind,
                )
                for row in table.rows
                for model in [model_of(source, row)]
            )
            headings = (*OPENING, *map(heading_of, columns))
            notes = notes_of(table, columns)
            shown = ReportTable(name, title, exhibit.place, headings, rows, notes)
            printed = sources.printed(exhibit, table)
            made.append(with_printed(shown, exhibit.reported, printed))
        made += missing_tasks(exhibit, table, title)
        made += missing_metrics(exhibit, (column.metric for column in columns), title, "")
    return made


def variants(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """A row for each model and task, named after what the task shows (Table 8); nothing where one
    task alone was asked.
    """
    tables = places(exhibit, sources)
    made: list[Exhibit] = [] if tables else [*no_results(exhibit)]
    for name, title, source, table in tables:
        columns = columns_of(table, exhibit)
        if len({column.task for column in columns}) > 1:
            shown = _by_task(exhibit, source, table, columns, name, title)
            printed = sources.printed(exhibit, table)
            made.append(with_printed(shown, exhibit.reported, printed))
            made += contrasts(exhibit, source, table, name, title)
        made += missing_tasks(exhibit, table, title)
        made += missing_metrics(exhibit, (column.metric for column in columns), title, "")
    return made


def _by_task(
    exhibit: PaperExhibit,
    source: BoardSource,
    table: Table,
    columns: list[Column],
    name: str,
    title: str,
) -> ReportTable:
    groups = dict.fromkeys((column.task, column.group) for column in columns)
    measures = {(c.metric, c.language): c for c in columns}
    by_place = {(c.task, c.metric, c.language): c for c in columns}
    order = sorted(measures, key=lambda measure: exhibit.metrics.index(measure[0]))
    answered = {row.model: _answered(row, columns) for row in table.rows}
    several = {slug for slug, tasks in answered.items() if len(tasks) > 1} or set(answered)
    rows = []
    for row in table.rows:
        model = model_of(source, row)
        for task, group in groups if row.model in several else ():
            own = [by_place.get((task, *measure)) for measure in order]
            cells = [cell(table, row, column) if column else None for column in own]
            if task in answered[row.model]:
                rows.append(Row((*opening(row, model), group, *cells), model.kind))
    alone = len(answered) - len(several)
    left_out = [f"Left out: {alone:,} rows that have one of these alone."] if alone else []
    headings = [
        Heading(heading_of(column, "").label, "", _key(column))
        for column in (measures[measure] for measure in order)
    ]
    return ReportTable(
        name,
        title,
        exhibit.place,
        (*OPENING, Heading("Shown"), *headings),
        tuple(rows),
        (MARKS, *left_out, *notes_of(table, columns)),
    )


def _answered(row: BoardRow, columns: Sequence[Column]) -> set[str]:
    """The tasks in which a row has any of these columns."""
    return {column.task for column in columns if column.key in row.values}


def _key(column: Column) -> str:
    """A metric of several tasks, as a paper's column is named."""
    return f"{column.metric}_{column.language}" if column.language else column.metric


def corpora(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """The same models on several corpora, side by side."""
    found = list(sources.tables(exhibit.table))
    names = list(dict.fromkeys(table.setting.corpus for _, table in found))
    if len(names) < 2:
        there = f"only of {names[0]}" if names else "of none"
        return [*nothing(exhibit, f"results of two corpora are needed, there are {there}")]
    columns = [
        (place, column)
        for place, (_, table) in enumerate(found)
        for column in columns_of(table, exhibit)
    ]
    # Adapters of one name, each in its own folder, have one label.
    rows: dict[tuple[str, str], Row] = {}
    for place, (source, table) in enumerate(found):
        for row in table.rows:
            model = model_of(source, row)
            empty = Row((model.label, *[None] * len(columns)), model.kind)
            cells = list(rows.setdefault((model.name, model.label), empty).cells)
            for at, (of, column) in enumerate(columns, 1):
                if of == place:
                    cells[at] = cell(table, row, column)
            rows[model.name, model.label] = Row(tuple(cells), model.kind)
    headings = [
        Heading(heading_of(column).label, found[place][1].setting.corpus)
        for place, column in columns
    ]
    return [
        ReportTable(
            exhibit.name,
            title_of(exhibit),
            exhibit.place,
            (Heading("Model"), *headings),
            tuple(rows.values()),
            (APART, *(notes_of(table, ())[0] for _, table in found)),
        )
    ]
