"""Asking a judge: a unit or a pair of them as a prompt, and the only replies that count."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from csc_tasks.conversation import CUSTOMER, SUPPORTER
from csc_tasks.languages import language as language_of
from leaderboard.judging.dimensions import dimensions_of, prompts, wording
from leaderboard.judging.quoting import quote
from leaderboard.judging.units import Unit

if TYPE_CHECKING:
    from csc_tasks.llm.outcomes import Answer

# Said to every judge; what the user gives with --sampling wins.
SAMPLING = {"temperature": 0}
RATED = ("judge_reply", "judge_conversation", "judge_reference", "judge_dimensions")
COMPARED = ("pairwise_reply", "pairwise_conversation", "judge_reference")
# 2: a reason before the verdict.
PROMPT_VERSION = 2


async def rate(
    llm, judge: str, unit: Unit, dimensions: Sequence[str], reference: bool, repeat: int = 0
) -> tuple[dict[str, int], str, "Answer"]:
    """Scores by dimension, the judge's reason, and the Answer they came in. Raises what `LLM.ask`
    raises.
    """
    from leaderboard.judging.verdict_forms import rating_form

    messages, asked = rating_prompt(unit, dimensions, reference)
    # The unit's id says nothing of the model, so that the judge is blind and two models that said
    # the same are asked about once.
    answer = await llm.ask(
        stage=judge,
        messages=messages,
        item_id=unit.id,
        reply=rating_form(asked),
        repeat=repeat,
        sampling=SAMPLING,
        language=unit.language,
    )
    return answer.parsed.scores(), answer.parsed.reason, answer


async def compare(llm, judge: str, first: Unit, second: Unit, reference: bool) -> tuple[str, str]:
    """Which of two units of one id is better, "first", "second" or "tie", and the judge's reason.
    Raises what `LLM.ask` raises.
    """
    from leaderboard.judging.verdict_forms import Choice

    messages = comparison_prompt(first, second, reference)
    answer = await llm.ask(
        stage=judge,
        messages=messages,
        item_id=first.id,
        reply=Choice,
        sampling=SAMPLING,
        language=first.language,
    )
    return answer.parsed.better, answer.parsed.reason


def rating_prompt(
    unit: Unit, chosen: Sequence[str], reference: bool
) -> tuple[list[dict], tuple[str, ...]]:
    """(chat messages, the dimensions they ask for) for one unit."""
    asked = dimensions_of(unit.kind, chosen)
    data = background(unit)
    if unit.kind == "conversation":
        data["conversation"] = spoken(unit.conversation)
    else:
        data |= {"conversation": spoken(unit.conversation), "reply": unit.reply}
    if reference:
        data["reference"] = (
            unit.reference if isinstance(unit.reference, str) else spoken(unit.reference)
        )
    named = wording(unit.language)
    colon = language_of(unit.language).text.colon
    lines = "\n".join(f"- {name}{colon}{named[name][1]}" for name in asked)
    form = "{" + ", ".join(['"reason": "..."', *(f'"{name}": N' for name in asked)]) + "}"
    template = "judge_conversation" if unit.kind == "conversation" else "judge_reply"
    return _messages(template, unit.language, data, reference, dimensions=lines, form=form), asked


def comparison_prompt(first: Unit, second: Unit, reference: bool) -> list[dict]:
    """Chat messages that ask which of two units with the same id is better."""
    data = background(first)
    if first.kind == "conversation":
        data |= {"first": spoken(first.conversation), "second": spoken(second.conversation)}
    else:
        data |= {
            "conversation": spoken(first.conversation),
            "first": first.reply,
            "second": second.reply,
        }
    if reference:
        data["reference"] = (
            first.reference if isinstance(first.reference, str) else spoken(first.reference)
        )
    return _messages(
        "pairwise_conversation" if first.kind == "conversation" else "pairwise_reply",
        first.language,
        data,
        reference,
    )


def background(unit: Unit) -> dict:
    """What a question's model was told besides the conversation."""
    return {
        name: text
        for name, text in (("instruction", unit.instruction), ("summary", unit.summary))
        if text
    }


def spoken(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Turns as data: {"customer": text} or {"supporter": text}."""
    return [{CUSTOMER if speaker == CUSTOMER else SUPPORTER: text} for speaker, text in turns]


def prompt_hashes(names: Sequence[str], languages: Sequence[str]) -> dict[str, str]:
    """`language/name` -> hash of the template, for records and signatures."""
    return {
        name: digest
        for language in languages
        for name, digest in prompts(language).hashes(*names).items()
    }


def _messages(
    template: str, language: str, data: Mapping, reference: bool, **values: str
) -> list[dict]:
    block, code = quote(data)
    told = prompts(language).text("judge_reference").strip() if reference else ""
    messages = prompts(language).messages(
        template, data=block, fence=code, reference=told, **values
    )
    for message in messages:
        # Where there is no reference its line is empty; nothing in the data can be, because it is
        # JSON.
        message["content"] = "\n".join(
            line for line in message["content"].split("\n") if line or message["role"] == "user"
        )
    return messages
