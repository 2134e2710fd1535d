"""The quality judge: a reason, then five yes/no questions about a finished conversation, which is
kept only if all five are answered yes.

Source of the five: the quality control of RoleCS in arXiv 2508.04423.
"""

from builders.asking import ask_form
from builders.transcript import history
from builders.wording import templates
from csc_tasks.conversation import Conversation
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Judged


class Verdict(Judged):
    """The judge's reply: why, and real booleans, every one of them. Scores, "yes" and a missing
    answer are malformed.
    """

    strategy_adherence: bool
    unreasonable_requests: bool
    natural: bool
    varied: bool
    in_role: bool

    def failed(self) -> tuple[str, ...]:
        """The criteria that were answered no."""
        return tuple(name for name in CRITERIA if not getattr(self, name))


CRITERIA = tuple(name for name in Verdict.model_fields if name not in Judged.model_fields)


async def judge(llm: LLM, conversation: Conversation, item_id: str) -> Verdict:
    """The judge's verdict; the conversation is to be kept where it failed nothing. Raises what
    `LLM.ask` raises.
    """
    messages = templates(conversation.language).messages(
        "rolecs_judge",
        profile=conversation.profile,
        scenario=conversation.scenario,
        goal=conversation.goal,
        history=history(conversation.dialogue, conversation.language, strategies=True),
    )
    sampling = {"temperature": 0}
    return await ask_form(
        llm,
        Verdict,
        stage="judge",
        language=conversation.language,
        messages=messages,
        item_id=item_id,
        sampling=sampling,
    )
