"""Labelling the stage of one question, from what came before it and the question itself: the model
never sees an answer.
"""

from typing import Literal

from builders.asking import ask_form
from builders.transcript import history
from builders.wording import templates
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Judged
from csc_tasks.question import Question


class Label(Judged):
    """The model's reply: why, and the stage."""

    stage: Literal["early", "mid", "late"]


async def stage_label(llm: LLM, question: Question) -> str:
    """early, mid or late; raises what `LLM.ask` raises."""
    language = question.language
    turns = question.conversation_history
    before = history(turns, language, strategies=False)
    if not turns and question.history_summary.strip():
        before = " ".join(question.history_summary.split())
    messages = templates(language).messages(
        "qa_stage", history=before, question=" ".join(question.client_question.split())
    )
    item_id = f"{question.conversation_id}/{question.turn_index}"
    sampling = {"temperature": 0}
    label = await ask_form(
        llm,
        Label,
        stage="stage",
        language=language,
        messages=messages,
        item_id=item_id,
        sampling=sampling,
    )
    return label.stage
