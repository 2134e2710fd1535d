"""Asking a model for a reply of one form."""

from collections.abc import Mapping
from typing import TypeVar

from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Form

Reply = TypeVar("Reply", bound=Form)


async def ask_form(
    llm: LLM,
    form: type[Reply],
    *,
    stage: str,
    messages: list,
    item_id: str,
    repeat: int = 0,
    sampling: Mapping | None = None,
) -> Reply:
    """The reply of the model of `stage`, read as `form`; raises what `LLM.ask` raises."""
    answer = await llm.ask(
        stage=stage,
        messages=messages,
        item_id=item_id,
        reply=form,
        repeat=repeat,
        sampling=sampling,
    )
    if not isinstance(answer.parsed, form):
        raise TypeError(f"{stage}: the reply was read as {type(answer.parsed).__name__}")
    return answer.parsed
