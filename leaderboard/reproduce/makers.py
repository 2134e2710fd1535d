"""Which function makes which kind of table or figure of a report."""

from collections.abc import Callable, Mapping

from csc_tasks.papers import Maker, PaperExhibit, papers
from leaderboard.reproduce import (
    board_tables,
    corpus_figures,
    corpus_tables,
    question_tables,
    rated_tables,
    sweep_tables,
)
from leaderboard.reproduce.exhibits import Exhibit
from leaderboard.reproduce.sources import Sources

Make = Callable[[PaperExhibit, Sources], list[Exhibit]]

MAKERS: Mapping[Maker, Make] = {
    "metrics": board_tables.metrics,
    "variants": board_tables.variants,
    "corpora": board_tables.corpora,
    "parts": question_tables.parts,
    "summaries": question_tables.summaries,
    "unsupported": question_tables.unsupported,
    "ratings": rated_tables.ratings,
    "agreement": rated_tables.agreement,
    "wins": rated_tables.wins,
    "sweep": sweep_tables.sweep,
    "sweep_figure": sweep_tables.sweep_figure,
    "corpus_sizes": corpus_tables.sizes,
    "corpus_topics": corpus_tables.topics,
    "corpus_questions": corpus_tables.question_sizes,
    "corpus_strategies": corpus_figures.strategies,
    "corpus_transitions": corpus_figures.transitions,
    "corpus_unique": corpus_figures.unique_strategies,
    "corpus_alignment": corpus_figures.alignment,
}


def all_exhibits(sources: Sources) -> list[Exhibit]:
    """Everything that the papers show, made or missing, in their order."""
    return [
        made for exhibit in papers().exhibits for made in MAKERS[exhibit.maker](exhibit, sources)
    ]
