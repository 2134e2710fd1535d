"""What there is to count in a live conversation, made of the logged dialogue alone, so that anyone
can count it again.

Numbers are of one conversation. None stands where there is nothing to say: of what the customer
did not decide, of a rule that needs facts where the brief has none, of a language without rules.
"""

import re
from collections.abc import Sequence

from csc_tasks.conversation import CUSTOMER, SUPPORTER
from csc_tasks.languages import language
from csc_tasks.live.asked import question_key, questions, slots_asked, slots_named
from csc_tasks.live.dialogue import (
    CAP,
    FAILED,
    GAVE_UP,
    SATISFIED,
    TRANSFERRED,
    Brief,
    LiveDialogue,
    LiveTurn,
)
from csc_tasks.metrics.facts import find_facts, has_rules, unsupported
from csc_tasks.metrics.stage_order import fewest_backward_moves, has_stages

SAME_QUESTION = 0.8
"""Two questions are one asked twice where they share so much of all their words (Jaccard)."""
SOLVES = ("PS", "ID", "RI")
"""The strategies of the stage Resolving by which something is solved."""

Numbers = dict[str, float | None]


def measures(dialogue: LiveDialogue) -> Numbers:
    """The metrics of one live conversation by name (csc_tasks/metrics/live_metrics.py)."""
    supporter = [turn for turn in dialogue.turns if turn.speaker == SUPPORTER]
    customer = [turn for turn in dialogue.turns if turn.speaker == CUSTOMER]
    decided = dialogue.ending != FAILED
    strategies = [turn.strategy for turn in supporter]
    goal = dialogue.goal if decided else None
    return {
        "goal_reached": None if goal is None else float(goal),
        "goal_by_rule": _goal_by_rule(dialogue) if decided else None,
        **{
            name: float(dialogue.ending == ending) if decided else None
            for name, ending in (
                ("satisfied", SATISFIED),
                ("gave_up", GAVE_UP),
                ("transferred", TRANSFERRED),
                ("capped", CAP),
            )
        },
        "live_turns": float(len(supporter)) if decided else None,
        "in_stage_order": _in_order(strategies),
        "strategies_used": _share_or_none(len({*strategies} - {None}), 1, bool(supporter)),
        "no_strategy": _share_or_none(strategies.count(None), len(supporter)),
        "repeated_questions": _share_or_none(_repeated(dialogue, supporter), len(supporter)),
        "facts_asked_again": _asked_again(dialogue, len(supporter)),
        "live_unsupported": _unsupported(dialogue, len(supporter)),
        "unfit": _share_or_none(
            sum(turn.unfit for turn in customer),
            len(customer),
            dialogue.customer == "recorded",
        ),
        "customer_failed": float(not decided),
    }


def _share_or_none(count: int, of: int, known: bool = True) -> float | None:
    return count / of if known and of else None


def _in_order(strategies: Sequence[str | None]) -> float | None:
    return float(not fewest_backward_moves(strategies)) if has_stages(strategies) else None


def _repeated(dialogue: LiveDialogue, supporter: Sequence[LiveTurn]) -> int:
    """How many supporter turns ask a question that an earlier turn has asked."""
    before: list[frozenset[str]] = []
    count = 0
    for turn in supporter:
        keys = [question_key(text, dialogue.language) for text in _asked(turn, dialogue)]
        count += any(_alike(key, other) for key in keys for other in before)
        before += keys
    return count


def _asked(turn: LiveTurn, dialogue: LiveDialogue) -> list[str]:
    return questions(turn.text, dialogue.language)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    every = one | other
    return bool(every) and len(one & other) >= SAME_QUESTION * len(every)


def _asked_again(dialogue: LiveDialogue, count: int) -> float | None:
    """The share of supporter turns that ask for a fact of the brief which the customer had told."""
    slots = _needed(dialogue.brief)
    if dialogue.brief is None or not slots or not count:
        return None
    told: set[str] = set()
    again = 0
    for turn in dialogue.turns:
        if turn.speaker == CUSTOMER:
            told |= {
                slot for slot, values in slots.items() if _says(turn, values, dialogue.language)
            }
        else:
            again += any(slot in told for slot in slots_asked(turn.text, dialogue.language))
    return again / count


def _unsupported(dialogue: LiveDialogue, count: int) -> float | None:
    """The share of supporter turns with a fact that the customer has not said before. What the
    supporter said itself supports nothing.
    """
    if not has_rules(dialogue.language) or not count:
        return None
    said: list[str] = []
    bad = 0
    for turn in dialogue.turns:
        if turn.speaker == CUSTOMER:
            said.append(turn.text)
        else:
            facts = find_facts(turn.text, dialogue.language)
            bad += bool(unsupported(facts, said, dialogue.language))
    return bad / count


def _goal_by_rule(dialogue: LiveDialogue) -> float | None:
    """Whether the customer was asked out of all that the recorded supporter needed, and something
    was then done, explained or suggested, without the customer giving up. None where the recorded
    supporter needed nothing.
    """
    slots = _needed(dialogue.brief)
    if not slots:
        return None
    missing, code = set(slots), dialogue.language
    solved = False
    for turn in dialogue.turns:
        if turn.speaker == CUSTOMER:
            before = set(missing)
            missing -= {slot for slot in missing if _says(turn, slots[slot], code)}
            solved = solved and before == missing
        else:
            solved = solved or (not missing and turn.strategy in SOLVES)
    return float(solved and dialogue.ending != GAVE_UP)


def _needed(brief: Brief | None) -> dict[str, list[str]]:
    """The slots that a brief's facts fill, and what fills each."""
    slots: dict[str, list[str]] = {}
    for fact in brief.facts if brief else ():
        assert brief is not None, "there are facts in it"
        # A value that is blank is told by nothing that anybody says.
        for slot in slots_named(fact.name, brief.language) if fact.value.strip() else ():
            slots.setdefault(slot, []).append(_plain(fact.value))
    return slots


def _says(turn: LiveTurn, values: Sequence[str], code: str) -> bool:
    """Whether a turn holds one of the values, and not as a part of a longer word or number."""
    text, spaced = _plain(turn.text), language(code).text.spaced
    return any(re.search(_whole(value, spaced), text) for value in values)


def _whole(value: str, spaced: bool) -> str:
    # Where words are not spaced, only Latin letters and digits end somewhere.
    word = r"\w" if spaced else "[0-9a-z]"
    before = rf"(?<!{word})" if re.match(word, value) else ""
    after = rf"(?!{word})" if re.match(word, value[-1]) else ""
    return before + re.escape(value) + after


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
