"""A context-summarised question as data: one row of the `qa` config, JSON both ways, and the rules
it must keep.

The columns are those of arXiv 2602.00665's data plus the position of the pair in its conversation.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from csc_tasks.conversation import SPEAKERS, Turn, text_of, turns_of, unknown_speaker
from csc_tasks.errors import DataError
from csc_tasks.languages import languages

QA_STAGES = ("early", "mid", "late")
REFERENCES = ("refined_agent_answer", "agent_answer")


@dataclass(frozen=True, slots=True)
class Question:
    """A customer's question inside a conversation, what came before it, and the agent's answer.

    `turn_index` is the 0-based position of the customer-agent pair, `turns_total` the number of
    pairs (None where the source does not say), `stage` early, mid or late (None where the source
    does not say).
    """

    conversation_id: str
    turn_index: int
    turns_total: int | None
    stage: str | None
    language: str
    topic: str
    source: str
    instruction: str
    conversation_history: tuple[Turn, ...]
    history_summary: str
    client_question: str
    agent_answer: str
    refined_agent_answer: str

    def problems(self) -> list[str]:
        """Every rule this row breaks; empty when it is sound."""
        broken = []
        if not self.conversation_id:
            broken.append("conversation_id is empty")
        if self.language not in languages():
            broken.append(f"language {self.language!r} is not one of {', '.join(languages())}")
        if self.stage is not None and self.stage not in QA_STAGES:
            broken.append(f"stage {self.stage!r} is not one of {', '.join(QA_STAGES)} or null")
        if self.turn_index < 0 or self.turn_index >= (self.turns_total or self.turn_index + 1):
            broken.append(
                f"turn_index {self.turn_index} is not a position among turns_total"
                f" {self.turns_total}"
            )
        if not self.client_question.strip():
            broken.append("client_question is empty")
        if not any(getattr(self, name).strip() for name in REFERENCES):
            broken.append(f"{' and '.join(REFERENCES)} are both empty")
        for i, turn in enumerate(self.conversation_history):
            if turn.speaker not in SPEAKERS:
                broken.append(f"conversation_history {i}: {unknown_speaker(turn.speaker)}")
        return broken

    def to_row(self) -> dict[str, Any]:
        """The row of a dataset folder's `qa` config."""
        row = asdict(self)
        row["conversation_history"] = [
            {"speaker": t.speaker, "text": t.text} for t in self.conversation_history
        ]
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str) -> "Question":
        """Read a dataset-folder row; `where` (file and row) opens every error.

        Raises DataError that lists all the problems of the row at once.
        """
        required = (
            "conversation_id",
            "language",
            "client_question",
            "agent_answer",
            "refined_agent_answer",
        )
        missing = [key for key in required if row.get(key) is None]
        if missing:
            raise DataError(
                f"{where}: {', '.join(missing)} missing; a QA row has"
                f" {', '.join(cls.__dataclass_fields__)}"
            )
        history = (
            turns_of(row, "conversation_history", where)
            if row.get("conversation_history") is not None
            else ()
        )
        texts = {
            key: text_of(row, key, where)
            for key in (*required, "topic", "source", "instruction", "history_summary")
        }
        question = cls(
            turn_index=_whole_number(row, "turn_index", where) or 0,
            turns_total=_whole_number(row, "turns_total", where),
            stage=text_of(row, "stage", where) or None,
            conversation_history=tuple(Turn(turn.speaker, turn.text) for turn in history),
            **texts,
        )
        problems = question.problems()
        if problems:
            raise DataError(f"{where} ({question.conversation_id}): {'; '.join(problems)}")
        return question


def _whole_number(row: Mapping[str, Any], key: str, where: str) -> int | None:
    """`row[key]` as a whole number, also from CSV text or a column of floats; None where it is
    absent, null or empty.
    """
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        number = int(value)
        if not isinstance(value, str) and number != value:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{where}: {key} is {value!r}; it must be a whole number or null") from None
    return number
