"""The families of models that think aloud, and their marks. Adding a family is one entry in
FAMILIES.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models marks its thinking.

    opening, closing: the marks around a thought; a family without a closing mark writes whole
    messages (see `_messages`).
    label: what may stand between the opening mark and the thought. close: what ends a thought that
    has just been opened.
    around: marks around the reply itself. tokens: further marks of the family that may be special
    tokens.
    evidence: any of these in a chat template says that a model belongs to the family; by default
    the two marks.
    bare: how a text begins that was decoded without special tokens, (while thinking, where the
    reply follows, with the reply).
    """

    name: str
    opening: str
    closing: str = ""
    label: str = ""
    close: str = ""
    around: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    bare: tuple[tuple[str, ...], str, str] | None = None

    def marks(self) -> tuple[str, ...]:
        """Every mark that has to be seen to tell the reply from the thinking."""
        return tuple(filter(None, (self.opening, self.closing, *self.tokens)))

    def shows_in(self, template: str) -> bool:
        """Whether a chat template belongs to the family."""
        return any(mark in template for mark in self.evidence or (self.opening, self.closing))


FAMILIES = (
    Family(
        "gpt-oss",
        "<|channel|>",
        tokens=("<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>", "<|constrain|>"),
        evidence=("<|channel|>",),
        bare=(("analysis", "commentary"), "assistantfinal", "final"),
    ),
    Family(
        "muse-glimmer",
        "<|message|>",
        tokens=("<|start|>", "<|eom|>", "<|eot|>"),
        evidence=("to=self<|message|>",),
        bare=(("to=self",), "assistant to=user", "to=user"),
    ),
    Family(
        "gemma",
        "<|channel>",
        "<channel|>",
        label="thought",
        close="<channel|>",
        evidence=("<|channel>thought", "<channel|>"),
        bare=(("thought\n",), "", ""),
    ),
    Family(
        "cohere",
        "<|START_THINKING|>",
        "<|END_THINKING|>",
        close="<|END_THINKING|>",
        around=("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ),
    Family("mistral", "[THINK]", "[/THINK]", close="[/THINK]"),
    Family("seed", "<seed:think>", "</seed:think>", close="</seed:think>"),
    Family("minimax", "<mm:think>", "</mm:think>", close="</mm:think>"),
    Family(
        "kimi-k3",
        "<|open|>think<|sep|>",
        "<|close|>think<|sep|>",
        close="<|close|>think<|sep|><|open|>response<|sep|>",
        # The last is all that a reply has which ended at its first special token.
        around=(
            "<|open|>response<|sep|>",
            "<|close|>message<|sep|>",
            "<|close|>response<|sep|>",
            "<|close|>",
        ),
        tokens=("<|open|>", "<|close|>", "<|sep|>"),
        evidence=("<|open|>",),
    ),
    Family("think", "<think>", "</think>", close="\n</think>\n\n"),
)
"""Every known way of thinking aloud. The first family that shows in a chat template is the model's.
"""

MESSAGE = "<|message|>"
PARTS = re.compile(r"(<\|(?:start|message|end|return|call|eom|eot)\|>)")
"""What stands between the messages of gpt-oss and Muse Glimmer, and between a message's header and
its text.
"""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model thinks aloud, as far as its chat template and its tokens tell.

    family: its marks; None where none are known. thinks: True (it will), False (it will not) or
    None (it may; the template cannot tell). opened: the marks of a thought that the prompt itself
    opens. switch: the template arguments that would switch thinking off.
    bridge: what the template writes between a prompt and a reply that comes without thinking.
    closing: a further closing mark, which the user named (lm_eval's think_end_token).
    """

    family: Family | None = None
    thinks: bool | None = False
    opened: str = ""
    switch: Mapping[str, object] = field(default_factory=dict)
    bridge: str = ""
    closing: str = ""

    def describe(self) -> str:
        """One line for people."""
        if self.family is None or self.thinks is False:
            return "does not think aloud"
        marks = (
            f"{self.family.opening}..{self.family.closing}"
            if self.family.closing
            else "messages of its own"
        )
        how = f"{self.family.name}: {marks}"
        if self.thinks is None:
            return f"may think aloud ({how}); its chat template does not tell"
        where = "the prompt opens the thinking" if self.opened else "the model opens the thinking"
        off = ", ".join(f"{name}={value}" for name, value in self.switch.items())
        return f"thinks aloud ({how}; {where}); " + (
            f"switched off with {off}" if off else "the chat template cannot switch it off"
        )


def opened_by(prompt: str) -> str:
    """The marks of a thought (or of a message) that a rendered prompt opens and leaves open at its
    end; "" where there is none.
    """
    end = prompt.rstrip()
    for family in FAMILIES:
        if family.closing and end.removesuffix(family.label).rstrip().endswith(family.opening):
            return family.opening
    header = end.rpartition("<|start|>")[2]
    begun = (
        header != end
        and ("<|channel|>" in header or MESSAGE in header)
        and not set(PARTS.findall(header)) - {MESSAGE}
    )
    return header if begun else ""


def closes(opened: str) -> str:
    """What ends the thought that `opened` begins, so that a reply can follow at once; "" where
    nothing was opened.
    """
    return next(
        (family.close for family in FAMILIES if family.closing and family.opening == opened), ""
    )
