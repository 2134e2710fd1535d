"""Asking a model for a reply of one form."""

from collections.abc import Mapping
from typing import TypeVar

from csc_tasks.llm.accepted import REPLY_TOKENS
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Form

# Of a stage whose reply is a whole conversation: 50 utterances in any language, twice over.
CONVERSATION_TOKENS = 8192

Reply = TypeVar("Reply", bound=Form)


async def ask_form(
    llm: LLM,
    form: type[Reply],
    *,
    stage: str,
    language: str,
    messages: list,
    item_id: str,
    repeat: int = 0,
    sampling: Mapping | None = None,
    tokens: int = REPLY_TOKENS,
) -> Reply:
    """The reply of the model of `stage`, read as `form`, of at most `tokens` unless the user says
    otherwise; `language` is that of the messages. Raises what `LLM.ask` raises.
    """
    answer = await llm.ask(
        stage=stage,
        messages=messages,
        item_id=item_id,
        reply=form,
        repeat=repeat,
        sampling=sampling,
        tokens=tokens,
        language=language,
    )
    if not isinstance(answer.parsed, form):
        raise TypeError(f"{stage}: the reply was read as {type(answer.parsed).__name__}")
    return answer.parsed
