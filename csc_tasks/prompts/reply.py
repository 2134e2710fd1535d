"""What a model wrote -> the strategy it chose and what it said.

Thinking goes first (csc_tasks.thinking), then the supporter's name in front of the reply. Read are
`[Strategy name] reply` and 【】 (the format asked for), the number forms (`策略5 情感管理`, and `5.
情感管理` as the prompt's list has it), a bare name at the start followed by a colon or a line
break, the fields `Strategy: name` and `Reply: text` on lines of their own, JSON `{"strategy": ...,
"response": ...}` (json_reply.py), and ids inside brackets, fields or JSON only. Whole labels only.
Two different labels or an unknown one leave the reply *unparsed*: no strategy, and the whole text
is the reply. Accepted and refused forms stand in a table of the task card, which is the test.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from csc_tasks.framework import BY_ID, STRATEGIES, Strategy
from csc_tasks.languages import language
from csc_tasks.languages.labels import (
    OTHER_SPELLINGS,
    find_strategy,
    read_together,
    strategy_name,
)
from csc_tasks.prompts.forms import JSON, SEVERAL, TEXT
from csc_tasks.prompts.json_reply import opening_object, whole_object
from csc_tasks.prompts.parts import Part, all_strategies, split_parts, strategies_in
from csc_tasks.thinking import Thinking, separate

# Every repetition has a bound: a reply of any length is read in time that is linear in its length.
_SPACE = r"\s{0,20}"
_BRACKETED = r"[\[【［]([^\[\]【】［］\n]{1,60})[\]】］]"
_TAG = re.compile(rf"{_BRACKETED}{_SPACE}[:：]?")
_ANY_TAG = re.compile(_BRACKETED)
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,60})\]")

_WORD = r"(?:策略|strategy)"
_AFTER_NUMBER = rf"(?!\d){_SPACE}(?:[:：.、]{_SPACE})?"
_END = r"[^\S\n]{0,20}(?:[:：]|\n|$)"
_NUMBER_ONLY = re.compile(rf"({_WORD}{_SPACE}\d{{1,2}})(?!\d){_END}", re.IGNORECASE)


def _field(names: str) -> str:
    """A name with its colon, plain or emphasised, as in `**Reply:**`."""
    return rf"(?P<mark>[*_]{{0,3}})(?:{names})(?:(?P=mark){_SPACE}[:：]|{_SPACE}[:：](?P=mark))"


_STRATEGY_NAMES = rf"{_WORD}(?:名称|\s{{1,5}}name)?"
_STRATEGY_FIELD = re.compile(_field(_STRATEGY_NAMES), re.IGNORECASE)
_LATER_FIELD = re.compile(
    rf"^{_field(_STRATEGY_NAMES)}(?P<label>[^\n]{{1,60}})", re.IGNORECASE | re.MULTILINE
)
_REPLY_FIELD = re.compile(_field(r"reply|response|answer|回复内容|回复|回应|回答"), re.IGNORECASE)
_MARKUP = " \t*_`[]【】［］"
_EMPHASIS = ("***", "**", "*", "__", "_", "`")
_REPEATS = 10
"""How often one label may stand in front of one reply; what comes after that is text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A read reply. `strategy` is a strategy id, or None when the reply is unparsed; `text` is what
    the customer would see.

    thinking_cut: there is no reply, because what was written ended inside the model's thinking.
    strategies: where several may be named, those that are, in order, the first being `strategy`.
    """

    strategy: str | None
    text: str
    thinking_cut: bool = False
    strategies: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show the customer."""
        return not self.text


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What names open a reply in one language (code None: in any). bare, numbered: a strategy's;
    speaker: the supporter's.
    """

    code: str | None
    bare: re.Pattern[str]
    numbered: re.Pattern[str]
    speaker: re.Pattern[str]


@cache
def _patterns(code: str | None) -> _Patterns:
    codes = read_together(code)
    own = [strategy_name(s.id, other) for s in STRATEGIES for other in codes] + list(
        OTHER_SPELLINGS
    )
    names = "|".join(
        sorted(
            (r"[^\S\n]{1,20}".join(map(re.escape, name.split())) for name in own),
            key=len,
            reverse=True,
        )
    )
    # What the prompt calls the supporter, and what else a model may call its own part.
    words = [language(other).words for other in codes]
    speakers = [line.strip(" :：") for its in words for line in (its.TAIL, its.SUPPORTER)] + [
        "agent",
        "assistant",
    ]
    number = rf"\d{{1,2}}{_AFTER_NUMBER}"
    return _Patterns(
        code,
        re.compile(rf"((?:(?:{_WORD}{_SPACE})?{number})?(?:{names})){_END}", re.IGNORECASE),
        re.compile(rf"({_WORD}{_SPACE}{number}(?:{names}))\s{{1,20}}(?=\S)", re.IGNORECASE),
        re.compile(_field("|".join(map(re.escape, speakers))), re.IGNORECASE),
    )


def read_reply(
    raw: str | None,
    thinking: Thinking | None = None,
    code: str | None = None,
    form: str = TEXT,
) -> Reply:
    """Read what a model wrote (None, from an API that gave no content, is an empty unparsed reply).

    thinking: how the model thinks aloud, where that is known. code: the conversation's language;
    strategy names are read in it and in those that are read everywhere, without it in all
    languages. form: what was asked for (csc_tasks/prompts/forms.py).
    """
    answer, its = read_answer(raw, thinking), _patterns(code)
    text = _unnamed(answer.text, its)
    if form == SEVERAL:
        return _of_parts(read_parts(text, code), text, answer.thinking_cut, code)
    fields = whole_object(text) or (opening_object(text) if form == JSON else None)
    # An escape in JSON can stand for what no file can hold.
    label, rest = (fields[0], writable(fields[1])) if fields else _split(text, its)
    strategy = _strategy(label, its)
    if strategy is None or label is None:
        return Reply(None, text, answer.thinking_cut)
    for _ in range(_REPEATS):
        # The same label once more, right after itself, is no part of what the customer is told; a
        # different one is a second choice.
        again, after = _split(rest, its)
        other = _strategy(again, its, ids=label.strip() in BY_ID)
        if other is None:
            break
        if other is not strategy:
            return Reply(None, text)
        rest = after
    # A full strategy name further on, in brackets or as a field, is a second label. Ids are not
    # looked for: [ID] can be a placeholder.
    later = [match[1] for match in _ANY_TAG.finditer(rest)]
    later += [match["label"].strip(_MARKUP) for match in _LATER_FIELD.finditer(rest)]
    if any(_strategy(label, its, ids=False) not in (None, strategy) for label in later):
        return Reply(None, text)
    return Reply(strategy.id, _unnamed(rest, its).strip())


def read_parts(text: str, code: str | None = None) -> tuple[Part, ...]:
    """A reply without thinking -> its parts, each with the strategies that its label names; () for
    a reply that no label of strategies opens. Labels of JSON objects and fields are read too.
    """
    its = _patterns(code)
    fields = whole_object(text)
    label, rest = (fields[0], writable(fields[1])) if fields else _split(text, its)
    opening = _opening(text, its)
    parts = () if fields else split_parts(opening, code)
    named = () if parts or label is None else strategies_in(label, code)
    return (Part(named, rest.strip()),) if named else parts


def _of_parts(parts: Sequence[Part], text: str, cut: bool, code: str | None) -> Reply:
    """A reply of several parts: the first strategy is the main one, and the customer is told all
    their texts.
    """
    if not parts:
        return Reply(None, text, cut)
    named = all_strategies(parts)
    joint = " " if code is None or language(code).text.spaced else ""
    told = joint.join(part.text for part in parts if part.text)
    return Reply(named[0], _unnamed(told, _patterns(code)).strip(), cut, named)


def read_text(raw: str | None, thinking: Thinking | None = None, code: str | None = None) -> Reply:
    """Read a reply that was asked for without a strategy: a tag that the model wrote all the same
    goes, the rest is the reply.
    """
    reply = read_reply(raw, thinking, code)
    return Reply(None, reply.text, reply.thinking_cut)


def read_begun(
    raw: str | None, strategy: str, code: str, thinking: Thinking | None = None
) -> Reply:
    """Read what a model wrote after the `[name]` of a strategy id, with which its reply was begun.

    The strategy stands, whatever else it wrote; a label that opens the rest is taken off.
    """
    rest = read_answer(raw, thinking)
    whole = read_reply(f"[{strategy_name(strategy, code)}]{rest.text}", None, code)
    text = whole.text if whole.strategy == strategy else read_text(rest.text, None, code).text
    return Reply(strategy, text, rest.thinking_cut)


def label_written(raw: str, thinking: Thinking | None = None) -> tuple[str, str | None]:
    """(what was written without thinking, the label in it) where a model was made to write a label
    alone: `[label]`, or JSON `{"strategy": label}`; None for anything else.
    """
    written = read_answer(raw, thinking).text
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        bracketed = _BRACKETS.fullmatch(written)
        return written, bracketed[1] if bracketed else None
    label = value.get("strategy") if isinstance(value, dict) else None
    return written, label if isinstance(label, str) else None


def read_answer(raw: str | None, thinking: Thinking | None = None) -> Reply:
    """Read an answer to a question: all of it but the thinking.

    A lone surrogate, which no file can hold, becomes a question mark.
    """
    answer = separate(writable(raw or ""), thinking)
    return Reply(None, answer.text, answer.cut)


def writable(text: str) -> str:
    """`text` that any file can hold: a lone surrogate becomes a question mark."""
    return text.encode(errors="replace").decode()


def _strategy(label: str | None, its: _Patterns, ids: bool = True) -> Strategy | None:
    if label is None:
        return None
    label = label.strip()
    if field := _STRATEGY_FIELD.match(label):
        label = label[field.end() :]
    return find_strategy(label, ids, its.code)


def _split(text: str, its: _Patterns) -> tuple[str | None, str]:
    """The label as written and what follows it; (None, text) when nothing label-like opens the
    text.
    """
    opening = _opening(text, its)
    if field := _STRATEGY_FIELD.match(opening):
        line, _, rest = opening[field.end() :].partition("\n")
        label = line.strip(_MARKUP)
        if 0 < len(label) <= 60:
            rest = rest.lstrip()
            reply = _REPLY_FIELD.match(rest)
            return label, rest[reply.end() :] if reply else rest
    for pattern in (_TAG, its.bare, its.numbered, _NUMBER_ONLY):
        if match := pattern.match(opening):
            return match[1], opening[match.end() :]
    return None, text


def _opening(text: str, its: _Patterns) -> str:
    """`text` from its label on. Chat models like to embolden the tag, or all of the reply; the
    emphasis is no part of it.
    """
    return _unnamed(_unemphasised(_unnamed(text.lstrip(), its)).lstrip(), its).lstrip()


def _unnamed(text: str, its: _Patterns) -> str:
    """`text` without the supporter's name in front: the customer is not told it, and a history
    would show it twice.
    """
    speaker = its.speaker.match(text.lstrip())
    return text.lstrip()[speaker.end() :].lstrip() if speaker else text


def _unemphasised(text: str) -> str:
    """`text` without the Markdown emphasis of its beginning."""
    for mark in _EMPHASIS:
        end = text.find(mark, len(mark) + 1) if text.startswith(mark) else -1
        if end > 0:
            return text[len(mark) : end] + text[end + len(mark) :]
    return text
