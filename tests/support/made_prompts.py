"""Conversations and questions whose turns can be told apart, and the prompts made from them."""

import itertools
import random
import re

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages import language as language_of
from csc_tasks.prompts import TurnPrompt
from csc_tasks.question import Question

chinese, english = language_of("zh").words, language_of("en").words
WORDS = {"zh": chinese, "en": english}
LANGUAGES = ("zh", "en")
STYLES = ("single", "chat")
VARIANTS = ("predict", "vanilla", "oracle")
CONTEXTS = ("summary", "full", "last", "none")
PASSAGES = {
    "zh": ("退款\n退款3个工作日内到账。", "密码\n密码连续输错5次，卡片锁定24小时。"),
    "en": ("Refunds\nA second charge is returned within 5 business days.", "Fees\nNone below $10."),
}


def conversation(speakers, language="en", labelled=True, text="text{}."):
    """`speakers` is a word of S and C; turn i says `text<i>.` and supporter turns take the
    strategies in turn.
    """
    turns = []
    for i, letter in enumerate(speakers):
        label = STRATEGY_IDS[i % 12] if letter == "S" and labelled else ""
        turns.append(Turn(SUPPORTER if letter == "S" else CUSTOMER, text.format(i), label))
    return Conversation("c", language, "Others", "test", tuple(turns))


def dialogues():
    """Every word of S and C up to length 5 that has an S, and some long ones."""
    random.seed(7)
    short = [
        "".join(word) for length in range(1, 6) for word in itertools.product("SC", repeat=length)
    ]
    long = ["".join(random.choices("SC", k=30)) for _ in range(5)]
    return [word for word in [*short, *long] if "S" in word]


def prompts(speakers, language, style, variant, labelled=True):
    made = conversation(speakers, language, labelled)
    asked = (
        made.scored_turns()
        if labelled
        else [i for i, letter in enumerate(speakers) if letter == "S"]
    )
    return [TurnPrompt(made, turn, style, variant) for turn in asked]


def question(language="en", turns=6, **changes):
    history = tuple(Turn(SUPPORTER if i % 2 else CUSTOMER, f"text{i}.") for i in range(turns))
    row = {
        "conversation_id": "q",
        "turn_index": 0,
        "turns_total": None,
        "stage": None,
        "language": language,
        "topic": "",
        "source": "",
        "instruction": "",
        "conversation_history": history,
        "history_summary": "the summary",
        "client_question": "the question?",
        "agent_answer": "the gold draft",
        "refined_agent_answer": "the gold answer",
    }
    return Question(**(row | changes))


def mentioned(text):
    """Numbers of the turns whose text occurs, in order of occurrence."""
    return [int(number) for number in re.findall(r"text(\d+)\.", text)]


def everything(messages):
    return "\n".join(message["content"] for message in messages)
