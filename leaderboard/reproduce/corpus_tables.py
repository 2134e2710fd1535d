"""Tables of corpora, from stats.json: sizes and lengths with the originals beside (Tables 3 and 5
of arXiv 2508.04423), topics (Table 4), and the questions of arXiv 2602.00665.
"""

from collections.abc import Iterator

from csc_tasks.corpus_statistics import (
    Build,
    ConversationStatistics,
    QuestionStatistics,
    Sizes,
    without_others_percent,
)
from csc_tasks.papers import PaperExhibit
from leaderboard.reproduce.cells import nothing, title_of
from leaderboard.reproduce.corpus_parts import (
    CorpusPart,
    builds_of,
    conversations,
    heading_group,
    printed_cell,
    printed_of,
    questions,
    rows_of,
)
from leaderboard.reproduce.exhibits import (
    Cell,
    Exhibit,
    Heading,
    Missing,
    Number,
    ReportTable,
    Row,
)
from leaderboard.reproduce.sources import Sources

# Name in stats.json -> the label of its row. What stands in `Sizes` comes first, in this order.
LABELS = {
    "conversations": "Conversations",
    "utterances": "Utterances",
    "supporter_utterances": "Supporter utterances",
    "customer_utterances": "Customer utterances",
    "avg_utterances_per_conversation": "Avg. utterances per conversation",
    "avg_supporter_utterances_per_conversation": "Avg. supporter utterances per conversation",
    "avg_customer_utterances_per_conversation": "Avg. customer utterances per conversation",
    "avg_utterance_length": "Avg. length of an utterance",
    "avg_supporter_utterance_length": "Avg. length of a supporter utterance",
    "avg_customer_utterance_length": "Avg. length of a customer utterance",
    "held_out": "Utterances held out",
    "strategy_use_without_others_percent": "Strategy use without Others (%)",
    "unlabelled": "Supporter utterances without a strategy",
    "profiles": "Customer profiles",
    "conversations_tried": "Conversations before filtering",
}
LENGTHS = "Lengths are characters (Chinese) or words (languages with spaces between them)."
HELD_OUT = "Texts that are held out count as utterances and are in no length."
REPORTED = "Reported columns: as printed in {paper}; not counted here."
ORIGINALS = (
    "Originals: the recordings as they were read, neighbouring utterances of one speaker joined."
)


def sizes(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """How many conversations and utterances, and how long (Tables 3 and 5)."""
    parts = conversations(exhibit, sources)
    if not parts:
        return [*nothing(exhibit, f"no conversations ({exhibit.table}) in a corpus' stats.json")]
    columns = [column for part in parts for column in _columns(part)]
    columns += _printed(exhibit, sources)
    title = title_of(exhibit)
    made: list[Exhibit] = [
        ReportTable(
            exhibit.name,
            title,
            exhibit.place,
            (Heading(""), *(heading for heading, _ in columns)),
            _without_zeros(rows_of(columns)),
            tuple(_notes(exhibit, sources, parts)),
        )
    ]
    if exhibit.table == "csconv" and not any(part.numbers.originals for part in parts):
        reason = "no corpus has its originals beside it (CORPUS.originals.jsonl)"
        made.append(Missing(f"{title}: originals", exhibit.place, reason, exhibit.command))
    return made


def _columns(
    part: CorpusPart[ConversationStatistics],
) -> Iterator[tuple[Heading, dict[str, Cell]]]:
    numbers, build = part.numbers, part.build
    if numbers.originals:
        cells = _cells(numbers.originals.sizes)
        if build and build.strategies_before:
            name = "strategy_use_without_others_percent"
            cells[LABELS[name]] = _cell(without_others_percent(build.strategies_before))
        yield Heading("Original", part.name), cells
    cells = _cells(numbers.sizes)
    more: dict[str, float | None] = {
        "strategy_use_without_others_percent": numbers.strategy_use_without_others_percent,
        "unlabelled": numbers.unlabelled,
        "profiles": numbers.profiles.distinct if numbers.profiles else None,
        "conversations_tried": build.conversations_tried if build else None,
    }
    cells |= {LABELS[name]: _cell(value) for name, value in more.items() if value is not None}
    yield Heading("Rewritten" if numbers.originals else "Conversations", part.name), cells


def _cells(sizes: Sizes) -> dict[str, Cell]:
    return {LABELS[name]: _cell(getattr(sizes, name)) for name in Sizes.model_fields}


def _cell(value: float | None) -> Cell:
    return value if isinstance(value, int) else Number(value)


def _without_zeros(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Without the row of what is held out where nothing is."""
    label = LABELS["held_out"]
    return tuple(row for row in rows if row.cells[0] != label or any(row.cells[1:]))


def _printed(exhibit: PaperExhibit, sources: Sources) -> Iterator[tuple[Heading, dict[str, Cell]]]:
    """The paper's columns, where a corpus is its own."""
    published = printed_of(exhibit, sources)
    values = published.values(exhibit.reported.key) if published and exhibit.reported else None
    if not published or not exhibit.reported or not isinstance(values, dict):
        return
    sides = [
        side
        for side in ("original", "rewritten")
        if any(isinstance(value, dict) and side in value for value in values.values())
    ]
    for side in sides or [""]:
        cells = {
            LABELS[ours]: printed_cell(
                published,
                exhibit,
                name,
                values[name].get(side) if isinstance(values[name], dict) else values[name],
            )
            for name, ours in exhibit.reported.columns.items()
            if name in values
        }
        heading = side.capitalize() if side else "Conversations"
        yield Heading(heading, heading_group(exhibit)), cells


def _notes(
    exhibit: PaperExhibit, sources: Sources, parts: list[CorpusPart[ConversationStatistics]]
) -> Iterator[str]:
    yield LENGTHS
    if any(part.numbers.sizes.held_out for part in parts):
        yield HELD_OUT
    if any(part.numbers.originals for part in parts):
        yield ORIGINALS
    for part in parts:
        if part.numbers.originals and part.numbers.originals.missing:
            yield f"{part.name}: {part.numbers.originals.missing:,} conversations have no original."
        if part.build and exhibit.table == "csconv":
            yield from _before_and_after(part.name, part.build)
    for corpus, build in builds_of(sources):
        if exhibit.table == "csconv":
            yield from _before_and_after(f"{corpus.corpus}, all parts together", build)
        if exhibit.table == "rolecs" and build.conversations_tried is not None:
            yield (
                f"{corpus.corpus}, all parts together: {build.conversations_tried:,} conversations"
                " before filtering."
            )
    if published := printed_of(exhibit, sources):
        yield REPORTED.format(paper=published.paper)


def _before_and_after(name: str, build: Build) -> Iterator[str]:
    """What a build says of strategies before and after the rewrite."""
    if build.strategies_before and build.strategies_after:
        before, after = map(
            without_others_percent, (build.strategies_before, build.strategies_after)
        )
        yield (
            f"{name}: strategy use without Others is {before or 0:.2f} % in"
            f" {build.originals_labelled or 0:,} originals that a model labelled (csc build csconv"
            f" --fidelity) and {after or 0:.2f} % in their rewrites."
        )


def topics(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Conversations by topic, with proportions (Table 4)."""
    parts = conversations(exhibit, sources)
    if not parts:
        return [*nothing(exhibit, f"no conversations ({exhibit.table}) in a corpus' stats.json")]
    columns = [
        column for part in parts for column in _counted(part.name, dict(part.numbers.topics))
    ]
    notes = []
    published = printed_of(exhibit, sources)
    values = published.values(exhibit.reported.key) if published and exhibit.reported else None
    if published and isinstance(values, dict):
        for name, value in values.items():
            printed_cell(published, exhibit, name, value)
        columns += _counted(heading_group(exhibit), values)
        notes.append(REPORTED.format(paper=published.paper))
    return [
        ReportTable(
            exhibit.name,
            title_of(exhibit),
            exhibit.place,
            (Heading("Topic"), *(heading for heading, _ in columns)),
            rows_of(columns),
            tuple(notes),
        )
    ]


def _counted(group: str, counts: dict[str, int]) -> list[tuple[Heading, dict[str, Cell]]]:
    """Two columns: how many, and their proportion."""
    total = sum(counts.values())
    shares: dict[str, Cell] = {
        name: Number(100 * n / total if total else None, 1) for name, n in counts.items()
    }
    return [(Heading("Conversations", group), {**counts}), (Heading("%", group), shares)]


QUESTIONS = {
    "history_summary": "Summary",
    "client_question": "Question",
    "agent_answer": "Answer as given",
    "refined_agent_answer": "Answer (reference)",
}


def question_sizes(exhibit: PaperExhibit, sources: Sources) -> list[Exhibit]:
    """Questions, their stages and the lengths of their texts, a row for each split and language."""
    parts = questions(exhibit, sources)
    if not parts:
        return [*nothing(exhibit, "no questions (qa) in a corpus' stats.json")]
    stages = list(dict.fromkeys(stage for part in parts for stage in part.numbers.stages))
    headings = [
        *map(Heading, ("Split", "Questions", "Conversations", "Answers held out")),
        *(Heading(stage, "Stage") for stage in stages),
        Heading("Avg. turns", "History"),
        Heading("Avg. length", "History"),
        *(Heading(label, "Avg. length") for label in QUESTIONS.values()),
    ]
    rows = tuple(Row((part.name, *_question_cells(part.numbers, stages))) for part in parts)
    notes = [LENGTHS]
    if any(part.numbers.held_out for part in parts):
        notes.append("Questions whose answers are held out are in no length of answers.")
    return [
        ReportTable(
            exhibit.name,
            title_of(exhibit),
            exhibit.place,
            tuple(headings),
            rows,
            tuple(notes),
        )
    ]


def _question_cells(numbers: QuestionStatistics, stages: list[str]) -> Iterator[Cell]:
    yield numbers.questions
    yield numbers.conversations
    yield numbers.held_out
    for stage in stages:
        yield numbers.stages.get(stage, 0)
    yield Number(numbers.avg_history_turns)
    for name in ("conversation_history", *QUESTIONS):
        yield Number(numbers.avg_lengths.get(name))
