"""What a model wrote -> the strategy it chose and what it said.

Read are `[Strategy name] reply` and 【】 (the format asked for), the number forms (`策略5 情感管理`, and `5. 情感管理` as the prompt's list
has it), ids inside brackets or JSON only, JSON `{"strategy": ..., "response": ...}`, and a bare name at the start followed by a colon or
a line break. Whole labels only. Two different labels or an unknown one leave the reply *unparsed*: no strategy, and the whole text is
the reply.
"""

import json
import re
from dataclasses import dataclass

from csc_tasks.framework import BY_ID, STRATEGIES, Strategy, find_strategy

_BRACKETED = r"[\[【［]([^\[\]【】［］\n]{1,60})[\]】］]"
_TAG = re.compile(rf"{_BRACKETED}\s*[:：]?")
_ANY_TAG = re.compile(_BRACKETED)
_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
_NAMES = "|".join(
    sorted((r"[^\S\n]+".join(map(re.escape, name.split())) for s in STRATEGIES for name in (s.zh, s.en)), key=len, reverse=True)
)
# No two neighbouring parts of these can take the same white space: replies of any length are read in linear time.
_AFTER_NUMBER = r"(?!\d)\s*(?:[:：.、]\s*)?"
_BARE = re.compile(rf"((?:(?:(?:策略|strategy)\s*)?\d{{1,2}}{_AFTER_NUMBER})?(?:{_NAMES}))[^\S\n]*(?:[:：]|\n|$)", re.IGNORECASE)
_NUMBERED = re.compile(rf"((?:策略|strategy)\s*\d{{1,2}}{_AFTER_NUMBER}(?:{_NAMES}))\s+(?=\S)", re.IGNORECASE)
_NUMBER_ONLY = re.compile(r"((?:策略|strategy)\s*\d{1,2})(?!\d)[^\S\n]*(?:[:：]|\n|$)", re.IGNORECASE)
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,2}|`)(.+?)\1", re.DOTALL)


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
    """`raw` without everything through its last `</think>`; an unclosed `<think>` leaves nothing.

    Half a character (a lone surrogate, which no file can hold) becomes a question mark.
    """
    text = raw.rpartition("</think>")[2]
    return "" if "<think>" in text else writable(text).strip()


def read_reply(raw: str | None) -> Reply:
    """Read what a model wrote (None, from an API that gave no content, is an empty unparsed reply)."""
    text = strip_thinking(raw or "")
    label, rest = _json_fields(text) or _split(text)
    found = _strategy(label)
    if found is None:
        return Reply(None, text)
    while True:
        # The same label once more, right after itself, is no part of what the customer is told; a different one there is a second choice.
        again, after = _split(rest)
        other = _strategy(again, ids=label.strip() in BY_ID)
        if other is None:
            break
        if other is not found:
            return Reply(None, text)
        rest = after
    # A full strategy name in brackets further on is a second label; ids are not looked for there, because [ID] can be a placeholder.
    others = (_strategy(match[1], ids=False) for match in _ANY_TAG.finditer(rest))
    return Reply(None, text) if any(other not in (None, found) for other in others) else Reply(found.id, rest.strip())


def read_text(raw: str | None) -> Reply:
    """Read a reply that was asked for without a strategy: thinking goes, and a tag the model wrote all the same; the rest is the reply."""
    return Reply(None, read_reply(raw).text)


def _strategy(label: str | None, ids: bool = True) -> Strategy | None:
    return None if label is None else find_strategy(label, ids)


def _split(text: str) -> tuple[str | None, str]:
    """The label as written and what follows it; (None, text) when nothing label-like opens the text."""
    opening = text.lstrip()
    # Chat models like to embolden the tag; the emphasis is not part of it.
    if emphasised := _EMPHASIS.match(opening):
        opening = emphasised[2].lstrip() + opening[emphasised.end() :]
    for pattern in (_TAG, _BARE, _NUMBERED, _NUMBER_ONLY):
        if match := pattern.match(opening):
            return match[1], opening[match.end() :]
    return None, text


def _json_fields(text: str) -> tuple[str, str] | None:
    """`strategy` and `response` of a reply that is one JSON object, bare or fenced."""
    fenced = _FENCE.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("strategy"), str) and isinstance(value.get("response"), str):
        return value["strategy"], writable(value["response"])
    return None


def writable(text: str) -> str:
    """`text` that any file can hold: half a character (a lone surrogate) becomes a question mark."""
    return text.encode(errors="replace").decode()
