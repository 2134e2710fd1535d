"""A reply without its thinking, from what a model wrote or what an API sent."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from csc_tasks.thinking.families import FAMILIES, MESSAGE, PARTS, Family, Thinking

END = "</think>"
"""The closing mark that any text may be given to say: what is before this is thinking."""
CUT = "<think>"
"""What a reply is written as that ended inside its thinking, where a server says so in other ways
than in the text.
"""
APART = "<think></think>"
"""What a reply begins with whose thinking the server sent beside the text."""

_REASONING = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True, slots=True)
class Separated:
    """A reply without its thinking. cut: it ended before the thinking did, so that there is no
    reply.
    """

    text: str
    thought: str = ""
    cut: bool = False


def separate(raw: str, thinking: Thinking | None = None) -> Separated:
    """What a model wrote, without its thinking.

    Everything through the last closing mark goes. Where a thought is opened, by the reply or by the
    prompt, and never closed, there is no reply. Marks are read whatever the model; text that was
    decoded without them only for models of a known family.
    """
    thinking = thinking or Thinking()
    thoughts: list[str] = []
    text = thinking.opened + raw
    if thinking.closing and thinking.closing in text:
        before, _, text = text.rpartition(thinking.closing)
        thoughts.append(before)
    cut = False
    for step in (_without_messages, _without_bare, _without_blocks):
        text, thought, cut = step(text, thinking)
        thoughts.append(thought)
        if cut:
            break
    return Separated("" if cut else text.strip(), "".join(thoughts).strip(), cut)


def reasoning_of(message: Mapping[str, Any]) -> str:
    """The thinking that an API's message holds beside its content."""
    return next(
        (
            message[name]
            for name in _REASONING
            if isinstance(message.get(name), str) and message[name]
        ),
        "",
    )


def content_of(message: Mapping[str, Any], finish: str | None) -> str | None:
    """The content of an API's message as text whose thinking `separate` sees; None where there is
    none and nothing says why.

    A reply without content that the token limit cut was cut while the model was thinking.
    """
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        content = None
    if finish == "length" and not (content or "").strip():
        return CUT
    apart = bool(reasoning_of(message))
    return APART + (content or "") if apart else content


def _without_messages(text: str, thinking: Thinking) -> tuple[str, str, bool]:
    """gpt-oss and Muse Glimmer: of a sequence of messages the last one that is for the user."""
    if MESSAGE not in text and "<|channel|>" not in text:
        return text, "", False
    reply: str | None = None
    thoughts: list[str] = []
    for header, body in _messages(text):
        if _for_user(header):
            thoughts += [] if reply is None else [reply]
            reply = body
        else:
            thoughts.append(body)
    return reply or "", "".join(thoughts), reply is None


def _messages(text: str) -> Iterator[tuple[str, str]]:
    """(header, body) of each message in `[<|start|>role]header<|message|>body<|end|>...`."""
    header, body, inside = "", "", False
    for part in PARTS.split(text):
        if part == MESSAGE:
            inside = True
        elif PARTS.fullmatch(part):
            if inside:
                yield header, body
            header, body, inside = "", "", False
        elif inside:
            body = part
        else:
            header = part
    if inside:
        yield header, body


def _for_user(header: str) -> bool:
    """Whether a message is the reply: gpt-oss's final channel; Muse Glimmer's recipient user, or
    none.
    """
    if "<|channel|>" in header:
        return header.rpartition("<|channel|>")[2].split()[:1] == ["final"]
    return header.strip() in ("", "assistant") or header.strip().endswith("to=user")


def _without_bare(text: str, thinking: Thinking) -> tuple[str, str, bool]:
    """What a known family's text looks like when its marks were dropped."""
    if thinking.family is None or thinking.family.bare is None:
        return text, "", False
    heads, joint, reply = thinking.family.bare
    stripped = text.lstrip()
    if stripped.startswith(heads):
        before, reached, after = stripped.rpartition(joint) if joint else (stripped, "", "")
        return after, before if reached else stripped, not reached
    # The word may be the beginning of another one ("finally").
    if reply and stripped.startswith(reply) and not re.match(r"[a-z]", stripped[len(reply) :]):
        return stripped.removeprefix(reply), "", False
    return text, "", False


def _without_blocks(text: str, thinking: Thinking) -> tuple[str, str, bool]:
    """Thoughts between an opening and a closing mark; the last closing mark counts."""
    thoughts = []
    for family in FAMILIES:
        if not family.closing:
            continue
        before, closing, after = text.rpartition(family.closing)
        if family.opening in after:
            thoughts.append(_unmarked(text, family))
            return "", "".join(thoughts), True
        if closing:
            thoughts.append(_unmarked(before, family))
        text = after
        for mark in family.around:
            text = text.strip().removeprefix(mark).removesuffix(mark)
    return text, "".join(thoughts), False


def _unmarked(thought: str, family: Family) -> str:
    return thought.replace(family.opening, "").replace(family.closing, "")
