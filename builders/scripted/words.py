"""What the wording of both speakers of the scripted stand-in has in common.

A sentence that was said before in the same dialogue is not said again while there is another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from builders.scripted.phrases import draw, fill, join, pick, soften
from builders.scripted.turns import State


@dataclass(frozen=True, slots=True)
class Speech:
    """One utterance in the making: who speaks at which point, their phrases and slots, and the
    draws of this turn.
    """

    state: State
    speaker: str
    phrases: Mapping
    slots: Mapping[str, str]
    rng: Random

    def one(self, items: Sequence[str]) -> str:
        """One of the phrases that this speaker has not used yet."""
        return fresh(self.rng, items, self.slots, self.state, self.speaker)

    def led(self, lead: str, template: str) -> str:
        """`template` after `lead`, both filled."""
        language = self.state.scenario.language
        return join(language, self.filled(lead), self.filled(_after(language, lead, template)))

    def filled(self, template: str) -> str:
        """`template` with the scenario's values in its slots."""
        return fill(template, self.slots)

    def sentences(self, parts: Sequence[str]) -> str:
        """Several things said in a row."""
        return sentences(self.state.scenario.language, parts)


def speech(state: State, speaker: str) -> Speech:
    """What a speaker has at hand for the next turn."""
    scenario = state.scenario
    return Speech(
        state,
        speaker,
        scenario.phrases.generic[speaker],
        scenario.voice(speaker),
        draw(scenario.seed, len(state.turns), "words"),
    )


def related(state: State, act: str) -> Mapping:
    """The related service that is offered (and asked about when interested), or the other one a
    customer brings up by themselves.
    """
    scenario = state.scenario
    services = scenario.phrases.extras[scenario.problem["desk"]]
    first = int(draw(scenario.seed, "related").random() * len(services))
    return services[(first + (act == "also")) % len(services)]


def off_topic(state: State) -> dict:
    """The customer's remark that has nothing to do with the matter, with answers to it."""
    return pick(draw(state.scenario.seed, "off_topic"), state.scenario.phrases.generic["off_topic"])


def variant(state: State, key: str) -> int:
    """Which of two aligned phrases is meant: a question and its answer, a step and what came of it.
    A second `why` is the other one.
    """
    start = int(draw(state.scenario.seed, "variant", key).random() * 2)
    return (start + max(0, state.acts.count(key) - 1)) % 2 if key == "why" else start


def fresh(rng, items: Sequence[str], slots, state: State, speaker: str) -> str:
    """One of the phrases, filled, that this speaker has not used yet; any of them when all have
    been.
    """
    spoken = [turn.text.casefold() for turn in state.turns if turn.speaker == speaker]
    filled = [fill(item, slots) for item in items]
    unused = [
        i
        for i, text in enumerate(filled)
        if not text or not any(text.strip(" .。").casefold() in old for old in spoken)
    ]
    return items[pick(rng, unused or range(len(items)))]


def sentences(language: str, parts: Sequence[str]) -> str:
    """Several things said in a row."""
    parts = [part for part in parts if part]
    if language == "zh":
        return "".join(closed(language, part) for part in parts[:-1]) + parts[-1]
    return join(language, *(f"{closed(language, part)} " for part in parts)).rstrip()


def closed(language: str, text: str) -> str:
    """`text` with a mark at its end."""
    text = text.rstrip()
    if text.endswith(tuple("。！？….!?")):
        return text
    return text.rstrip("，,") + ("。" if language == "zh" else ".")


def _after(language: str, lead: str, template: str) -> str:
    """`template` as it is written after `lead`."""
    return (
        template
        if not lead or lead.rstrip().endswith((".", "!", "?"))
        else soften(language, template)
    )
