"""What the tables of results have in common: names of files, columns of a board in a paper's order,
rows that open with the model and how far its numbers can be trusted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from csc_tasks.file_names import safe_name
from csc_tasks.metrics import METRICS
from csc_tasks.papers import PaperExhibit
from csc_tasks.runs.task_record import shipped_in
from leaderboard.board import Column, Model, Row, Table
from leaderboard.layout import caption, footnotes, head, mark_of
from leaderboard.reproduce.exhibits import Cell, Heading, Missing, Number, number_of
from leaderboard.reproduce.published import TRUST
from leaderboard.reproduce.sources import BoardSource, Sources

PLAIN = re.compile(r"[\w./@-]+")
"""A name that a command line can hold as it is."""
OPENING = (Heading("Model"), Heading(TRUST))


class Place(NamedTuple):
    """A table of a board in the report. name: of its files; title: with the corpus where several
    tables have it.
    """

    name: str
    title: str
    source: BoardSource
    table: Table


def places(exhibit: PaperExhibit, sources: Sources) -> list[Place]:
    """The tables that the exhibit shows, of all boards."""
    tables = list(sources.tables(exhibit.table))
    return [
        Place(name, title_of(exhibit, table, len(tables) > 1), source, table)
        for name, (source, table) in zip(names_of(exhibit, tables), tables, strict=True)
    ]


def names_of(exhibit: PaperExhibit, found: Sequence[tuple[BoardSource, Table]]) -> list[str]:
    """A name for the files of each table: the exhibit's, with the corpus where there are several,
    and a number where that does not tell them apart.
    """
    if len(found) < 2:
        return [exhibit.name] * len(found)
    corpora = [table.setting.corpus for _, table in found]
    shared, names = Counter(corpora), list[str]()
    for number, corpus in enumerate(corpora, 1):
        words = f"{exhibit.name}-{corpus.replace('/', '-').lower()}"
        name = f"{words}-{number}" if shared[corpus] > 1 else words
        names.append(safe_name(name, names))
    return names


def title_of(exhibit: PaperExhibit, table: Table | None = None, several: bool = False) -> str:
    """`Table 6: Replies and ...`, with the corpus where several tables have that title."""
    title = f"{exhibit.number}: {exhibit.title}"
    return f"{title} ({table.setting.corpus})" if table and several else title


def columns_of(table: Table, exhibit: PaperExhibit) -> list[Column]:
    """The table's columns that the exhibit shows: task by task, metrics in the paper's order."""
    tasks = list(dict.fromkeys(column.task for column in table.columns))
    chosen = [
        column
        for column in table.columns
        if column.metric in exhibit.metrics
        and column.rater is None
        and (not exhibit.tasks or column.task in exhibit.tasks)
    ]
    return sorted(
        chosen,
        key=lambda column: (tasks.index(column.task), exhibit.metrics.index(column.metric)),
    )


def heading_of(column: Column, group: str | None = None) -> Heading:
    """A column's heading, with the direction in which it is better."""
    return Heading(head(column), column.group if group is None else group, column.key)


def opening(row: Row, model: Model) -> tuple[Cell, Cell]:
    """The first two cells of a model's row."""
    return model.label, str(row.trust)


def cell(table: Table, row: Row, column: Column) -> Number | None:
    """A row's number in a column, with its mark; None where nothing was measured."""
    value = row.values.get(column.key)
    if value is None:
        return None
    mark = mark_of(table, column, row.model)
    return number_of(value, column, mark, claimed=not row.ranks(column))


def notes_of(table: Table, columns: Sequence[Column]) -> tuple[str, ...]:
    """What all rows share, and the board's footnotes below these columns."""
    return caption(table), *footnotes(table, columns)


def missing_metrics(
    exhibit: PaperExhibit, there: Iterable[str], title: str, command: str
) -> list[Missing]:
    """The metrics that the paper has and nothing here measured."""
    known = {*there, *exhibit.optional}
    labels = [METRICS[name].label for name in exhibit.metrics if name not in known]
    names = [name for name in exhibit.metrics if name not in known]
    if not labels:
        return []
    return [
        Missing(
            title,
            exhibit.place,
            f"no results hold {', '.join(labels)}",
            command or f"csc score RESULTS --metrics {','.join(names)} --out rescored/",
        )
    ]


def missing_tasks(exhibit: PaperExhibit, table: Table, title: str) -> list[Missing]:
    """The tasks that make the paper's table and are not in ours."""
    wanted = [
        task
        for task in (exhibit.tasks or placed_in(exhibit.table))
        if task not in {column.task for column in table.columns}
    ]
    if not wanted:
        return []
    command = exhibit.command
    if PLAIN.fullmatch(table.setting.corpus):
        command = named(command, table.setting.corpus)
    return [Missing(title, exhibit.place, f"no results of {', '.join(wanted)}", command)]


def named(command: str, corpus: str) -> str:
    """A command with the corpus' name in its place."""
    return re.sub(r"\bCORPUS\b", corpus, command)


def placed_in(kind: str) -> list[str]:
    """The shipped tasks whose own table this is."""
    return list(shipped_in(kind))


def no_results(exhibit: PaperExhibit) -> list[Missing]:
    """There are no results of any task of the exhibit."""
    tasks = exhibit.tasks or placed_in(exhibit.table)
    return nothing(exhibit, f"no results of {', '.join(tasks)}")


def nothing(exhibit: PaperExhibit, reason: str) -> list[Missing]:
    """All of an exhibit is missing."""
    return [Missing(title_of(exhibit), exhibit.place, reason, exhibit.command)]
