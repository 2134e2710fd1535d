"""Figures of corpora, from stats.json: strategies (Figure 3 of arXiv 2508.04423), customers against
their profiles (Figure 5), and, of its technical appendix, which strategy follows which and how many
different ones a conversation has. csc_tasks/corpus_figures.py draws them.
"""

from collections.abc import Sequence

from csc_tasks.corpus_figures import CorpusFigure, enough, figures
from csc_tasks.corpus_statistics import END, ConversationStatistics, ProfileAlignment
from csc_tasks.file_names import safe_name
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.metrics import Estimate
from csc_tasks.papers import PaperExhibit
from leaderboard.numbers.intervals import Scale, with_interval
from leaderboard.reproduce.cells import nothing, title_of
from leaderboard.reproduce.corpus_parts import (
    CorpusPart,
    conversations,
    heading_group,
    printed_cell,
    printed_of,
    rows_of,
)
from leaderboard.reproduce.exhibits import (
    Cell,
    Exhibit,
    Heading,
    Number,
    ReportFigure,
    ReportTable,
)
from leaderboard.reproduce.sources import Sources

Column = tuple[Heading, dict[str, Cell]]
DIFFERENCE = Scale(-1.0, 1.0, difference=True)
SHARES = "Shares are of the labelled supporter utterances, Others included."
UNIQUE = (
    "Others is not counted as a strategy; conversations without any label, or with one that is held"
    " out, are left out."
)
FOLLOWED = (
    "Each row: how often, in % of its number, a strategy (or the start of a conversation) is"
    " followed by which, or by the end. Unlabelled utterances between are passed over."
)
ALIGNED = (
    "Similarity: cosine of TF-IDF vectors over words (Chinese: characters) that occur in profiles,"
    " of all that a customer has said so far and a profile. The paper gives no formula. Another"
    " profile: the mean over all other profiles. The difference's interval is clustered by profile."
    " Points that fewer than a tenth of the conversations reach are left out."
)


def strategies(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """The shares of the strategies (Figure 3)."""
    parts = _labelled(exhibit, sources)
    if not parts:
        return [*nothing(exhibit, "no labelled conversations in a corpus' stats.json")]
    columns: list[Column] = []
    for part in parts:
        counts: dict[str, Cell] = {name: n for name, n in part.numbers.strategies.items()}
        shares: dict[str, Cell] = {name: Number(_share(part, name), 1) for name in STRATEGY_IDS}
        columns += [(Heading("Utterances", part.name), counts), (Heading("%", part.name), shares)]
    notes = [SHARES]
    if (published := printed_of(exhibit, sources)) and exhibit.reported:
        names = {strategy_name(name, CARDS): name for name in STRATEGY_IDS}
        printed = {
            names.get(name, name): printed_cell(published, exhibit, name, value)
            for name, value in (published.values(exhibit.reported.key) or {}).items()
        }
        columns.append((Heading("%", heading_group(exhibit)), printed))
        notes.append(f"Reported column: as printed in {published.paper}; not counted here.")
    rows = _named(columns)
    return [_figure(exhibit, exhibit.name, "Strategy", rows, notes, _drawn("strategies", parts))]


def unique_strategies(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """How many conversations use how many different strategies."""
    parts = [part for part in conversations(exhibit, sources) if part.numbers.unique_strategies]
    if not parts:
        return [*nothing(exhibit, "no conversations whose labels are all shown in a stats.json")]
    columns: list[Column] = []
    for part in parts:
        counts = {n: part.numbers.unique_strategies.get(n, 0) for n in range(len(STRATEGY_IDS))}
        total = sum(counts.values())
        columns += [
            (Heading("Conversations", part.name), {str(n): k for n, k in counts.items()}),
            (
                Heading("%", part.name),
                {str(n): Number(100 * k / total, 1) for n, k in counts.items()},
            ),
        ]
    means = [f"{part.name} {part.numbers.avg_unique_strategies or 0:.2f}" for part in parts]
    notes = [UNIQUE, f"On average: {'; '.join(means)}."]
    drawn = _drawn("unique_strategies", parts)
    return [_figure(exhibit, exhibit.name, "Different strategies", columns, notes, drawn)]


def transitions(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Which strategy follows which, a figure for each split and language."""
    parts = _labelled(exhibit, sources)
    if not parts:
        return [*nothing(exhibit, "no labelled conversations in a corpus' stats.json")]
    made: list[Exhibit] = []
    names: list[str] = []
    for part in parts:
        words = f"{exhibit.name}-{part.name}".replace(",", "").replace("/", "-").replace(" ", "-")
        names.append(safe_name(words.lower(), names))
        rows = part.numbers.transitions
        totals = {before: sum(row.values()) for before, row in rows.items()}
        columns: list[Column] = [(Heading("Number"), {**totals})]
        for after in (*STRATEGY_IDS, END):
            shares: dict[str, Cell] = {
                before: Number(100 * row[after] / totals[before], 1) if totals[before] else None
                for before, row in rows.items()
            }
            columns.append((Heading(after, "followed by (%)"), shares))
        drawn = _drawn("transitions", [part])
        title = f"{title_of(exhibit)} ({part.name})"
        made.append(_figure(exhibit, names[-1], "Strategy", columns, [FOLLOWED], drawn, title))
    return made


def alignment(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """What customers have said so far against their own and against another profile (Figure 5)."""
    parts = [part for part in conversations(exhibit, sources) if part.numbers.alignment]
    if not parts:
        return [*nothing(exhibit, "no conversations with customer profiles in a stats.json")]
    columns = [
        column
        for part in parts
        if part.numbers.alignment
        for column in _curves(part.name, part.numbers.alignment)
    ]
    drawn = _drawn("alignment", parts)
    return [_figure(exhibit, exhibit.name, "Customer utterances", columns, [ALIGNED], drawn)]


def _curves(group: str, curve: ProfileAlignment) -> list[Column]:
    own: dict[str, Cell] = {}
    other: dict[str, Cell] = {}
    difference: dict[str, Cell] = {}
    number: dict[str, Cell] = {}
    for point in enough(curve):
        step = str(point.utterances)
        estimate = Estimate(
            point.aligned - point.random, point.stderr, point.conversations, point.profiles
        )
        value = with_interval(estimate, DIFFERENCE)
        own[step], other[step] = Number(point.aligned, 3), Number(point.random, 3)
        difference[step] = Number(value.value, 3, value.low, value.high)
        number[step] = point.conversations
    return [
        (Heading("Own profile", group), own),
        (Heading("Another profile", group), other),
        (Heading("Difference", group), difference),
        (Heading("Conversations", group), number),
    ]


def _labelled(exhibit: PaperExhibit, sources: Sources) -> list[CorpusPart[ConversationStatistics]]:
    return [part for part in conversations(exhibit, sources) if part.numbers.labelled]


def _share(part: CorpusPart[ConversationStatistics], strategy: str) -> float:
    return 100 * (part.numbers.share(strategy) or 0.0)


def _drawn(kind: str, parts: Sequence[CorpusPart[ConversationStatistics]]) -> CorpusFigure:
    """The drawing of that kind of these parts."""
    shown = [(part.name, part.numbers) for part in parts]
    return next(figure for figure in figures(shown) if figure.kind == kind)


def _named(columns: Sequence[Column]) -> list[Column]:
    """The columns with strategies by their names."""
    return [
        (heading, {_head(name): cell for name, cell in cells.items()}) for heading, cells in columns
    ]


def _head(strategy: str) -> str:
    return strategy_name(strategy, CARDS) if strategy in STRATEGY_IDS else strategy


def _figure(
    exhibit: PaperExhibit,
    name: str,
    first: str,
    columns: Sequence[Column],
    notes: Sequence[str],
    drawn: CorpusFigure,
    title: str = "",
) -> ReportFigure:
    table = ReportTable(
        name,
        title or title_of(exhibit),
        exhibit.place,
        (Heading(first), *(heading for heading, _ in columns)),
        rows_of(columns),
        tuple(notes),
    )
    return ReportFigure(table, drawn.draw, drawn.size)
