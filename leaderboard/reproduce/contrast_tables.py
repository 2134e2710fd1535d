"""Two runs of one model beside each other: what the condition in which they differ is worth."""

from collections.abc import Collection, Sequence

from csc_tasks.metrics.result_names import parts_of
from csc_tasks.papers import PaperExhibit
from leaderboard.board import Column, Contrast, Table
from leaderboard.columns import column as column_of
from leaderboard.contrast_tables import contrast_name
from leaderboard.layout import probability
from leaderboard.reproduce.exhibits import Cell, Heading, ReportTable, Row, number_of
from leaderboard.reproduce.sources import BoardSource

PAIRED = (
    "The first minus the second on the replies that both runs have, with its paired 95 % interval"
    " clustered by conversation. p is corrected (Holm) over all contrasts of this kind on the"
    " board, for each metric. In the units of the table beside it; only numbers that were computed"
    " again here."
)


def contrasts(
    exhibit: PaperExhibit, source: BoardSource, table: Table, name: str, title: str
) -> list[ReportTable]:
    """The contrasts of the exhibit's family between rows of one table; nothing where there is
    none.
    """
    own = [
        one
        for one in source.board.contrasts
        if one.family == exhibit.contrasts and table.id in one.tables
    ]
    columns = _columns(exhibit.metrics, own)
    if not columns:
        return []
    rows = [_row(source, one, columns) for one in own]
    headings = [
        heading
        for column in columns
        for heading in (Heading("difference", column.label), Heading("p", column.label))
    ]
    shared = Heading("Conversations")
    return [
        ReportTable(
            f"{name}-contrasts",
            f"{title}: differences",
            exhibit.place,
            (Heading("Model"), Heading("Contrast"), shared, *headings),
            tuple(rows),
            (PAIRED,),
        )
    ]


def _columns(metrics: Sequence[str], contrasts: Collection[Contrast]) -> list[Column]:
    """The columns of the metrics that are contrasted, in the paper's order."""
    names = dict.fromkeys(number.metric for one in contrasts for number in one.numbers)
    chosen = [name for name in names if parts_of(name)[0] in metrics and not parts_of(name)[2]]
    columns = [column_of("", name, "") for name in chosen]
    return sorted(columns, key=lambda column: metrics.index(column.metric))


def _row(source: BoardSource, contrast: Contrast, columns: Sequence[Column]) -> Row:
    numbers = {number.metric: number for number in contrast.numbers}
    cells: list[Cell] = []
    clusters = 0
    for column in columns:
        number = numbers.get(column.key.removeprefix("/"))
        if number is None:
            cells += [None, None]
            continue
        clusters = max(clusters, number.difference.clusters)
        cells += [number_of(number.difference, column), probability(number.p_holm)]
    model = source.board.models[contrast.first.model]
    other = source.board.models[contrast.second.model]
    label = model.label if model == other else f"{model.label} and {other.label}"
    return Row((label, contrast_name(contrast), clusters, *cells), model.kind)
