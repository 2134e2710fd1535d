"""What judges and people say: ratings, how far raters agree, and pairwise comparisons."""

from collections import defaultdict
from itertools import combinations

from csc_tasks.papers import PaperExhibit
from csc_tasks.runs.names import PEOPLE, rated
from leaderboard.board import Column, Value
from leaderboard.judging.rating_tables import opinions
from leaderboard.judging.ratings import Comparison
from leaderboard.judging.reliability import agreement_sections
from leaderboard.judging.strengths import Ranking, ranking
from leaderboard.layout import head
from leaderboard.reproduce.cells import (
    OPENING,
    cell,
    no_results,
    notes_of,
    nothing,
    opening,
    places,
    title_of,
)
from leaderboard.reproduce.exhibits import Cell, Exhibit, Heading, Missing, Number, ReportTable, Row
from leaderboard.reproduce.published import with_printed
from leaderboard.reproduce.sources import Sources, model_of

ASK_PEOPLE = (
    "csc human export results/ --out study/; csc human import study/ FILES --results results/"
    " --out humans/"
)
TWO_RATERS = (
    "Kappa and ordinal alpha are on five classes, interval alpha and Spearman on scores of 0 to"
    " 100. Numbers are of the replies and dimensions that two raters or more rated; intervals are"
    " over conversations."
)
BOTH_ORDERS = (
    "Every pair was shown in both orders; a verdict that changes with the order is a tie. Score:"
    " Bradley-Terry's with ties (Davidson), 0 on average over the models; intervals are over"
    " conversations."
)


def ratings(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Models by rater and dimension (Table 9)."""
    tables = places(exhibit, sources)
    made: list[Exhibit] = [] if tables else [*no_results(exhibit)]
    for name, title, source, table in tables:
        columns = [column for column in table.columns if _is_rating(column)]
        raters = {column.rater for column in columns}
        if columns:
            rows = []
            for row in table.rows:
                cells = [cell(table, row, column) for column in columns]
                if any(number is not None for number in cells):
                    model = model_of(source, row)
                    rows.append(Row((*opening(row, model), *cells), model.kind))
            headings = (*OPENING, *map(_heading, columns))
            shown = ReportTable(
                name, title, exhibit.place, headings, tuple(rows), notes_of(table, columns)
            )
            printed = sources.printed(exhibit, table)
            made.append(with_printed(shown, exhibit.reported, printed))
        if not raters - {PEOPLE}:
            made.append(Missing(title, exhibit.place, "no judge's ratings", exhibit.command))
        if PEOPLE not in raters:
            made.append(Missing(title, exhibit.place, "no people's ratings", ASK_PEOPLE))
    return made


def _is_rating(column: Column) -> bool:
    name = rated(column.metric)
    return name is not None and not (column.audits or column.afterwards or name.absent)


def _heading(column: Column) -> Heading:
    label = head(column).partition(": ")[2] or head(column)
    return Heading(label, f"{column.group}, {column.rater}", column.key)


def agreement(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """How far judges and people agree among themselves and with each other (Table 10)."""
    kinds: dict[str, list[str]] = {"judge": [], "human": []}
    for rating in sources.ratings:
        if rating.kind in kinds and rating.rater not in kinds[rating.kind]:
            kinds[rating.kind].append(rating.rater)
    table = opinions(sources.ratings)
    judges, people = ([name for name in own if name in table.scores] for own in kinds.values())
    sections = agreement_sections(table, judges, people)
    rows = [Row((section.title, *_row(row))) for section in sections for row in section.rows]
    made: list[Exhibit] = []
    if rows:
        width = max(len(row.cells) for row in rows)
        headings = [
            Heading(name)
            for name in ("Among", "Dimension or raters", "Rated by two or more", "Fleiss' kappa")
        ]
        headings += [Heading("Ordinal alpha"), Heading("Interval alpha"), Heading("Spearman")]
        padded = [Row((*row.cells, *[None] * (width - len(row.cells)))) for row in rows]
        made.append(
            ReportTable(
                exhibit.name,
                title_of(exhibit),
                exhibit.place,
                tuple(headings[:width]),
                tuple(padded),
                (TWO_RATERS,),
            )
        )
    title = title_of(exhibit)
    if len(judges) < 2:
        reason = f"ratings of two judges are needed, there are {len(judges)}"
        made.append(Missing(title, exhibit.place, reason, exhibit.command))
    if len(people) < 2:
        reason = f"ratings of two people are needed, there are {len(people)}"
        made.append(Missing(title, exhibit.place, reason, ASK_PEOPLE))
    return made


def _row(cells: tuple[str | int | Value, ...]) -> tuple[Cell, ...]:
    """The cells of a reliability report's row as a report shows them."""
    return tuple(
        Number(one.value, 3, one.low, one.high, items=one.items, clusters=one.clusters)
        if isinstance(one, Value)
        else one
        for one in cells
    )


def wins(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Each judge's ranking of the models, and how every two of them compare."""
    by_judge: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for comparison in sources.comparisons:
        if not exhibit.tasks or comparison.task in exhibit.tasks:
            by_judge[comparison.rater, comparison.task].append(comparison)
    rankings = {key: found for key, own in by_judge.items() if (found := ranking(own))}
    if not rankings:
        return [*nothing(exhibit, f"no comparisons of {' or '.join(exhibit.tasks)}")]
    scores = [row for (judge, task), one in rankings.items() for row in _scores(judge, task, one)]
    pairs = [row for (judge, _), own in by_judge.items() for row in _pairs(judge, own)]
    counts = ("Won", "Tied", "Lost")
    of_pairs = ("Judge", "Model", "Other model", *counts, "No verdict", "Won (% of verdicts)")
    return [
        ReportTable(
            exhibit.name,
            title_of(exhibit),
            exhibit.place,
            tuple(map(Heading, ("Model", "Judge", "Task", "Score", *counts))),
            tuple(scores),
            (BOTH_ORDERS,),
        ),
        ReportTable(
            f"{exhibit.name}-pairs",
            f"{title_of(exhibit)}: every two models",
            exhibit.place,
            tuple(map(Heading, of_pairs)),
            tuple(pairs),
            (BOTH_ORDERS,),
        ),
    ]


def _scores(judge: str, task: str, found: Ranking) -> list[Row]:
    rows = []
    for model in found.models:
        score = model.score
        number = Number(
            score.value, 2, score.low, score.high, items=score.items, clusters=score.clusters
        )
        rows.append(Row((model.model, judge, task, number, model.won, model.tied, model.lost)))
    return rows


def _pairs(judge: str, comparisons: list[Comparison]) -> list[Row]:
    rows = []
    names = sorted({name for one in comparisons for name in (one.a, one.b)})
    for first, second in combinations(names, 2):
        own = [one for one in comparisons if {one.a, one.b} == {first, second}]
        if not own:
            continue
        winners = [_winner(one) for one in own]
        won, tied, lost = (winners.count(name) for name in (first, "", second))
        verdicts = won + tied + lost
        share = Number(100 * won / verdicts if verdicts else None, 1)
        counts = (won, tied, lost, len(own) - verdicts)
        rows.append(Row((judge, first, second, *counts, share)))
    return rows


def _winner(comparison: Comparison) -> str | None:
    """The model that won, "" for a tie, None without a verdict."""
    winner = comparison.winner
    return {"a": comparison.a, "b": comparison.b, "tie": "", None: None}[winner]
