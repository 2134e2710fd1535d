"""What stats.json says of each language in each split, for the tables and figures of corpora."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from csc_tasks.corpus_statistics import (
    Build,
    ConversationStatistics,
    CorpusStatistics,
    QuestionStatistics,
)
from csc_tasks.papers import PaperExhibit, papers
from leaderboard.reproduce.exhibits import REPORTED, Cell, Heading, Row
from leaderboard.reproduce.published import Published, printed_number
from leaderboard.reproduce.sources import Sources

Numbers = TypeVar("Numbers", ConversationStatistics, QuestionStatistics)


@dataclass(frozen=True, slots=True)
class CorpusPart(Generic[Numbers]):
    """One language of one split. name: what heads its column. build: what the build counted, where
    it can be said of this part: where no other part was built with it.
    """

    name: str
    corpus: str
    numbers: Numbers
    build: Build | None


def conversations(
    exhibit: PaperExhibit, sources: Sources
) -> list[CorpusPart[ConversationStatistics]]:
    """The conversations of all corpora, of the exhibit's config where it has one."""
    return list(_parts(exhibit, sources, ConversationStatistics))


def questions(exhibit: PaperExhibit, sources: Sources) -> list[CorpusPart[QuestionStatistics]]:
    """The questions of all corpora."""
    return list(_parts(exhibit, sources, QuestionStatistics))


def _parts(
    exhibit: PaperExhibit, sources: Sources, kind: type[Numbers]
) -> Iterator[CorpusPart[Numbers]]:
    several = len(sources.statistics) > 1
    for corpus in sources.statistics:
        parts = [(one, part) for one in corpus.sets for part in one.parts]
        for one, part in parts:
            if isinstance(part.numbers, kind) and exhibit.table in ("", one.config):
                name = f"{one.name} {part.language}"
                yield CorpusPart(
                    f"{corpus.corpus}, {name}" if several else name,
                    corpus.corpus,
                    part.numbers,
                    corpus.build if len(parts) == 1 else None,
                )


def printed_of(exhibit: PaperExhibit, sources: Sources) -> Published | None:
    """The paper's values, where one of the corpora is the paper's own."""
    own = papers().of(exhibit).corpora
    return sources.published if any(one.corpus in own for one in sources.statistics) else None


def printed_cell(published: Published, exhibit: PaperExhibit, name: str, value: object) -> Cell:
    """A printed value as a cell: a whole number is a count."""
    assert exhibit.reported is not None
    number = printed_number(published, exhibit.reported, name, value)
    return value if isinstance(value, int) else number


def heading_group(exhibit: PaperExhibit) -> str:
    """What stands above the columns of printed values."""
    return f"{papers().of(exhibit).citation}: {REPORTED}"


def rows_of(columns: Sequence[tuple[Heading, dict[str, Cell]]]) -> tuple[Row, ...]:
    """A row for each label that any of the columns has, in the order in which they come."""
    labels: Iterable[str] = dict.fromkeys(label for _, cells in columns for label in cells)
    return tuple(Row((label, *(cells.get(label) for _, cells in columns))) for label in labels)


def builds_of(sources: Sources) -> Iterator[tuple[CorpusStatistics, Build]]:
    """What was counted in building a corpus of several parts, so that it belongs to none alone."""
    for corpus in sources.statistics:
        if corpus.build and sum(len(one.parts) for one in corpus.sets) > 1:
            yield corpus, corpus.build
