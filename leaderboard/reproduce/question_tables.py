"""Tables of what a board's reports say beside its own tables: parts of the conversation, variants
of the summaries, and unsupported facts.
"""

from collections.abc import Iterator, Mapping, Sequence

from csc_tasks.metrics.result_names import parts_of
from csc_tasks.papers import PaperExhibit
from leaderboard.board import Column, Table, Value
from leaderboard.board import Row as BoardRow
from leaderboard.columns import column as column_of
from leaderboard.model_report import Breakdown, Diagnosis, FactAudit
from leaderboard.reproduce.cells import (
    OPENING,
    columns_of,
    heading_of,
    no_results,
    notes_of,
    nothing,
    opening,
    placed_in,
    places,
    title_of,
)
from leaderboard.reproduce.contrast_tables import contrasts
from leaderboard.reproduce.exhibits import Exhibit, Heading, Number, ReportTable, Row, number_of
from leaderboard.reproduce.sources import BoardSource, Sources, model_of

PART = "part"
PARTS_NOTE = (
    "Early, mid and late are the corpus' labels of its questions; all are answers of one run."
)
REPEATED = "Where a row stands for several runs, its parts are of the newest."
UNSUPPORTED_NOTE = (
    "Share of replies with at least one name, number, amount, date or code that nothing the model"
    " was given supports, by rule, in percent; a right fact in other words counts too."
)


def parts(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Models by part of the conversation and metric, from one run of each."""
    tables = places(exhibit, sources)
    made: list[Exhibit] = [] if tables else [*no_results(exhibit)]
    for name, title, source, table in tables:
        columns = columns_of(table, exhibit)
        rows = [
            Row(
                (
                    *opening(row, model_of(source, row)),
                    group.name,
                    group.items,
                    *(_number(row, column, group.values) for column in columns),
                ),
                model_of(source, row).kind,
            )
            for row in table.rows
            for breakdown in _breakdowns(source, table, row)
            for group in breakdown.groups
        ]
        if not rows:
            made += nothing(exhibit, f"the questions of {table.setting.corpus} have no stages")
            continue
        headings = (*OPENING, Heading("Part"), Heading("Questions"), *map(heading_of, columns))
        repeated = [REPEATED] if any(row.repeats for row in table.rows) else []
        notes = (PARTS_NOTE, *repeated, *notes_of(table, columns))
        made.append(ReportTable(name, title, exhibit.place, headings, tuple(rows), notes))
    return made


def _number(row: BoardRow, column: Column, values: dict[str, Value]) -> Number | None:
    value = values.get(column.key.partition("/")[2])
    return number_of(value, column, claimed=not row.ranks(column)) if value else None


def _diagnoses(source: BoardSource, table: Table, row: BoardRow) -> Iterator[Diagnosis]:
    for diagnosis in source.reports[row.model].diagnoses:
        if diagnosis.table == table.id:
            yield diagnosis


def _breakdowns(source: BoardSource, table: Table, row: BoardRow) -> Iterator[Breakdown]:
    for diagnosis in _diagnoses(source, table, row):
        yield from (one for one in diagnosis.breakdowns if one.by == PART)


def summaries(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Every model's answers by variant of the summaries, and their difference to the plain ones on
    shared conversations.
    """
    rows: list[Row] = []
    columns: dict[str, Column] = {}
    reports = [
        (source, slug, report.variants)
        for source in sources.boards
        for slug, report in source.reports.items()
        if report.variants
    ]
    for _, _, variants in reports:
        for variant in variants:
            if parts_of(variant.metric)[0] in exhibit.metrics:
                columns[variant.metric] = column_of("", variant.metric, "")
    names = sorted(columns, key=lambda name: exhibit.metrics.index(columns[name].metric))
    for source, slug, variants in reports:
        model = source.board.models[slug]
        for config, within in dict.fromkeys((one.config, one.within) for one in variants):
            own = {
                variant.metric: variant
                for variant in variants
                if (variant.config, variant.within) == (config, within)
            }
            cells: list[Number | None] = []
            for name in names:
                there = own.get(name)
                for value in (there.value, there.difference) if there else (None, None):
                    cells.append(
                        number_of(value, columns[name], claimed=there.claimed)
                        if value and there
                        else None
                    )
            shown = f"{config} ({within})" if within else config
            rows.append(Row((model.label, shown, *cells), model.kind))
    if not rows:
        reason = "no model has answered with two variants of the summaries (configs qa, qa_NAME)"
        return [*nothing(exhibit, reason)]
    headings = [
        heading
        for name in names
        for heading in (
            heading_of(columns[name], ""),
            Heading("minus config qa", columns[name].label),
        )
    ]
    return [
        ReportTable(
            exhibit.name,
            title_of(exhibit),
            exhibit.place,
            (Heading("Model"), Heading("Summaries"), *headings),
            tuple(rows),
            ("Differences are on the questions that both variants have, with paired intervals.",),
        )
    ]


def unsupported(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """How often answers hold facts that nothing supports, by what the model was shown."""
    made: list[Exhibit] = []
    for name, title, source, table in places(exhibit, sources):
        groups = dict.fromkeys((column.task, column.group) for column in table.columns)
        audits = {
            (row.model, diagnosis.task): diagnosis.facts
            for row in table.rows
            for diagnosis in _diagnoses(source, table, row)
            if diagnosis.facts
        }
        there = {task for _, task in audits}
        shown = [
            (task, group)
            for task, group in groups
            if task in there and task in (exhibit.tasks or there)
        ]
        if not {*exhibit.tasks} <= {task for task, _ in shown} or len(shown) < 2:
            continue
        rows = []
        for row in table.rows:
            model = model_of(source, row)
            facts = [audits.get((row.model, task)) for task, _ in shown]
            cells = [_share(audit.hallucination_rate) if audit else None for audit in facts]
            if any(cells):
                rows.append(Row((*opening(row, model), *cells), model.kind))
        headings = (*OPENING, *(Heading("Unsupported facts ↓", group) for _, group in shown))
        notes = (UNSUPPORTED_NOTE, *_supports(audits, shown), notes_of(table, ())[0])
        made.append(ReportTable(name, title, exhibit.place, headings, tuple(rows), notes))
        made += contrasts(exhibit, source, table, name, title)
    tasks = list(exhibit.tasks) or placed_in(exhibit.table)
    return made or [*nothing(exhibit, f"no audited results of {', '.join(tasks)}")]


def _supports(
    audits: Mapping[tuple[str, str], FactAudit], shown: Sequence[tuple[str, str]]
) -> list[str]:
    """What counted as support, by what was shown."""
    lines = []
    for task, group in shown:
        texts = {", ".join(audit.support) for (_, of), audit in audits.items() if of == task}
        lines += [f"{group}: supported by {text}." for text in sorted(texts)]
    return lines


def _share(value: Value) -> Number:
    """A share in percent."""
    scaled: Sequence[float | None] = [
        None if number is None else 100 * number for number in (value.value, value.low, value.high)
    ]
    return Number(scaled[0], 1, scaled[1], scaled[2], items=value.items, clusters=value.clusters)
