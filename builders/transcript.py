"""Dialogues, strategies and examples as text in a prompt to a language model."""

from collections.abc import Sequence

from builders.wording import words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import STAGES, STRATEGIES, Strategy
from csc_tasks.languages import language as of
from csc_tasks.languages.labels import definition, strategy_name
from csc_tasks.prompts import tagged


def prefixes(language: str) -> dict[str, str]:
    """Speaker -> what stands before the speaker's words in a history."""
    own = of(language)
    return {
        SUPPORTER: own.speakers.supporter + own.text.colon,
        CUSTOMER: own.speakers.customer + own.text.colon,
    }


def history(turns: Sequence[Turn], language: str, *, strategies: bool) -> str:
    """The turns so far, one line each; supporter turns carry `[Strategy name]` only where
    `strategies` says so.
    """
    lines, opening = [], prefixes(language)
    for turn in turns:
        text = tagged(turn.strategy, turn.text, language) if strategies else turn.text
        # A line break inside a turn would let its text pose as somebody else's turn.
        lines.append(opening[turn.speaker] + " ".join(text.split()))
    return "\n".join(lines) or words(language).nothing_said


def strategy_lines(offered: Sequence[Strategy], language: str) -> str:
    """The strategies to choose from, name and definition, one line each."""
    colon = of(language).text.colon
    return "\n".join(
        f"- {strategy_name(s.id, language)}{colon}{definition(s.id, language)}" for s in offered
    )


def stage_lines(language: str, *, strategies: bool) -> str:
    """The five stages of a conversation in their order, name and what is achieved, one line each;
    with the names of the strategies that belong to each only where `strategies` says so.
    """
    own = of(language)
    lines = []
    for stage in STAGES:
        line = f"- {own.stages[stage.id]}{own.text.colon}{words(language).stages[stage.id]}"
        names = [strategy_name(s.id, language) for s in STRATEGIES if stage.id in s.stages]
        if strategies:
            line += f" ({', '.join(names)})" if own.text.spaced else f"（{'、'.join(names)}）"
        lines.append(line)
    return "\n".join(lines)


def example_text(examples: Sequence[Conversation], language: str) -> str:
    """Conversations as in-context examples."""
    title = words(language).example
    return "\n\n".join(
        f"{title.format(number=i)}\n{history(c.dialogue, language, strategies=True)}"
        for i, c in enumerate(examples, 1)
    )
