"""How a model thinks, found from its chat template and its tokens; and its tokens decoded so that
the marks stay.
"""

import re
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import Any

from csc_tasks.thinking.families import FAMILIES, Family, Thinking, closes, opened_by

SWITCHES = (
    ("enable_thinking", False, True),
    ("thinking", False, True),
    ("reasoning", False, True),
    ("thinking_budget", 0, None),
    ("reasoning_effort", "none", "high"),
)
"""Arguments of chat templates that switch thinking: (name, value that switches it off, value that
switches it on).
"""

_QUESTION = [{"role": "user", "content": "probe"}]
_ANSWER = "assistant-message-probe"


def of_tokenizer(tokenizer: Any, arguments: Mapping[str, object] | None = None) -> Thinking:
    """How a model with this tokenizer thinks, when its chat template is given `arguments`
    (`enable_thinking` and the like).
    """
    template = chat_template(tokenizer)
    if not template:
        return Thinking(_family("", special_marks(tokenizer).values()))

    def render(more: Mapping[str, object], answer: str | None = None) -> str | None:
        messages = (
            _QUESTION if answer is None else [*_QUESTION, {"role": "assistant", "content": answer}]
        )
        try:
            rendered: str = tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=answer is None,
                **{**(arguments or {}), **more},
            )
        except Exception:
            # Templates are programs of others: one that does not know a value, or this order of
            # roles, may raise anything.
            return None
        return rendered

    return of_template(template, render, special_marks(tokenizer).values())


def of_template(
    template: str, render: Callable[..., str | None], tokens: Collection[str] = ()
) -> Thinking:
    """How a model with this chat template thinks.

    render(arguments, answer=None): the prompt after one question, or the conversation with an
    answer; None where the template refuses.
    tokens: marks of thinking that are special tokens of the model.
    """
    family = _family(template, tokens)
    prompt = render({})
    if prompt is None:
        return Thinking(family, None if family else False)
    opened = opened_by(prompt)
    switch, switched_on = _switch(template, render, prompt)
    bridge = _bridge(prompt, render({}, _ANSWER), opened)
    if family is None:
        return Thinking(bridge=bridge)
    shows = family.shows_in(template)
    if opened or switch or (shows and not family.closing):
        thinks: bool | None = True
    elif switched_on or (family.closing and prompt.rstrip().endswith(family.closing)) or not shows:
        thinks = False
    else:
        thinks = None
    return Thinking(family, thinks, opened, switch, bridge)


def of_name(model: str) -> Thinking:
    """What the name of a model behind an API tells: gpt-oss, which some servers decode without its
    marks.
    """
    known = re.search(r"gpt[-_]?oss", model, re.IGNORECASE)
    return Thinking(FAMILIES[0], True) if known else Thinking(thinks=None)


def chat_template(tokenizer: object) -> str:
    """A tokenizer's chat template ("" where it has none); of several named ones the default."""
    template: str | Mapping[str, str] = getattr(tokenizer, "chat_template", None) or ""
    if isinstance(template, Mapping):
        return template.get("default") or "".join(template.values())
    return template


def special_marks(tokenizer: object) -> dict[int, str]:
    """token id -> mark, for the marks of thinking that decoding without special tokens would
    drop.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = {token.content: number for number, token in added.items() if token.special}
    marks: dict[int, str] = {}
    for family in FAMILIES:
        # Phi's <|end|> alone is no mark of thinking: the family's own marks have to be there too.
        if all(
            _spelt(mark, family, special) for mark in filter(None, (family.opening, family.closing))
        ):
            marks |= {special[mark]: mark for mark in family.marks() if mark in special}
    return marks


def _spelt(mark: str, family: Family, special: Container[str]) -> bool:
    """Whether a mark is a special token, or is put together from some (Kimi K3)."""
    pieces = [token for token in family.tokens if token in mark]
    return mark in special or (bool(pieces) and all(piece in special for piece in pieces))


def decode(
    tokens: Sequence[int], marks: Mapping[int, str], decoded: Callable[[list[int]], str]
) -> str:
    """Text of `tokens` by `decoded`, which drops special tokens, with the marks among them written
    out.
    """
    pieces: list[str] = []
    start = 0
    for place, token in enumerate(tokens):
        if token in marks:
            pieces += [decoded(list(tokens[start:place])) if place > start else "", marks[token]]
            start = place + 1
    if not pieces:
        return decoded(list(tokens))
    return "".join([*pieces, decoded(list(tokens[start:])) if start < len(tokens) else ""])


def _family(template: str, tokens: Collection[str]) -> Family | None:
    shown = next((family for family in FAMILIES if family.shows_in(template)), None)
    return shown or next((family for family in FAMILIES if family.opening in set(tokens)), None)


def _switch(
    template: str, render: Callable[..., str | None], prompt: str
) -> tuple[dict[str, object], bool]:
    """(arguments that switch thinking off, whether there are such that would switch it on)."""
    can_be_on = False
    for name, off, on in SWITCHES:
        # "none" is one of several efforts that only some templates know; a template that does not
        # would take it for a word.
        if not re.search(rf"\b{name}\b", template) or (
            isinstance(off, str) and not re.search(rf"""['"]{off}['"]""", template)
        ):
            continue
        without = render({name: off})
        if without is not None and without != prompt and not opened_by(without):
            return {name: off}, False
        can_be_on |= on is not None and render({name: on}) not in (None, prompt)
    return {}, can_be_on


def _bridge(prompt: str, answered: str | None, opened: str) -> str:
    before = (answered or "").rpartition(_ANSWER)[0]
    if before.startswith(prompt):
        return before[len(prompt) :]
    return closes(opened)
