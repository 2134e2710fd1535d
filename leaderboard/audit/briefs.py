"""What a customer does with its brief: when it tells what it knows, what it makes up, and what it
recites.
"""

import math
import re
from functools import lru_cache

from csc_tasks.languages import language as language_of
from csc_tasks.live import Brief
from csc_tasks.metrics.facts import find_facts, has_rules, unsupported
from csc_tasks.metrics.segment import chinese_tokens
from leaderboard.audit.cues import Cues
from leaderboard.audit.turns import Talk

EARLY = 3
"""Turns of a customer that count as its first ones."""
RUN = 4
"""Words in a row that make a quotation of the brief."""
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=4)  # several features ask in a row
def told(talk: Talk) -> list[int] | None:
    """For each fact of the brief the turn that tells it first, -1 where none does; None without a
    brief that has facts.
    """
    if talk.brief is None or not talk.brief.facts:
        return None
    texts = [_normal(turn.text) for turn in talk.turns]
    places = []
    for value in dict.fromkeys(_normal(fact.value) for fact in talk.brief.facts):
        places.append(next((i for i, text in enumerate(texts) if _holds(text, value)), -1))
    return places


def told_first(talk: Talk) -> float:
    """The share of the brief's facts that the first turn tells."""
    places = told(talk)
    return math.nan if places is None else sum(place == 0 for place in places) / len(places)


def told_early(talk: Talk) -> float:
    """The share that the first three turns tell."""
    places = told(talk)
    if places is None:
        return math.nan
    return sum(0 <= place < EARLY for place in places) / len(places)


def told_never(talk: Talk) -> float:
    """The share that no turn tells."""
    places = told(talk)
    return math.nan if places is None else sum(place < 0 for place in places) / len(places)


def told_at_once(talk: Talk) -> float:
    """The largest share of the facts that one turn tells, of those not told before."""
    places = told(talk)
    if places is None:
        return math.nan
    most = max((places.count(place) for place in set(places) - {-1}), default=0)
    return most / len(places)


@lru_cache(maxsize=4)
def invented(talk: Talk) -> list[int] | None:
    """For each turn how many facts it states that neither the brief nor the supporter's words
    before it hold; what the customer itself said earlier is no support. None where there is no
    brief, or no rules find facts in the language.
    """
    if talk.brief is None or not has_rules(talk.language):
        return None
    known = [fact.value for fact in talk.brief.facts] + [talk.brief.aim, talk.brief.manner]
    counts = []
    for turn in talk.turns:
        known.append(turn.before)
        facts = find_facts(turn.text, talk.language)
        missing = unsupported(facts, known, talk.language) if facts else []
        counts.append(len({(fact.kind, fact.value) for fact in missing}))
    return counts


def invented_per_turn(talk: Talk) -> float:
    """Invented facts in a turn, on average."""
    counts = invented(talk)
    return math.nan if not counts else sum(counts) / len(counts)


def inventing_turns(talk: Talk) -> float:
    """The share of turns with an invented fact."""
    counts = invented(talk)
    return math.nan if not counts else sum(map(bool, counts)) / len(counts)


def recited(talk: Talk) -> float:
    """The share of the brief's wording about manner and mood that the customer says word for word,
    in runs of four words (a shorter wording as a whole). Aim and facts may be the recorded
    customer's own words.
    """
    if talk.brief is None:
        return math.nan
    spoken = _runs(talk.text, talk.language)
    runs = set().union(*(_runs(text, talk.language) for text in _instructions(talk.brief)))
    return len(runs & spoken) / len(runs) if runs else 0.0


def role_talk(talk: Talk, cues: Cues) -> float:
    """The share of turns that speak of a role, a brief or a goal: as one who plays."""
    if not talk.turns:
        return math.nan
    return sum(cues.has("role", turn.text) for turn in talk.turns) / len(talk.turns)


def _instructions(brief: Brief) -> list[str]:
    return [brief.manner, brief.mood]


@lru_cache(maxsize=65536)
def _runs(text: str, language: str) -> frozenset[tuple[str, ...]]:
    """All runs of RUN words of a text; of a shorter one the whole, if it has two words at least."""
    own = language_of(language).text.spaced
    tokens = _WORD.findall(text.casefold()) if own else chinese_tokens(text)
    if len(tokens) < RUN:
        return frozenset({tuple(tokens)} if len(tokens) > 1 else ())
    return frozenset(tuple(tokens[i : i + RUN]) for i in range(len(tokens) - RUN + 1))


@lru_cache(maxsize=65536)
def _normal(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _holds(text: str, value: str) -> bool:
    if not value:
        return False
    # Chinese has no spaces around a value.
    return f" {value} " in f" {text} " or (not value.isascii() and value in text)
