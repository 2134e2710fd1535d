"""What a model wrote -> the strategy it chose and what it said.

Read are `[Strategy name] reply` and 【】 (the format asked for), the number forms (`策略5 情感管理`), ids inside brackets or JSON only,
JSON `{"strategy": ..., "response": ...}`, and a bare name at the start followed by a colon or a line break. Whole labels only. Two different
labels or an unknown one leave the reply *unparsed*: no strategy, and the whole text is the reply.
"""

import json
import re
from dataclasses import dataclass

from csc_tasks.framework import STRATEGIES, find_strategy

_THINKING = re.compile(r".*</think>", re.DOTALL)
_TAG = re.compile(r"\s*[\[【]([^\[\]【】\n]{1,60})[\]】]\s*[:：]?")
_ANY_TAG = re.compile(r"[\[【]([^\[\]【】\n]{1,60})[\]】]")
_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
_NAMES = "|".join(sorted((re.escape(name) for s in STRATEGIES for name in (s.zh, s.en)), key=len, reverse=True))
_BARE = re.compile(rf"\s*((?:(?:策略|strategy)\s*\d+\s*[:：.、]?\s*)?(?:{_NAMES}))[ \t]*(?:[:：]|\n|$)", re.IGNORECASE)
_NUMBERED = re.compile(rf"\s*((?:策略|strategy)\s*\d+\s*[:：.、]?\s*(?:{_NAMES}))\s+(?=\S)", re.IGNORECASE)
_NUMBER_ONLY = re.compile(r"\s*((?:策略|strategy)\s*\d+)[ \t]*(?:[:：]|\n|$)", re.IGNORECASE)
_EMPHASIS = re.compile(r"^\s*(\*\*|__|`)(.+?)\1", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A read reply. `strategy` is a strategy id, or None when the reply is unparsed; `text` is what the customer would see."""

    strategy: str | None
    text: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show the customer."""
        return not self.text


def strip_thinking(raw: str) -> str:
    """`raw` without everything through its last `</think>`; an unclosed `<think>` leaves nothing."""
    text = _THINKING.sub("", raw)
    head, opened, _ = text.partition("<think>")
    return head.strip() if opened else text.strip()


def read_reply(raw: str | None) -> Reply:
    """Read what a model wrote (None, from an API that gave no content, is an empty unparsed reply)."""
    text = strip_thinking(raw or "")
    label, rest = _split(text)
    found = find_strategy(label) if label is not None else None
    # A full strategy name in brackets further on is a second label; ids are not looked for there, because [ID] can be a placeholder.
    others = (find_strategy(match[1], ids=False) for match in _ANY_TAG.finditer(rest))
    if found is None or any(other not in (None, found) for other in others):
        return Reply(None, text)
    return Reply(found.id, _without_repeats(rest, found).strip())


def read_text(raw: str | None) -> Reply:
    """Read a reply that was asked for without a strategy: thinking goes, and a tag the model wrote all the same; the rest is the reply."""
    return Reply(None, read_reply(raw).text)


def _split(text: str) -> tuple[str | None, str]:
    """The label as written and what follows it; (None, text) when nothing label-like opens the text."""
    if (fields := _json_fields(text)) is not None:
        return fields
    # Chat models like to embolden the tag; the emphasis is not part of it.
    text = _EMPHASIS.sub(r"\2", text, count=1)
    if match := _TAG.match(text):
        return match[1], text[match.end() :]
    for pattern in (_BARE, _NUMBERED, _NUMBER_ONLY):
        if match := pattern.match(text):
            return match[1], text[match.end() :]
    return None, text


def _json_fields(text: str) -> tuple[str, str] | None:
    fenced = _FENCE.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except ValueError:
        return None
    if isinstance(value, dict) and isinstance(value.get("strategy"), str) and isinstance(value.get("response"), str):
        return value["strategy"], value["response"]
    return None


def _without_repeats(rest: str, found) -> str:
    """Drop the same tag said again right after itself."""
    while (match := _TAG.match(rest)) and find_strategy(match[1]) is found:
        rest = rest[match.end() :]
    return rest
