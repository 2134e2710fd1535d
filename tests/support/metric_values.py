"""Values of metrics, and texts to compute them of."""

import random

from csc_tasks.metrics import ASKED_AGAIN, DIALOGUE, METRICS, WITH_PASSAGES

CHARACTERS = "您好请问有什么可以帮到查询余额卡号码，。？1a "
WORDS = (
    "hello",
    "how",
    "can",
    "i",
    "help",
    "you",
    "with",
    "your",
    "card",
    ",",
    "the",
    "balance",
    "is",
    "20",
    "$",
    "thanks",
    ".",
)


# Replies that have broken metrics elsewhere: nothing, white space, one character, marks only,
# emoji, both languages, lone surrogate.
ODD = [
    "",
    " ",
    "\n\t",
    "好",
    "a",
    "，",
    "...",
    "👍",
    "👨‍👩‍👧",
    "您好 hello",
    "**",
    "[手机号码]",
    "\u3000",
    "\ud83d",
    "a" * 5000,
    "好" * 5000,
]

OVERLAP = [
    name
    for name, metric in METRICS.items()
    if metric.default and metric.per not in ((WITH_PASSAGES,), (ASKED_AGAIN,), (DIALOGUE,))
]
TEXT = [name for name in OVERLAP if METRICS[name].of == "reply"]


def value(name, predictions, references, language="zh", clusters=None):
    metric = METRICS[name]
    scores = metric.function(predictions, references, language)
    return metric.estimate(scores.items, clusters or [f"c{i}" for i in range(len(predictions))])


def drawn_texts(seed, n, language):
    random.seed(seed)
    if language == "zh":
        return ["".join(random.choices(CHARACTERS, k=random.randrange(0, 40))) for _ in range(n)]
    return [" ".join(random.choices(WORDS, k=random.randrange(0, 25))) for _ in range(n)]
