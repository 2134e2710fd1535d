"""Played customers with one fault each, made of recorded conversations: what the audit of played
customers has to catch.

    planted("polite", dialogue, generator)

Every kind leaves the supporter's turns as they are and changes the customer's: `shuffled` (its own
turns in another order), `agreeing` (every answer opens with yes), `inventing` (numbers, dates and
amounts that nobody gave), `leaking` (the first turn recites the brief), `polite` (thanks and
apologies in every turn), `long` (every turn goes on), `scripted` (the same words in every
conversation, with the brief's facts filled in), `single` (the first sentence of each turn alone).
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from csc_tasks.conversation import CUSTOMER
from csc_tasks.live import Brief, LiveDialogue

OWN_DIMENSION = {
    "shuffled": "coherence",
    "agreeing": "agreeing",
    "inventing": "invented",
    "leaking": "leaking",
    "polite": "politeness",
    "long": "length",
    "scripted": "alike",
    "single": "sentences",
}
"""Kind -> the dimension that has to catch it."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the planted customers say, in one language."""

    joint: str
    agree: Sequence[str]
    inventions: Sequence[str]
    courtesies: Sequence[str]
    fillers: Sequence[str]
    script: Sequence[str]
    fact: str
    recital: str


WORDS = {
    "en": Words(
        joint=" ",
        agree=("Yes.", "Sure.", "Okay, great.", "Of course.", "Sounds good.", "Perfect."),
        inventions=(
            "My reference number is {number}.",
            "I paid ${amount} for it.",
            "That was on {day}/{month}/2019.",
            "I called you {small} times about it.",
        ),
        courtesies=(
            "Thank you so much for your help!",
            "Please, if you don't mind.",
            "I really appreciate it, thanks.",
            "Sorry to bother you with this.",
        ),
        fillers=(
            "I have been thinking about this since the morning and it does not leave my mind",
            "my neighbour had something like it last year and it took them weeks to settle it all",
            "I would have written earlier, but there was so much to do at work and at home as well",
            "as you can imagine it is not easy to explain all of this in a few words to a stranger",
            "I remember how a friend told me that your company handles such things rather quickly",
            "and then of course there is the question of what my family is going to say about it",
        ),
        script=(
            "Hello, I have a question about my account.",
            "I would like you to look into this for me.",
            "That is all the information that I have.",
            "What is the next step from here?",
            "I will wait for your answer then.",
            "Thank you for your help, goodbye.",
        ),
        fact="The {name} is {value}.",
        recital="I am the customer. My goal is this: {aim} {manner} {mood} {facts} {unknown}",
    ),
    "zh": Words(
        joint="",
        agree=("是的。", "好的。", "可以，没问题。", "当然。", "行。"),
        inventions=(
            "我的订单号是{number}。",
            "我付了{amount}元。",
            "那是2019年{month}月{day}日。",
            "我打了{small}次电话。",
        ),
        courtesies=("非常感谢您！", "麻烦您了，请您多费心。", "谢谢，辛苦了。", "不好意思打扰您。"),
        fillers=(
            "我从早上到现在一直在想这件事，怎么也放不下来",
            "我的邻居去年也碰到过差不多的情况，前前后后折腾了好几个星期才弄完",
            "本来想早点联系你们，可是最近单位和家里的事情实在太多了",
            "你也能想到，三言两语跟一个陌生人说明白这些并不容易",
        ),
        script=(
            "你好，我有一个关于账户的问题。",
            "我想让你们查一下这件事情。",
            "我能提供的信息就是这些。",
            "接下来应该怎么办呢？",
            "那我就等你们的答复了。",
            "谢谢你的帮助，再见。",
        ),
        fact="{name}是{value}。",
        recital="我扮演的是客户。我的目标是：{aim}{manner}{mood}{facts}{unknown}",
    ),
}


def planted(kind: str, dialogue: LiveDialogue, generator: random.Random) -> LiveDialogue:
    """The dialogue with a customer of one kind in place of its own."""
    places = [i for i, turn in enumerate(dialogue.turns) if turn.speaker == CUSTOMER]
    texts = [dialogue.turns[i].text for i in places]
    changed = _KINDS[kind](texts, dialogue.brief, WORDS[dialogue.language], generator)
    turns = list(dialogue.turns)
    for place, text in zip(places, changed, strict=True):
        turns[place] = replace(turns[place], text=text)
    return replace(dialogue, customer=f"planted:{kind}", turns=tuple(turns))


def _shuffled(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return generator.sample(texts, len(texts))


def _agreeing(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return [
        text if i == 0 else f"{generator.choice(words.agree)}{words.joint}{text}"
        for i, text in enumerate(texts)
    ]


def _inventing(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return [
        f"{text}{words.joint}{_invention(words, generator)}" if generator.random() < 0.4 else text
        for text in texts
    ]


def _invention(words: Words, generator: random.Random) -> str:
    return generator.choice(words.inventions).format(
        number=generator.randrange(1_000_000, 9_999_999),
        amount=generator.randrange(211, 9_999),
        day=generator.randrange(13, 28),
        month=generator.randrange(1, 13),
        small=generator.randrange(31, 99),
    )


def _leaking(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    if brief is None:
        return texts
    facts = words.joint.join(
        words.fact.format(name=fact.name, value=fact.value) for fact in brief.facts
    )
    recital = words.recital.format(
        aim=brief.aim,
        manner=brief.manner,
        mood=brief.mood,
        facts=facts,
        unknown=words.joint.join(brief.unknown),
    )
    return [recital, *texts[1:]]


def _polite(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return [f"{text}{words.joint}{generator.choice(words.courtesies)}" for text in texts]


def _long(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return [words.joint.join([text, *generator.sample(list(words.fillers), 2)]) for text in texts]


def _scripted(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    facts = [] if brief is None else list(brief.facts)
    lines = [
        *words.script[:2],
        *(words.fact.format(name=fact.name, value=fact.value) for fact in facts),
        *words.script[2:-1],
    ]
    middle = [lines[i % len(lines)] for i in range(max(0, len(texts) - 1))]
    return [*middle, words.script[-1]]


def _single(
    texts: list[str], brief: Brief | None, words: Words, generator: random.Random
) -> list[str]:
    return [re.split(r"(?<=[.!?。！？])\s*|\n", text.strip())[0] or text for text in texts]


_Kind = Callable[[list[str], Brief | None, Words, random.Random], list[str]]
_KINDS: dict[str, _Kind] = {
    "shuffled": _shuffled,
    "agreeing": _agreeing,
    "inventing": _inventing,
    "leaking": _leaking,
    "polite": _polite,
    "long": _long,
    "scripted": _scripted,
    "single": _single,
}
