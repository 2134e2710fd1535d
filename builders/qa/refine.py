"""Refining: the agent's answer written anew, politely and in full, with nothing added. It is the
reference of the task.

The refiner sees the turns just before as they were spoken and no summary, so that the reference
favours no variant of the summaries. An answer that could not be refined is dropped with its pair:
the answer as it was never takes the place of a refined one.
"""

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from builders.asking import ask_form
from builders.qa.conversations import Chosen
from builders.transcript import history
from builders.turn_forms import spoken
from builders.wording import templates
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Form
from csc_tasks.llm.unwanted import placeholders

STAGE = "refine"
# Turns before the question that the refiner is shown.
SHOWN = 6
# Characters; an answer of a chat or a letter may be long.
LONGEST_ANSWER = 8000

Spoken = Annotated[str, Field(max_length=LONGEST_ANSWER), AfterValidator(spoken)]


class Refined(Form):
    """The refiner's reply."""

    answer: Spoken


@lru_cache(maxsize=1024)
def refined(given: frozenset[str]) -> type[Refined]:
    """`Refined` without other placeholders than those `given` to the refiner."""

    def check(text: str) -> str:
        if new := [one for one in placeholders(text) if one not in given]:
            raise ValueError(f"holds the placeholder {new[0]!r}, which it was not given")
        return text

    kind: Any = Annotated[Spoken, AfterValidator(check)]
    return create_model("Refined", __base__=Refined, answer=(kind, ...))


async def refine(llm: LLM, chosen: Chosen, pair: int) -> str:
    """The refined answer of a pair; raises what `LLM.ask` raises."""
    language, asked = chosen.raw.language, chosen.asked[pair]
    question, answer = (" ".join(turn.text.split()) for turn in chosen.raw.turns[asked : asked + 2])
    before = history(chosen.raw.turns[max(0, asked - SHOWN) : asked], language, strategies=False)
    messages = templates(language).messages(
        "qa_refine", history=before, question=question, answer=answer
    )
    item_id = f"{chosen.conversation_id}/{pair}"
    reply = await ask_form(
        llm,
        refined(frozenset(placeholders("\n".join((before, question, answer))))),
        stage=STAGE,
        language=language,
        messages=messages,
        item_id=item_id,
    )
    return reply.answer
