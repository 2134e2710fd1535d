"""Dialogues, strategies and examples as text in a prompt to a language model."""

from collections.abc import Sequence

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import Strategy
from csc_tasks.prompts import tagged

SPEAKER = {"zh": {SUPPORTER: "客服：", CUSTOMER: "客户："}, "en": {SUPPORTER: "Supporter: ", CUSTOMER: "Customer: "}}
NOTHING_SAID = {"zh": "（通话刚接通，还没有人说话）", "en": "(The call has just been connected; nobody has spoken yet.)"}


def history(turns: Sequence[Turn], language: str, *, strategies: bool) -> str:
    """The turns so far, one line each; supporter turns carry `[Strategy name]` only where `strategies` says so."""
    lines = []
    for turn in turns:
        text = tagged(turn.strategy, turn.text, language) if strategies else turn.text
        # A line break inside a turn would let its text pose as somebody else's turn.
        lines.append(SPEAKER[language][turn.speaker] + " ".join(text.split()))
    return "\n".join(lines) or NOTHING_SAID[language]


def strategy_lines(offered: Sequence[Strategy], language: str) -> str:
    """The strategies to choose from, name and definition, one line each."""
    colon = "：" if language == "zh" else ": "
    return "\n".join(f"- {s.name(language)}{colon}{s.definition(language)}" for s in offered)


def example_text(examples: Sequence[Conversation], language: str) -> str:
    """Conversations as in-context examples."""
    title = "样例" if language == "zh" else "Example "
    return "\n\n".join(f"{title}{i}\n{history(c.dialogue, language, strategies=True)}" for i, c in enumerate(examples, 1))
