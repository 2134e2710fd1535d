"""Which strategy a supporter utterance has, and which topic a dialogue: read off the words by rule,
in Chinese and English.

First the stand-in's own phrases are looked for: `builders.scripted.words` made the demo's sentences
from templates, and a template whose words (all but its slots) stand in the text in their order
votes for its strategy with their length. Text from elsewhere has none of them; there the first of
the patterns in `phrases/{zh,en}_recognise.yaml` that fits decides.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache

from builders.scripted.phrases import FOLDER, Bank, bank, check_spoken
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.framework import BY_ID

# Templates count as found from this share of a text's letters on; less is chance ("Sure, " or a
# wish at the end).
LEAST_SHARE = 0.2

# Which strategy speaks through a problem's phrases. Its questions are under `ask`.
_OF_PROBLEM = {
    "restate": "RP",
    "policy": "ID",
    "limit": "ID",
    "step": "PS",
    "step2": "PS",
    "alternative": "PS",
    "act": "RI",
}
_SLOT = re.compile(r"\{\w+\}")
_NO_LETTER = re.compile(r"[\W_]+")


def recognise(text: str, language: str, *, first: bool = False, last: bool = False) -> str:
    """The id of the strategy of a supporter utterance; `first` and `last`: whether it is the
    supporter's first or last one.
    """
    letters = _plain(text)
    votes = _votes(letters, language)
    if votes and votes[0][1] >= LEAST_SHARE * len(letters):
        return votes[0][0]
    place = {name for name, there in (("first", first), ("last", last)) if there}
    for strategy, pattern, where in _patterns(language):
        if (not where or where in place) and pattern.search(text):
            return strategy
    return "Others"


def recognised(turns: Sequence[Turn], language: str) -> list[str]:
    """For every turn the strategy of a supporter turn, "" for a customer turn."""
    spoken = [i for i, turn in enumerate(turns) if turn.speaker == SUPPORTER]
    strategies = [""] * len(turns)
    for i in spoken:
        strategies[i] = recognise(
            turns[i].text, language, first=i == spoken[0], last=i == spoken[-1]
        )
    return strategies


def topic_of(turns: Sequence[Turn], language: str) -> str:
    """The English name of the topic that a dialogue is about: by the phrases of the stand-in's
    problems, else by words, else Others.
    """
    texts = [_plain(turn.text) for turn in turns]
    votes: Counter = Counter()
    for pieces, topic in _topic_phrases(language):
        if any(_has(text, pieces) for text in texts):
            votes[topic] += sum(map(len, pieces))
    if votes:
        return votes.most_common(1)[0][0]
    asked = "\n".join(turn.text for turn in turns if turn.speaker == CUSTOMER)
    hits = {topic: len(pattern.findall(asked)) for topic, pattern in _topic_words(language).items()}
    topic = max(hits, key=hits.__getitem__)
    return topic if hits[topic] else "Others"


@lru_cache(maxsize=4096)
def _votes(letters: str, language: str) -> list[tuple[str, int]]:
    """(strategy, length of the pieces found), the longest first; a piece that several templates of
    a strategy share counts once.
    """
    pieces_of: dict[str, set[str]] = {}
    spoken = set()
    for pieces, strategy, whole in _phrases(language):
        if _has(letters, pieces):
            pieces_of.setdefault(strategy, set()).update(pieces)
            spoken |= {strategy} if whole else set()
    return Counter(
        {
            strategy: sum(map(len, pieces))
            for strategy, pieces in pieces_of.items()
            if strategy in spoken
        }
    ).most_common()


def _has(letters: str, pieces: tuple[str, ...]) -> bool:
    place = 0
    for piece in pieces:
        place = letters.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True


@cache
def _phrases(language: str) -> list[tuple[tuple[str, ...], str, bool]]:
    """(pieces, strategy, whether it says something by itself) of every template of one strategy
    alone that has words of its own.
    """
    owners: dict[tuple[str, ...], set[tuple[str, bool]]] = {}
    for strategy, template, whole in _supporter_templates(bank(language)):
        owners.setdefault(_pieces(template, language), set()).add((strategy, whole))
    shortest = {"zh": 3, "en": 8}[language]
    return [
        (pieces, *next(iter(of)))
        for pieces, of in owners.items()
        if len(of) == 1 and sum(map(len, pieces)) >= shortest
    ]


def _supporter_templates(phrases: Bank) -> Iterator[tuple[str, str, bool]]:
    generic = phrases.generic
    for key, templates in generic["supporter"].items():
        strategy, _, rest = key.partition("_")
        if strategy in BY_ID:
            lists = [templates] if isinstance(templates, list) else templates.values()
            whole = not rest.startswith(("lead", "tail", "again", "checked"))
            yield from (
                (strategy, template, whole) for templates in lists for template in templates
            )
    # A closing may be a wish and nothing else, and the templates have it as a slot.
    yield from (("AC", wish, True) for wish in generic["supporter"]["wish"])
    yield from (
        ("Others", answer, True) for remark in generic["off_topic"] for answer in remark["a"]
    )
    for problem in phrases.problems.values():
        yield from (
            ("PR", question, True) for asked in problem["ask"].values() for question in asked["q"]
        )
        yield from (
            (strategy, template, True)
            for key, strategy in _OF_PROBLEM.items()
            for template in problem.get(key, ())
        )
    for services in phrases.extras.values():
        yield from (
            (strategy, service[key], True)
            for service in services
            for key, strategy in (("offer", "RC"), ("more", "ID"))
        )


@cache
def _topic_phrases(language: str) -> list[tuple[tuple[str, ...], str]]:
    """(pieces, topic) of what is said about the problems of one topic alone."""
    owners: dict[tuple[str, ...], set[str]] = {}
    for problem in bank(language).problems.values():
        asked = [
            template
            for exchange in problem["ask"].values()
            for template in (*exchange["q"], *exchange["a"])
        ]
        told = [
            template
            for key in ("vague", "full", "restate", "policy", "why", "do", "act")
            for template in problem.get(key, ())
        ]
        for template in (*asked, *told):
            owners.setdefault(_pieces(template, language), set()).add(problem["topic"])
    shortest = {"zh": 7, "en": 18}[language]
    return [
        (pieces, min(topics))
        for pieces, topics in owners.items()
        if len(topics) == 1 and sum(map(len, pieces)) >= shortest
    ]


def _pieces(template: str, language: str) -> tuple[str, ...]:
    """The words between the slots, as `_plain` writes them."""
    pieces = []
    for piece in _SLOT.split(template):
        # The article before a slot becomes "an" where the value asks for it, and 您 is left out
        # after 是.
        trimmed = re.sub(r"\b[Aa]n? $", "", piece) if language == "en" else piece.removeprefix("您")
        pieces.append(_plain(trimmed))
    return tuple(filter(None, pieces))


def _plain(text: str) -> str:
    """Letters and digits alone: marks and spaces differ between a template and the sentence made
    from it.
    """
    return _NO_LETTER.sub("", text.casefold())


@cache
def words(language: str) -> Mapping:
    """What `phrases/{language}_recognise.yaml` holds: patterns of strategies and topics, and what
    the rewriter puts in.
    """
    import yaml

    check_spoken(language)
    return yaml.safe_load((FOLDER / f"{language}_recognise.yaml").read_text(encoding="utf-8"))


@cache
def _patterns(language: str) -> list[tuple[str, re.Pattern, str]]:
    """(strategy, pattern, "" or first or last) in the order in which they are tried."""
    return [
        (strategy, re.compile(pattern, re.IGNORECASE), where)
        for strategy, pattern, where in words(language)["strategies"]
    ]


@cache
def _topic_words(language: str) -> dict[str, re.Pattern]:
    return {
        topic: re.compile("|".join(topic_words), re.IGNORECASE)
        for topic, topic_words in words(language)["topics"].items()
    }
