"""What is done to a rewritten conversation: closing system notes are taken off, and what then
breaks a rule goes.

A rule is a function, conversation -> why it is dropped, or None; `first_reason` applies them in
order and the first reason counts. Bounds are inclusive. Source: the post-filtering of CSConv
(Section 3 of arXiv 2508.04423); either side may open, the two then strictly take turns.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from builders.csconv.asking import SYSTEM
from csc_tasks.conversation import SPEAKERS, SUPPORTER, Conversation, Turn
from csc_tasks.languages.detect import in_another_language
from csc_tasks.metrics.facts import has_rules, kept
from csc_tasks.pii import find_in_row

FEWEST_UTTERANCES, MOST_UTTERANCES = 10, 50
REQUIRED = ("GT", "IV", "AC")
# Of fewer facts a share says little.
FEWEST_FACTS = 3

Rule = Callable[[Conversation], str | None]

# A remark about the session in brackets, or one that says itself that it comes from the system.
# Words in brackets that somebody says ("（微笑）再见", "[手机号码]") are no such remark.
_IN = r"[^()（）\[\]【】]"
_ABOUT = "|".join(
    (
        rf"(?:系统|对话|会话|通话|服务|聊天|本次){_IN}*?(?:结束|关闭|完毕|挂断|断开|终止|评价)",
        rf"(?:客户|用户|客服|双方){_IN}{{0,6}}(?:挂断|离开|下线)",
        (
            r"(?:the |this"
            rf" )?(?:system|session|conversation|chat|call|dialogue)\b{_IN}*\b(?:ends?|ended"
            rf"|closed?|over|finished|disconnected)"
        ),
        r"end of (?:the )?(?:conversation|chat|call|session|dialogue)",
        rf"(?:customer|user|agent|supporter){_IN}{{0,20}}\b(?:hung up|hangs up|left|disconnect\w*)",
    )
)
_SYSTEM = r"(?:system(?: note| message)?|系统(?:提示|消息|通知)?)\s*[:：]"
_IN_BRACKETS = re.compile(
    rf"\s*[(（\[【*]+\s*(?:{_SYSTEM}|{_ABOUT}){_IN}*[)）\]】*]+\s*$", re.IGNORECASE
)
_BARE = re.compile(rf"\s*(?:{_SYSTEM}.*|(?:{_ABOUT})[.。!！]?)\s*", re.IGNORECASE | re.DOTALL)


def without_closing_notes(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], int]:
    """The turns without the system notes at their end, and how many there were: turns of the
    system, turns that are such a note and nothing else, and notes in brackets behind the last thing
    that was said.
    """
    spoken, removed = list(turns), 0
    while spoken:
        last = spoken[-1]
        text = _IN_BRACKETS.sub("", last.text)
        if last.speaker == SYSTEM or not text.strip() or _BARE.fullmatch(last.text):
            spoken.pop()
        elif text != last.text:
            spoken[-1] = replace(last, text=text.rstrip())
        else:
            break
        removed += 1
    return tuple(spoken), removed


def system_note(conversation: Conversation) -> str | None:
    """A turn of neither side, elsewhere than at the end."""
    return (
        "a system note within it"
        if any(turn.speaker not in SPEAKERS for turn in conversation.dialogue)
        else None
    )


def too_few_utterances(conversation: Conversation) -> str | None:
    """Fewer than FEWEST_UTTERANCES."""
    return (
        f"fewer than {FEWEST_UTTERANCES} utterances"
        if len(conversation.dialogue) < FEWEST_UTTERANCES
        else None
    )


def too_many_utterances(conversation: Conversation) -> str | None:
    """More than MOST_UTTERANCES."""
    return (
        f"more than {MOST_UTTERANCES} utterances"
        if len(conversation.dialogue) > MOST_UTTERANCES
        else None
    )


def not_one_strategy(conversation: Conversation) -> str | None:
    """A supporter turn without a strategy, or a customer turn with one. (A label that names none or
    several of the twelve never gets here: such a reply is malformed and asked for again.)
    """
    fits = all(bool(turn.strategy) == (turn.speaker == SUPPORTER) for turn in conversation.dialogue)
    return None if fits else "not exactly one strategy on every supporter turn"


def not_alternating(conversation: Conversation) -> str | None:
    """One side speaks twice in a row."""
    twice = any(
        before.speaker == after.speaker for before, after in pairwise(conversation.dialogue)
    )
    return "does not strictly alternate" if twice else None


def missing_strategy(conversation: Conversation) -> str | None:
    """Greeting, Identity Verification, or Appreciation and Closure does not occur; the first that
    is missing is named.
    """
    used = {turn.strategy for turn in conversation.dialogue}
    return next((f"no {name}" for name in REQUIRED if name not in used), None)


def unsound(conversation: Conversation) -> str | None:
    """A conversation that no dataset folder may hold."""
    return "unsound" if conversation.problems() else None


def personal_data(conversation: Conversation) -> str | None:
    """A number or address that leads to a person still stands in it: what `csc push` would
    refuse.
    """
    return "personal data left in it" if next(find_in_row(conversation.to_row()), None) else None


def wrong_language(conversation: Conversation) -> str | None:
    """The utterances, read as a whole, are in another language than the original."""
    text = "\n".join(turn.text for turn in conversation.dialogue)
    return "in another language" if in_another_language(text, conversation.language) else None


RULES: tuple[Rule, ...] = (
    too_few_utterances,
    too_many_utterances,
    system_note,
    not_alternating,
    not_one_strategy,
    missing_strategy,
    unsound,
    personal_data,
    wrong_language,
)


def first_reason(conversation: Conversation) -> str | None:
    """The reason of the first rule that drops the conversation, or None."""
    return next(filter(None, (rule(conversation) for rule in RULES)), None)


def lost_facts(
    original: Sequence[Turn], conversation: Conversation, least: float
) -> tuple[str, str] | None:
    """(why, the figures) where less than `least` of the original's facts are kept or masked; None
    otherwise, for an original with less than FEWEST_FACTS, and in a language without fact rules.
    """
    if not has_rules(conversation.language):
        return None
    before, after = (
        "\n".join(turn.text for turn in turns) for turns in (original, conversation.dialogue)
    )
    facts = kept(before, after, conversation.language)
    left = facts.kept + facts.masked
    if facts.facts < FEWEST_FACTS or left >= least * facts.facts:
        return None
    return "lost most facts", f"{left} of {facts.facts} facts are left"


def bounds() -> dict:
    """The rules' bounds, for build.json."""
    return {
        "utterances": [FEWEST_UTTERANCES, MOST_UTTERANCES],
        "required_strategies": list(REQUIRED),
        "fewest_facts": FEWEST_FACTS,
    }
