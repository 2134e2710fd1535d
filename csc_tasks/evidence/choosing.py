"""Which passages a question gets.

A question is looked up by what the task shows of it: the summary and the question, never an answer.
A passage that holds the reference of its question is an error: a model could copy it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.conversation import HELD_OUT
from csc_tasks.errors import DataError, SettingError
from csc_tasks.evidence.index import Index, library
from csc_tasks.evidence.passages import Passages, evidence_hash, read_evidence
from csc_tasks.evidence.policies import Policies, read_policies
from csc_tasks.question import REFERENCES, Question

DEMO = "demo"
DEMO_POLICIES = Path(__file__).resolve().parents[1] / "demo" / "policies"
COUNT = 3
"""Passages for a question that are looked up in a folder."""
LONGEST = 2000
"""Characters of a passage that are shown."""
SHORTEST = 16
"""A reference of fewer characters may stand in any passage by chance."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A passage for a question. source, score: where it was looked up, of a file's "" and None.
    cut: whether it was longer than LONGEST.
    """

    text: str
    source: str = ""
    score: float | None = None
    cut: bool = False


class Evidence(ABC):
    """Where passages come from. name: as it was given."""

    name: str

    @abstractmethod
    def of(self, question: Question, count: int | None) -> list[Chosen]:
        """The passages for a question, the best first; at most `count`, None for as many as are
        usual.
        """


class FileEvidence(Evidence):
    """A file of passages, or what was read of one."""

    def __init__(self, name: str, passages: Passages) -> None:
        self.name = name
        self.passages = passages

    def of(self, question: Question, count: int | None) -> list[Chosen]:
        own = self.passages.get(question.conversation_id, {})
        texts = [*own.get(None, ()), *own.get(question.turn_index, ())]
        return [
            Chosen(text[:LONGEST], cut=len(text) > LONGEST)
            for text in texts[: len(texts) if count is None else count]
        ]


class FolderEvidence(Evidence):
    """A folder of policies. Raises as `read_policies` does, and MissingExtra without bm25s."""

    def __init__(self, name: str, folder: Path) -> None:
        library()
        self.name = name
        self.policies: Policies = read_policies(folder)
        self._indexes: dict[str, Index] = {}

    def of(self, question: Question, count: int | None) -> list[Chosen]:
        passages = self.policies.passages
        if question.language not in self._indexes:
            texts = [passage.text for passage in passages]
            self._indexes[question.language] = Index(texts, question.language)
        best = self._indexes[question.language].best(
            f"{question.client_question}\n{question.history_summary}",
            COUNT if count is None else count,
        )
        return [
            Chosen(text[:LONGEST], passages[position].name, score, len(text) > LONGEST)
            for position, score in best
            for text in [passages[position].text]
        ]


def open_evidence(place: str) -> Evidence:
    """The evidence at a place: `demo`, a file of passages, or a folder of policies."""
    path = Path(place).expanduser()
    if place == DEMO:
        return FolderEvidence(DEMO, DEMO_POLICIES)
    if path.is_dir():
        return FolderEvidence(place, path)
    if path.exists():
        return FileEvidence(place, read_evidence(path))
    raise SettingError(
        f"evidence {place!r}: there is no such file or folder; give a file of passages (csc build"
        " passages writes one) or a folder of policies"
    )


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The passages of a run. by_question: (conversation id, turn index) -> passages, for every
    question, those without any too. name: of the evidence.
    """

    name: str
    by_question: dict[tuple[str, int], tuple[Chosen, ...]]

    def texts(self, question: Question) -> tuple[str, ...]:
        """What is shown with a question."""
        chosen = self.by_question[question.conversation_id, question.turn_index]
        return tuple(passage.text for passage in chosen)

    @property
    def hash(self) -> str:
        """The hash of the passages with their places: a folder and the file that was made from it
        have the same one.
        """
        by_turn: dict[str, dict[int | None, list[str]]] = {}
        for (id_, turn), chosen in self.by_question.items():
            if chosen:
                by_turn.setdefault(id_, {})[turn] = [passage.text for passage in chosen]
        return evidence_hash(by_turn)

    def counts(self) -> dict[str, int]:
        """Questions, those without a passage, passages, and those that were cut to LONGEST."""
        chosen = [passage for own in self.by_question.values() for passage in own]
        return {
            "questions": len(self.by_question),
            "without_passages": sum(not own for own in self.by_question.values()),
            "passages": len(chosen),
            "cut": sum(passage.cut for passage in chosen),
        }


def counts_line(counts: Mapping[str, int]) -> str:
    """The counts of `LookedUp.counts` in one line."""
    asked, without = counts["questions"], counts["without_passages"]
    line = f"{counts['passages']:,} for {asked - without:,} of {asked:,} questions"
    return line + (f", {counts['cut']:,} cut to {LONGEST:,} characters" if counts["cut"] else "")


def look_up(evidence: Evidence, questions: Sequence[Question], count: int | None) -> LookedUp:
    """The passages of all questions.

    Raises DataError where no question has any, and where a passage holds a reference.
    """
    by_question = {}
    for question in questions:
        chosen = tuple(evidence.of(question, count))
        for passage in chosen:
            if reference := _held(passage.text, question):
                where = f" ({passage.source})" if passage.source else ""
                raise DataError(
                    f"{evidence.name}: a passage{where} for question {question.conversation_id}"
                    f" turn {question.turn_index} holds its {reference}, which a model could copy;"
                    " take it out"
                )
        by_question[question.conversation_id, question.turn_index] = chosen
    if questions and not any(by_question.values()):
        first = questions[0]
        raise DataError(
            f"{evidence.name}: has no passage for any of the {len(questions):,} questions (the"
            f" first is {first.conversation_id} turn {first.turn_index}, in {first.language})"
        )
    return LookedUp(evidence.name, by_question)


def _held(passage: str, question: Question) -> str:
    """The name of the reference that a passage holds, "" for none."""
    bare = _bare(passage)
    for name in REFERENCES:
        reference = getattr(question, name)
        text = _bare(reference)
        if reference != HELD_OUT and len(text) >= SHORTEST and text in bare:
            return name
    return ""


def _bare(text: str) -> str:
    return "".join(text.split())
