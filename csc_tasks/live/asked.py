"""What a turn asks for, by the expressions in `languages/<code>/live.yaml`: questions, and the
slots (a name, an order number, a date) that they ask a customer to fill.
"""

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

from csc_tasks.errors import SettingError
from csc_tasks.languages import Live, language, languages
from csc_tasks.metrics.segment import tokens

# After a mark that ends a sentence, or in a new line.
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


def live_words(code: str) -> Live:
    """What live conversations need of a language. Raises SettingError that names the languages that
    have it.
    """
    words = language(code).live
    if words is None:
        there = ", ".join(other for other, one in languages().items() if one.live)
        raise SettingError(
            f"there are no live conversations in {language(code).name} ({code}): its folder has no"
            f" live.yaml; {there} have one (csc_language chooses one)"
        )
    return words


def matches(patterns: Iterable[str], text: str) -> bool:
    """Whether one of the expressions occurs in a text, whatever its case."""
    return any(_compiled(pattern).search(text) for pattern in patterns)


def questions(text: str, code: str) -> list[str]:
    """The sentences of a text that ask for something."""
    words = live_words(code)
    sentences = (sentence.strip() for sentence in _SENTENCES.split(text))
    return [sentence for sentence in sentences if sentence and matches(words.requests, sentence)]


def slots_asked(text: str, code: str) -> list[str]:
    """The slots that the questions of a text ask for, by name, in the order of the language's
    list.
    """
    asked = " ".join(questions(text, code))
    return slots_named(asked, code) if asked else []


def slots_named(text: str, code: str) -> list[str]:
    """The slots whose words occur in a text: a slot's own name, or that of a fact in a brief."""
    slots = live_words(code).slots
    return [name for name, slot in slots.items() if name == text or matches([slot.words], text)]


def question_key(question: str, code: str) -> frozenset[str]:
    """The words of a question, or its pairs of characters: two questions with mostly the same ones
    are one question asked twice.
    """
    return frozenset(terms(question, code, with_common=True))


def terms(text: str, code: str, with_common: bool = False) -> list[str]:
    """The words of a text that say what it is about, in their order; pairs of characters where a
    language does not space its words.
    """
    split = [token for token in tokens(text, code) if any(map(str.isalnum, token))]
    if not language(code).text.spaced:
        split = [
            one + other if len(one) == len(other) == 1 else other for one, other in pairwise(split)
        ] or split
    common = () if with_common else live_words(code).common
    return [token for token in split if token not in common]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
