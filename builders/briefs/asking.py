"""One brief from a model: what it is shown, the form of its reply, and what of it is believed."""

from dataclasses import dataclass

from pydantic import Field

from builders.asking import ask_form
from builders.wording import templates, words
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.languages import language
from csc_tasks.live import Brief, Fact
from csc_tasks.live.asked import live_words
from csc_tasks.live.briefs import quoted_supporter
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Content, Form, Text

STAGE = "brief"
GAP = "…"
"""Stands for the supporter's turns, of which the model sees none."""


class FactReply(Form):
    """One fact."""

    name: Text
    value: Text


class BriefReply(Form):
    """What a model makes of a customer's words."""

    facts: list[FactReply] = Field(max_length=30)
    aim: Content
    manner: Text
    mood: Text
    unknown: list[Text] = Field(max_length=20)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a conversation: its brief, or why there is none; and how many facts were left
    out because the customer did not say them.
    """

    brief: Brief | None
    why: str = ""
    left_out: int = 0


async def ask_brief(llm: LLM, conversation: Conversation) -> Made:
    """The brief that a model makes. Raises what `LLM.ask` raises."""
    code = conversation.language
    live_words(code)
    reply = await ask_form(
        llm,
        BriefReply,
        stage=STAGE,
        language=code,
        messages=templates(code).messages(
            "brief",
            role=_role(conversation) or words(code).unknown,
            turns=customer_lines(conversation),
        ),
        item_id=conversation.conversation_id,
        sampling={"temperature": 0},
    )
    said = " ".join(t.text for t in conversation.dialogue if t.speaker == CUSTOMER)
    said = _plain(f"{said} {_role(conversation)}")
    facts = [Fact(one.name, one.value) for one in reply.facts if _plain(one.value) in said]
    brief = Brief(
        conversation.conversation_id,
        tuple(dict.fromkeys(facts)),
        reply.aim,
        reply.manner,
        reply.mood,
        tuple(dict.fromkeys(reply.unknown)),
        code,
    )
    left_out = len(reply.facts) - len(facts)
    if quoted_supporter(brief, conversation):
        return Made(None, "it quotes the recorded supporter", left_out)
    return Made(brief, "", left_out)


def customer_lines(conversation: Conversation) -> str:
    """What the customer said, a line each; the supporter's turns are gaps."""
    own = language(conversation.language)
    lines: list[str] = []
    for turn in conversation.dialogue:
        if turn.speaker == CUSTOMER:
            lines.append(f"{own.speakers.customer}{own.text.colon}{' '.join(turn.text.split())}")
        elif not lines or lines[-1] != GAP:
            lines.append(GAP)
    return "\n".join(lines)


def _role(conversation: Conversation) -> str:
    """What a role-played set says of its customer."""
    parts = (conversation.profile, conversation.scenario, conversation.goal)
    return "\n".join(part for part in parts if part)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
