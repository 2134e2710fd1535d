"""One reply -> what it is worth: an answer, a malformed reply or a refusal."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from csc_tasks.llm.exchange import Reply
from csc_tasks.llm.outcomes import Answer
from csc_tasks.llm.replies import WrongForm, check_text, parse_reply
from csc_tasks.thinking import of_name, separate

if TYPE_CHECKING:
    from pydantic import BaseModel


# How a problem begins that more tokens may mend.
CUT = "cut at the token limit"


class Reading(NamedTuple):
    """A reply that was read: `outcome` is "ok", "malformed" or "refused", `problem` says in a few
    words what is wrong ("" where it is ok).
    """

    outcome: str
    problem: str
    answer: Answer


def read_answer(reply: Reply, model: "type[BaseModel] | None", attempt: int) -> Reading:
    """Read the reply to attempt number `attempt` (from 0) as `model`, as text where it is None; a
    replayed one is read by the same rules.
    """
    parts = separate(reply.text or "", of_name(reply.model))
    thinking = "\n".join(filter(None, (reply.thinking, parts.thought)))
    answer = Answer(
        parts.text, None, thinking, reply.usage, reply.refusal, reply.model, attempt + 1
    )
    if reply.refusal:
        return Reading("refused", reply.refusal, answer)
    is_cut = reply.finish == "length"
    try:
        if model is not None:
            return Reading("ok", "", replace(answer, parsed=parse_reply(parts.text, model)))
        check_text(parts.text)
    except WrongForm as error:
        problem = f"{CUT}; {error}" if is_cut else str(error)
        return Reading("malformed", problem, answer)
    if is_cut:
        return Reading("malformed", CUT, answer)
    return Reading("ok", "", answer)
