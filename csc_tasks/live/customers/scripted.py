"""The scripted customer: it follows rules and knows its brief. It is for tests, and as the plainest
customer that a simulation can be held against.

It opens with its aim, fills the slots that it is asked for from the facts of its brief, says that
it does not know anything else, does what is suggested, and is satisfied once the supporter says
that something was done, asks how it went, or says goodbye; or when it was given two suggestions. It
gives up when it is asked the same thing three times, and is transferred when it is told so.
"""

from concurrent.futures import Future

from csc_tasks.conversation import CUSTOMER, SUPPORTER
from csc_tasks.languages import Live, language
from csc_tasks.live.asked import live_words, matches, questions, slots_asked, slots_named
from csc_tasks.live.customers.customer import Move, Part, known
from csc_tasks.live.dialogue import GAVE_UP, SATISFIED, TRANSFERRED, Brief, LiveTurn
from csc_tasks.llm.prompting import render

VERSION = "scripted:1"
"""Names the rules in a run's record; the number moves when they do."""
DONE = ("RI", "FR", "AC")
"""Strategies of a supporter who has settled it, or thinks so."""
HELPS = ("PS", "ID")
PATIENCE = 3


class ScriptedCustomer:
    """Plays every customer by rule."""

    def answer(self, part: Part, turns: tuple[LiveTurn, ...]) -> "Future[Move]":
        """What the rules say after these turns."""
        return known(_move(part.brief, turns))

    def close(self) -> None:
        """Nothing is open."""


def _move(brief: Brief, turns: tuple[LiveTurn, ...]) -> Move:
    code, words = brief.language, live_words(brief.language)
    if not any(turn.speaker == CUSTOMER for turn in turns):
        return Move(_filled(words.opening, aim=brief.aim))
    heard = [turn for turn in turns if turn.speaker == SUPPORTER]
    last = heard[-1]
    if matches(words.transfers, last.text):
        return Move(words.transferred, TRANSFERRED, False)
    if sum(turn.text == last.text for turn in heard) >= PATIENCE:
        return Move(words.gave_up, GAVE_UP, False)
    asked = slots_asked(last.text, code)
    if asked:
        return Move(_given(brief, asked, words))
    helped = sum(turn.strategy in HELPS for turn in heard)
    closes = matches(words.closings, last.text)
    if last.strategy in DONE or closes or helped >= 2:
        return Move(words.satisfied, SATISFIED, True)
    if last.strategy in HELPS:
        return Move(words.accepts)
    if questions(last.text, code):
        before = [turn for turn in heard[:-1] if questions(turn.text, code)]
        return Move(words.lacks if before else _filled(words.insists, aim=brief.aim))
    return Move(words.accepts)


def _given(brief: Brief, asked: list[str], words: Live) -> str:
    """The facts of the brief that fill these slots, or that it does not know."""
    joint = " " if language(brief.language).text.spaced else ""
    values = [
        fact.value
        for slot in asked
        for fact in brief.facts
        if slot in slots_named(fact.name, brief.language)
    ]
    told = [_filled(words.gives, value=value) for value in dict.fromkeys(values)]
    return joint.join(told) or words.lacks


def _filled(template: str, **values: str) -> str:
    return render(template, values, "live.yaml")
