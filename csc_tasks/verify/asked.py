"""Do the logged prompts show what the task shows, and nothing of its answer?

Chat templates may write a prompt in many ways, so only positive evidence counts: a prompt is wrong
where it holds a text that its task does not show and that tells another task or the reference. What
a prompt does not hold proves nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from csc_tasks.conversation import Conversation
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages import language
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import JSON, SEVERAL, TEXT
from csc_tasks.question import Question
from csc_tasks.runs.task_record import FORCED, GROUNDED, TaskRecord

SHORTEST = 16
"""A text of fewer characters may stand in any prompt by chance."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One logged prompt: its text without what JSON and templates do to white space and quotes."""

    text: str

    def has(self, text: str) -> bool:
        """Whether a text long enough to tell stands in the prompt."""
        bare = _bare(text)
        return len(bare) >= SHORTEST and bare in self.text


def asked(line: Mapping[str, Any], number: int) -> Asked | None:
    """The prompt of a line's record, None where none was logged."""
    arguments = line.get("arguments")
    sent = arguments.get(f"gen_args_{number}") if isinstance(arguments, dict) else None
    prompt = sent.get("arg_0") if isinstance(sent, dict) else None
    if not prompt:
        return None
    return Asked(_stripped(prompt if isinstance(prompt, str) else json.dumps(prompt)))


def wrong(
    prompt: Asked,
    about: TaskRecord,
    item: Conversation | Question,
    turn: int,
    own: Mapping[int, str],
    reference: str,
    passages: Sequence[str] = (),
    first: str | None = None,
    chosen: str | None = None,
    form: str = TEXT,
) -> str:
    """What of a prompt cannot be: a few words, "" for nothing.

    own: position -> what the model replied at earlier turns. reference: of this turn or question.
    passages: those that the verifier knows to belong to the question. first: what the model replied
    before it was asked again, "" for nothing; None where it was asked once. chosen: the strategy of
    the reply. form: in which a run asked for replies.
    """
    if isinstance(item, Question):
        if other := _other_context(prompt, about, item):
            return other
        shown = [item.client_question, item.history_summary, item.instruction]
        shown += [*(one.text for one in item.conversation_history), *passages]
    else:
        shown = [one.text for one in item.dialogue[:turn]] + list(own.values()) + [first or ""]
        if about.variant != "oracle" and _given(prompt, item, turn):
            return "it gives the gold strategy"
        if about.variant not in ("oracle", FORCED) and _chosen(prompt, item, shown):
            return "it gives a strategy"
        if first is None and _again(prompt, item.language):
            return "it asks again"
        if _other_form(prompt, about, item.language, form):
            return "it asks for another form of replies"
        if about.variant == FORCED and chosen and not _begins(prompt, item, chosen):
            return "the reply is not begun with the strategy that was chosen"
        if other := _other_history(prompt, about, item, turn, own):
            return other
    bare = _bare(reference)
    if prompt.has(reference) and not any(bare in _bare(text) for text in shown):
        return "it shows the reference"
    return ""


def _other_context(prompt: Asked, about: TaskRecord, item: Question) -> str:
    """Another context of a question than the task's."""
    words = language(item.language).words
    history, summary = (_bare(text) in prompt.text for text in (words.QA_HISTORY, words.QA_SUMMARY))
    if about.variant != GROUNDED and _bare(words.QA_PASSAGES) in prompt.text:
        return "it shows passages"
    if about.variant in ("full", "last"):
        return "it shows the summary" if summary and not history else ""
    if about.variant == "none":
        return "it shows what came before" if summary or history else ""
    return "it shows the history, not the summary" if history and not summary else ""


def _again(prompt: Asked, code: str) -> bool:
    words = language(code).words
    hints = [hint for hint in (words.ASK_AGAIN, words.ASK_AGAIN_JSON) if hint]
    return any(prompt.has(hint) for hint in hints)


def _given(prompt: Asked, item: Conversation, turn: int) -> bool:
    strategy = item.dialogue[turn].strategy
    if item.dialogue[turn].held_out or not strategy:
        return False
    words = language(item.language).words
    name = strategy_name(strategy, item.language)
    return _bare(words.TAIL_GIVEN_STRATEGY.format(name=name)) in prompt.text


def _chosen(prompt: Asked, item: Conversation, shown: Iterable[str]) -> bool:
    """Whether a prompt ends with any strategy, as those of forced replies do, or tells the model to
    use one. shown: what may stand in it; it may end with that.
    """
    end = _end(prompt.text)
    if any(bare and end.endswith(bare) for bare in (_end(_bare(text)) for text in shown)):
        return False
    given = language(item.language).words.GIVEN_STRATEGY
    names = [strategy_name(id_, item.language) for id_ in STRATEGY_IDS]
    return any(
        _begins(prompt, item, id_) or _bare(given.format(name=name)) in prompt.text
        for id_, name in zip(STRATEGY_IDS, names, strict=True)
    )


def _other_form(prompt: Asked, about: TaskRecord, code: str, form: str) -> bool:
    """Whether a prompt asks for strategies in another form than the task does, or for any where it
    asks for none.
    """
    own = {"vanilla": None, "oracle": None, "predict": form}.get(about.variant, TEXT)
    words = language(code).words
    lines = {TEXT: words.FORMAT, JSON: words.FORMAT_JSON, SEVERAL: words.FORMAT_SEVERAL}
    return any(line and one != own and prompt.has(line) for one, line in lines.items())


def _begins(prompt: Asked, item: Conversation, chosen: str) -> bool:
    """Whether a prompt ends with the beginning of a reply, or with the strategy for it."""
    name = strategy_name(chosen, item.language)
    given = language(item.language).words.GIVEN_STRATEGY.format(name=name)
    return _end(prompt.text).endswith((_bare(f"[{name}"), _bare(given)))


def _end(text: str) -> str:
    """A text without what closes the JSON of messages."""
    return text.rstrip("}]")


def _other_history(
    prompt: Asked, about: TaskRecord, item: Conversation, turn: int, own: Mapping[int, str]
) -> str:
    """The gold supporter's earlier turn where the model's own should stand, or the reverse."""
    for position in sorted(own, reverse=True):
        if position >= turn or not own[position]:
            continue
        gold, said = item.dialogue[position].text, own[position]
        shown, hidden = (said, gold) if about.generated else (gold, said)
        if prompt.has(hidden) and _bare(shown) not in prompt.text:
            others = [text.text for text in item.dialogue[:turn]] if not about.generated else []
            if not _among(hidden, [*others, *_customer(item, turn)]):
                return (
                    "it shows the gold supporter's turns, not the model's"
                    if about.generated
                    else "it shows the model's turns, not the gold supporter's"
                )
    return ""


def _customer(item: Conversation, turn: int) -> Iterable[str]:
    return (one.text for one in item.dialogue[:turn] if not one.strategy)


def _among(text: str, others: Iterable[str]) -> bool:
    bare = _bare(text)
    return any(bare in _bare(other) for other in others)


@lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    """`_stripped`, remembered: every later prompt of a conversation is searched for its turns."""
    return _stripped(text)


def _stripped(text: str) -> str:
    """A text without white space, quotes and backslashes, JSON's escapes undone."""
    if "\\" in text:
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
        text = re.sub(r"\\+[nrt]", "", text)
    # Several times as fast as one expression, and prompts are most of what there is to read.
    bare = "".join(text.split())
    return bare.replace('"', "").replace("'", "").replace("\\", "")
