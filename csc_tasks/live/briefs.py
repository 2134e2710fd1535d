"""Briefs by rule, from nothing but what the recorded customer said; and whether a brief, however it
was made, keeps the recorded supporter's words to itself.

The name of a fact says what the supporter asked for before it was told, from the language's list of
slots: which is the list's word, never the supporter's.
"""

import hashlib
import json
import re
from collections.abc import Iterable

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation
from csc_tasks.languages import Live, Manner, Mood, language
from csc_tasks.live.asked import live_words, matches, questions, slots_asked
from csc_tasks.live.dialogue import Brief, Fact
from csc_tasks.metrics.facts import find_facts, has_rules
from csc_tasks.metrics.segment import tokens

FEWEST_WORDS = 3
"""A first turn of fewer words is a greeting, and the aim is looked for in the next."""
QUOTED = {True: 6, False: 12}
"""So many words (or characters, where words are not spaced) in a row that only the recorded
supporter said are a quotation.
"""
NAME_WORDS = 3
METHOD = "rule:1"
"""Names the rules in a run's record; the number moves when they do."""


def brief_by_rule(conversation: Conversation) -> Brief:
    """The brief of a recorded conversation, by rule. Raises SettingError for a language without
    live conversations.
    """
    code, words = conversation.language, live_words(conversation.language)
    said = [turn.text for turn in conversation.dialogue if turn.speaker == CUSTOMER]
    facts, unknown = _told(conversation, words)
    asked = [question for text in said for question in questions(text, code) if "[" not in question]
    return Brief(
        conversation_id=conversation.conversation_id,
        facts=tuple(facts),
        aim=conversation.goal or _aim(said, code),
        manner=words.manners[_manner(said, code, words)],
        mood=words.moods[_mood(said, words)],
        unknown=tuple(dict.fromkeys([*unknown, *asked])),
        language=code,
    )


def briefs_hash(briefs: Iterable[Brief]) -> str:
    """sha256 (16 hex digits) over briefs in the order of their ids."""
    digest = hashlib.sha256()
    for brief in sorted(briefs, key=lambda one: one.conversation_id):
        digest.update(json.dumps(brief.to_json(), ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def quoted_supporter(brief: Brief, conversation: Conversation) -> str:
    """The first words in a row of a brief that the recorded supporter said and the customer did
    not; "" where there are none.
    """
    code, most = conversation.language, QUOTED[language(conversation.language).text.spaced]
    spoken: dict[str, set[tuple[str, ...]]] = {SUPPORTER: set(), CUSTOMER: set()}
    for turn in conversation.dialogue:
        spoken[turn.speaker].update(_runs(turn.text, code, most))
    for text in (conversation.profile, conversation.scenario, conversation.goal):
        spoken[CUSTOMER].update(_runs(text, code, most))
    only = spoken[SUPPORTER] - spoken[CUSTOMER]
    texts = [brief.aim, brief.manner, brief.mood, *brief.unknown]
    texts += [text for fact in brief.facts for text in (fact.name, fact.value)]
    for text in texts:
        for run in _runs(text, code, most):
            if run in only:
                return (" " if language(code).text.spaced else "").join(run)
    return ""


def _runs(text: str, code: str, most: int) -> list[tuple[str, ...]]:
    words = [token for token in tokens(text, code) if any(map(str.isalnum, token))]
    return [tuple(words[start : start + most]) for start in range(len(words) - most + 1)]


def _told(conversation: Conversation, words: Live) -> tuple[list[Fact], list[str]]:
    """The facts that the customer told, each once, those that were asked for under their slot; and
    the slots that it could not fill.
    """
    code = conversation.language
    facts: dict[str, Fact] = {}
    unknown: list[str] = []
    asked: list[str] = []
    for turn in conversation.dialogue:
        if turn.speaker == SUPPORTER:
            asked = slots_asked(turn.text, code)
            continue
        there = find_facts(turn.text, code) if has_rules(code) else []
        for slot in asked:
            if matches(words.denials, turn.text):
                unknown.append(slot)
            elif value := _value(turn.text, slot, words, code, len(asked) == 1):
                facts.setdefault(value.casefold(), Fact(slot, value))
        for fact in there:
            if not any(fact.text.casefold() in value for value in facts):
                facts[fact.text.casefold()] = Fact(words.mentioned, fact.text)
        asked = []
    named = {fact.name for fact in facts.values()}
    return list(facts.values()), [slot for slot in unknown if slot not in named]


def _value(text: str, slot: str, words: Live, code: str, alone: bool) -> str:
    """What of a turn fills a slot: a fact of its kind, or the whole of a short turn where nothing
    else was asked; "" where nothing does.
    """
    there = find_facts(text, code) if has_rules(code) else []
    whole = text.strip().strip(".!,;。！，；").strip()
    # Of a name alone, the rules miss the first word: it has its capital as a sentence does.
    named = "name" in words.slots[slot].kinds and any(fact.kind == "name" for fact in there)
    if alone and named and len(whole.split()) <= NAME_WORDS:
        return whole
    for kind in words.slots[slot].kinds:
        if value := next((fact.text for fact in there if fact.kind == kind), ""):
            return value
    # What stands in place of a name or a number in masked data fills its slot too.
    if masked := re.search(r"\[[^\[\]\d\n]{1,40}\]", text):
        return masked[0] if alone else ""
    short = 0 < _length(whole, code) <= words.longest_value
    return whole if alone and short and not questions(text, code) else ""


def _aim(said: list[str], code: str) -> str:
    for text in said[:2]:
        if _length(text, code) > (FEWEST_WORDS if language(code).text.spaced else FEWEST_WORDS * 2):
            return text
    return max(said[:2], key=len, default="")


def _manner(said: list[str], code: str, words: Live) -> Manner:
    mean = sum(_length(text, code) for text in said) / max(1, len(said))
    short, long = words.long_turn
    if mean < short:
        return "short"
    return "medium" if mean < long else "long"


def _mood(said: list[str], words: Live) -> Mood:
    start = " ".join(said[:2])
    if matches(words.annoyed, start):
        return "annoyed"
    return "worried" if matches(words.worried, start) else "calm"


def _length(text: str, code: str) -> int:
    return len(text.split()) if language(code).text.spaced else len("".join(text.split()))
