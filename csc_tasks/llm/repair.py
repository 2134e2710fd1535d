"""What a model is told after a reply that cannot be used: its own words, cut, and what is wrong
with them, in the language in which it was asked.
"""

import re
from collections.abc import Sequence

from csc_tasks.languages import language as of
from csc_tasks.llm.answers import CUT
from csc_tasks.llm.exchange import Message
from csc_tasks.llm.prompting import render

# Characters of the reply that go back, from its start and from its end.
HEAD, TAIL = 3000, 1000
PROBLEM = 500
FALLBACK = "en"
# Servers take these for the end of a text, or not at all.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def with_repair(
    messages: Sequence[Message], reply: str, problem: str, language: str
) -> list[Message]:
    """`messages` with the reply and the demand to write it again; at most HEAD + TAIL characters of
    the reply, and PROBLEM of what is wrong, are added.
    """
    shown = excerpt(reply) or of(language).words.NO_REPLY
    return [
        *messages,
        {"role": "assistant", "content": shown},
        {"role": "user", "content": demand(problem, language)},
    ]


def demand(problem: str, language: str) -> str:
    """What is wrong with a reply, and that it is to be written again."""
    wording = of(language).asking or of(FALLBACK).asking
    assert wording is not None, "English has its wording"
    said = printable(problem)[:PROBLEM]
    told = render(wording.repair, {"problem": said}, f"asking.yaml of {language}")
    return f"{told} {wording.shorter}" if problem.startswith(CUT) else told


def excerpt(reply: str) -> str:
    """The reply as it can be sent back, without its middle where it is long."""
    if len(reply) > HEAD + TAIL:
        reply = f"{reply[:HEAD]} [...] {reply[-TAIL:]}"
    return printable(reply).strip()


def printable(text: str) -> str:
    """`text` without lone surrogates and control characters, which not every server takes."""
    return _UNPRINTABLE.sub("\ufffd", text.encode("utf-8", "replace").decode())
