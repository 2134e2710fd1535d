"""Refining: the agent's answer written anew, politely and in full, with nothing added. It is the
reference of the task.

The refiner sees the turns just before as they were spoken and no summary, so that the reference
favours no variant of the summaries. An answer that could not be refined is dropped with its pair:
the answer as it was never takes the place of a refined one.
"""

from builders.asking import ask_form
from builders.qa.conversations import Chosen
from builders.transcript import history
from builders.turn_forms import Utterance
from builders.wording import templates
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Form

STAGE = "refine"
# Turns before the question that the refiner is shown.
SHOWN = 6


class Refined(Form):
    """The refiner's reply."""

    answer: Utterance


async def refine(llm: LLM, chosen: Chosen, pair: int) -> str:
    """The refined answer of a pair; raises what `LLM.ask` raises."""
    language, asked = chosen.raw.language, chosen.asked[pair]
    question, answer = (" ".join(turn.text.split()) for turn in chosen.raw.turns[asked : asked + 2])
    before = history(chosen.raw.turns[max(0, asked - SHOWN) : asked], language, strategies=False)
    messages = templates(language).messages(
        "qa_refine", history=before, question=question, answer=answer
    )
    item_id = f"{chosen.conversation_id}/{pair}"
    refined = await ask_form(llm, Refined, stage=STAGE, messages=messages, item_id=item_id)
    return refined.answer
