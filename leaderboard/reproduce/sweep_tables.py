"""Sweeps of a recipe key: a row for each value, and a figure where the values are numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from csc_tasks.languages import languages
from csc_tasks.papers import PaperExhibit, papers
from csc_tasks.runs.public_values import hub_id_or_last_component
from leaderboard.board import Column, Table
from leaderboard.board import Row as BoardRow
from leaderboard.columns import column as column_of
from leaderboard.layout import head
from leaderboard.reproduce.cells import cell, missing_metrics, nothing, title_of
from leaderboard.reproduce.drawing import line_with_intervals
from leaderboard.reproduce.exhibits import (
    Exhibit,
    Heading,
    Number,
    ReportFigure,
    ReportTable,
    Row,
)
from leaderboard.reproduce.published import Published, with_printed
from leaderboard.reproduce.sources import Point, Sources, Sweep, model_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_ON_A_BOARD = (
    "† as the sweep's file has it: no board here holds the results of that point, so nobody"
    " computed it again, and it has no interval."
)
PANELS = 3
"""Of a figure, side by side."""
BASE = "The row of size 0 is the base, without any training."


@dataclass(frozen=True, slots=True)
class _Measured:
    """A point and its numbers by column."""

    point: Point
    numbers: dict[str, Number]


def sweep(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """A table of each sweep of the exhibit's key (Table 7)."""
    return [part for made in _made(exhibit, sources) for part in made if not _is_figure(part)]


def sweep_figure(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """A table and a figure of each sweep of the exhibit's key (Figure 6)."""
    return [part for made in _made(exhibit, sources) for part in made]


def _is_figure(exhibit: Exhibit) -> bool:
    return isinstance(exhibit, ReportFigure)


def _made(exhibit: PaperExhibit, sources: Sources) -> list[list[Exhibit]]:
    own = [one for one in sources.sweeps if one.key == exhibit.key]
    if not own:
        return [[*nothing(exhibit, f"no sweep of {exhibit.key} (sweep.json)")]]
    made = []
    for number, one in enumerate(own, 1):
        name = exhibit.name if len(own) == 1 else f"{exhibit.name}-{number}"
        made.append(_of(exhibit, sources, one, name))
    return made


def _of(exhibit: PaperExhibit, sources: Sources, found: Sweep, name: str) -> list[Exhibit]:
    columns: dict[str, Column] = {}
    corpora: set[str] = set()
    points = [
        _measured(exhibit, sources, point, digest, columns, corpora)
        for point, digest in zip(found.points, found.hashes, strict=True)
    ]
    ordered = sorted(
        columns.values(),
        key=lambda column: (
            exhibit.tasks.index(column.task),
            exhibit.metrics.index(column.metric),
            list(languages()).index(column.language) if column.language else -1,
        ),
    )
    title = title_of(exhibit)
    if not ordered:
        reason = f"the sweep {found.file.parent.name} was not scored (--score)"
        return [*nothing(exhibit, reason)]
    rows = tuple(
        Row(
            (
                _shown(one.point.value),
                one.point.size,
                "–" if one.point.seed is None else str(one.point.seed),
                _loss(one.point),
                *(one.numbers.get(column.key) for column in ordered),
            )
        )
        for one in points
    )
    headings = (
        *map(Heading, (found.key, "Conversations", "Seed", "Validation loss")),
        *(Heading(head(column), column.group, column.key) for column in ordered),
    )
    claimed = any(number.claimed for one in points for number in one.numbers.values())
    notes = [BASE] if any(one.point.base for one in points) else []
    notes += [NOT_ON_A_BOARD] if claimed else []
    table = ReportTable(name, title, exhibit.place, headings, rows, tuple(notes))
    paper_corpora = _papers_own(exhibit, sources, corpora)
    made: list[Exhibit] = [with_printed(table, exhibit.reported, paper_corpora)]
    made += missing_metrics(exhibit, (column.metric for column in ordered), title, "")
    xs = [_place(one.point) for one in points]
    if all(x is not None for x in xs):
        numbers = ReportTable(name, title, exhibit.place, headings, rows, tuple(notes))
        made.append(_figure(numbers, found.key, [x for x in xs if x is not None], ordered))
    return made


def _papers_own(exhibit: PaperExhibit, sources: Sources, corpora: set[str]) -> Published | None:
    """The paper's values, where all that was scored is the paper's own corpus."""
    is_own = bool(corpora) and corpora <= {*papers().of(exhibit).corpora}
    return sources.published if is_own else None


def _measured(
    exhibit: PaperExhibit,
    sources: Sources,
    point: Point,
    digest: str | None,
    columns: dict[str, Column],
    corpora: set[str],
) -> _Measured:
    """The numbers of a point from the board that holds its results, else from the sweep's file;
    adds to `columns` and `corpora` what they are of.
    """
    numbers: dict[str, Number] = {}
    for key, (table, row, column) in _places(exhibit, sources, point, digest).items():
        corpora.add(table.setting.corpus)
        columns.setdefault(key, column)
        if (number := cell(table, row, column)) is not None:
            # A mark is of all rows of the board, which are not in this table.
            numbers[key] = _unmarked(number)
    for task, scores in point.scores.items():
        for name, score in scores.items():
            column = column_of(task, name, "")
            if column.key not in numbers and _wanted(exhibit, column) and score is not None:
                columns.setdefault(column.key, column)
                numbers[column.key] = Number(score * column.scale, column.digits, claimed=True)
    return _Measured(point, numbers)


def _places(
    exhibit: PaperExhibit, sources: Sources, point: Point, digest: str | None
) -> dict[str, tuple[Table, BoardRow, Column]]:
    """Column key -> where a point's number stands: in the row made of its results file; else, of
    tasks that come from a copy with ratings or of a file that is not here, in the one row of that
    name. What stands in several tables, of several corpora or settings, could be any of them: none.
    """
    rows = list(sources.rows())
    made = {
        (source.name, row.model)
        for source, _, row in rows
        if digest and any(run.sha256 == digest for _, run in row.all_runs)
    }
    if not made:
        made = {
            (source.name, row.model)
            for source, _, row in rows
            if point.model is not None and model_of(source, row).name == point.model
        }
    exact: dict[str, list[tuple[Table, BoardRow, Column]]] = {}
    other: dict[str, dict[frozenset[str], tuple[Table, BoardRow, Column]]] = {}
    for source, table, row in rows:
        for column in table.columns if (source.name, row.model) in made else ():
            if _wanted(exhibit, column) and column.key in row.values:
                files = frozenset(run.sha256 for task, run in row.all_runs if task == column.task)
                place = table, row, column
                if digest in files:
                    exact.setdefault(column.key, []).append(place)
                else:
                    # A run may stand in two tables: conversations, and with and without strategies.
                    other.setdefault(column.key, {})[files] = place
    alone = {key: [*places.values()] for key, places in other.items() if len(places) == 1}
    return {
        # Of two boards, the one that computed it again.
        key: next((one for one in places if one[1].ranks(one[2])), places[0])
        for key, places in (alone | exact).items()
    }


def _wanted(exhibit: PaperExhibit, column: Column) -> bool:
    return (
        column.task in exhibit.tasks and column.metric in exhibit.metrics and column.rater is None
    )


def _unmarked(number: Number) -> Number:
    return replace(number, mark="")


def _loss(point: Point) -> Number | None:
    return None if point.validation_loss is None else Number(point.validation_loss, 4)


def _shown(value: str) -> str:
    """A value of a sweep; of a folder its name."""
    return str(hub_id_or_last_component(value)) if "/" in value or "\\" in value else value


def _place(point: Point) -> float | None:
    """Where a point stands on the axis: at its value, `all` at the conversations that were learned;
    None for a value that is no number.
    """
    if not point.value.replace(".", "", 1).isdigit():
        return float(point.size) if point.value == "all" and point.size is not None else None
    return float(point.value)


def _figure(
    numbers: ReportTable, key: str, xs: Sequence[float], columns: Sequence[Column]
) -> ReportFigure:
    """A panel for each metric and language, a line for each context, intervals as bars. Where a
    size was trained with several seeds, the line goes through their means.
    """
    panels: dict[tuple[str, str | None], list[int]] = {}
    for place, column in enumerate(columns):
        panels.setdefault((column.metric, column.language), []).append(place)
    shift = len(numbers.columns) - len(columns)

    width = min(len(panels), PANELS)
    height = -(-len(panels) // PANELS)
    groups = list(dict.fromkeys(column.group for column in columns))
    apart = (max(xs) - min(xs)) / 100

    def draw(figure: "Figure") -> None:
        every = list(figure.subplots(height, width, squeeze=False).flat)
        for axes, places in zip(every, panels.values(), strict=False):
            for place in places:
                points = [
                    (x, one)
                    for x, row in zip(xs, numbers.rows, strict=True)
                    if isinstance(one := row.cells[place + shift], Number)
                ]
                group = columns[place].group
                line_with_intervals(
                    axes,
                    [x for x, _ in points],
                    [one for _, one in points],
                    group,
                    apart * (groups.index(group) - (len(groups) - 1) / 2),
                )
            axes.set_title(head(columns[places[0]]))
            axes.set_xlabel(key)
            axes.set_xticks(sorted(set(xs)))
        for axes in every[len(panels) :]:
            axes.set_axis_off()
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) or 1)

    return ReportFigure(numbers, draw, (4.0 * width, 3.4 * height + 0.4))
