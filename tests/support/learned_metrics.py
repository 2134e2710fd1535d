"""Texts and scoring for tests of learned metrics."""

import random
from dataclasses import replace

from csc_tasks.metrics import (
    METRICS,
)
from tests.support import scorers

LEARNED = (
    "bertscore",
    "bleurt",
    "bartscore",
    "bartscore_to_reference",
    "bartscore_to_reply",
    "cosine",
)


CHECKED = ("bertscore", "bleurt", "bartscore", "cosine")


# Replies that have broken metrics elsewhere: nothing, white space, one character, marks, emoji,
# both languages, half a surrogate pair, words that are also special tokens, and far more than any
# of the models takes.
ODD = [
    "",
    " ",
    "\n\t",
    "好",
    "a",
    "...",
    "👍",
    "👨‍👩‍👧",
    "您好 hello",
    "**",
    "[手机号码]",
    "\u3000",
    "\ud83d",
    "\x00",
    "[SEP]",
    "</s>",
    "[PAD]",
    "card " * 1000,
    "好" * 5000,
]


def drawn_texts(seed, n):
    random.seed(seed)
    words = [
        word
        for sentence in scorers.SENTENCES
        for word in (sentence.split() if sentence.isascii() else sentence)
    ]
    return [" ".join(random.choices(words, k=random.randrange(1, 14))) for _ in range(n)]


def score(name, replies, references, settings, batch_size=None):
    chosen = replace(settings, batch_size=batch_size) if batch_size else settings
    return METRICS[name].score(list(replies), list(references), "en", chosen).items
