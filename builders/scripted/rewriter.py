"""The scripted stand-in in the stages of csc build csconv (check, topic, rewrite, judge, label):
any text, Chinese and English.

It rewrites as a model is told to, and invents nothing that it need not: both sides keep their
words, placeholders take the place of personal data, what one side said in a row is joined, each
supporter turn gets the strategy that `builders.scripted.recognise` reads off it, and a greeting, an
identity check (with the customer's answer) and a farewell are put in where the original has none.
One rewrite in eight, by the item's id, keeps a system note at its end, as some models do. The judge
says no, by rule: to a side that says the same thing of some length more than three times
(coherent), to an upset customer whom no supporter turn answers (empathetic), and to a dialogue in
which Others is the most frequent strategy or the farewell comes before the last third
(strategies_fit).
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from builders.scripted import roles
from builders.scripted.masking import masked
from builders.scripted.phrases import draw, pick
from builders.scripted.reading import read_back, turns_in
from builders.scripted.recognise import recognised, topic_of, words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn, merge_neighbours
from csc_tasks.errors import DataError
from csc_tasks.languages.labels import strategy_name, topic_label
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request

# How often one side may say the same.
MOST_REPEATS = 3

_NUMBER = re.compile(r"^\(\d+\) ")


def check(request: Request) -> str:
    """Abusive or unprofessional where one of the listed words stands."""
    language, _, values = read_back(request.messages, "csconv_check")
    turns = turns_in(values["dialogue"], language)
    spoken = {
        speaker: "\n".join(turn.text for turn in turns if turn.speaker == speaker)
        for speaker in (CUSTOMER, SUPPORTER)
    }
    matches = {
        "abusive": _any_of(language, "abusive").search("\n".join(spoken.values())),
        "unprofessional": _any_of(language, "unprofessional").search(spoken[SUPPORTER]),
    }
    said = [f"{name}: {word[0]!r}" for name, word in matches.items() if word]
    return _json(
        reason="; ".join(said)[:200] or "None of the listed words is said.",
        **{name: bool(word) for name, word in matches.items()},
    )


def topic(request: Request) -> str:
    """The topic of a dialogue, as JSON, by the words in it."""
    language, _, values = read_back(request.messages, "csconv_topic")
    named = topic_of(turns_in(values["dialogue"], language), language)
    return _json(topic=topic_label(named, language))


def rewrite(request: Request) -> str:
    """The dialogue with a strategy for every supporter turn, as JSON; one in eight ends with a
    system note, as models like to add one.
    """
    language, _, values = read_back(request.messages, "csconv_rewrite")
    turns = rewritten(turns_in(values["dialogue"], language), language, request.item_id)
    named = [
        (turn, strategy_name(turn.strategy, language) if turn.strategy else "") for turn in turns
    ]
    dialogue = [
        {"speaker": turn.speaker, "strategy": name, "text": turn.text} for turn, name in named
    ]
    if draw(request.item_id, "note").random() < 0.125:
        dialogue.append(
            {"speaker": "system", "strategy": "", "text": words(language)["closing_note"]}
        )
    return _json(dialogue=dialogue)


def rewritten(original: Sequence[Turn], language: str, item_id: str) -> list[Turn]:
    """The original as a labelled dialogue that strictly alternates; `item_id` chooses among the
    wordings of what is put in.
    """
    joined, _ = merge_neighbours(original, " " if language == "en" else "")
    strategies = recognised(joined, language)
    turns = [
        Turn(turn.speaker, turn.text, strategy)
        for turn, strategy in zip(masked(joined, language), strategies, strict=True)
    ]
    rng = draw(item_id, "rewrite")

    def phrase(name: str, speaker: str, strategy: str = "") -> Turn:
        return Turn(speaker, pick(rng, words(language)["insert"][name]), strategy)

    used = {turn.strategy for turn in turns}
    if "GT" not in used:
        hello_back = [phrase("hello_back", CUSTOMER)] if turns[0].speaker == SUPPORTER else []
        turns = [phrase("hello", SUPPORTER, "GT"), *hello_back, *turns]
    if "IV" not in used:
        # Once the customer has said something, before the supporter first answers it.
        place = next(
            (
                i
                for i, turn in enumerate(turns)
                if turn.speaker == SUPPORTER and turn.strategy != "GT" and i > 1
            ),
            len(turns),
        )
        if place == len(turns) and turns[-1].speaker == SUPPORTER:
            turns.append(phrase("hello_back", CUSTOMER))
            place += 1
        turns[place:place] = [
            phrase("identity", SUPPORTER, "IV"),
            phrase("identity_answer", CUSTOMER),
        ]
    if "AC" not in used:
        if turns[-1].speaker == SUPPORTER:
            turns.append(phrase("thanks", CUSTOMER))
        turns.append(phrase("closing", SUPPORTER, "AC"))
    return turns


def judge(request: Request) -> str:
    """The judge of csc build csconv; that of csc build rolecs, whose stage has the same name, where
    the prompt is that one's.
    """
    try:
        language, _, values = read_back(request.messages, "csconv_judge")
    except DataError:
        return roles.judge(request)
    turns = turns_in(values["history"], language)
    spoken = Counter(
        (turn.speaker, turn.text)
        for turn in turns
        if len(turn.text) > {"zh": 8, "en": 20}[language]
    )
    used = [turn.strategy for turn in turns if turn.speaker == SUPPORTER]
    upset = any(
        _any_of(language, "upset").search(turn.text) for turn in turns if turn.speaker == CUSTOMER
    )
    answered = "EM" in used or any(
        _any_of(language, "caring").search(turn.text) for turn in turns if turn.speaker == SUPPORTER
    )
    last = max((i for i, strategy in enumerate(used) if strategy == "AC"), default=-1)
    verdict = {
        "coherent": max(spoken.values(), default=0) <= MOST_REPEATS,
        "empathetic": answered or not upset,
        "strategies_fit": Counter(used).most_common(1)[0][0] != "Others"
        and 3 * (last + 1) > 2 * len(used),
    }
    return _json(reason=roles.why(verdict), **verdict)


def label(request: Request) -> str:
    """The strategy of every supporter turn, numbered from 1, as JSON."""
    language, _, values = read_back(request.messages, "csconv_label")
    turns = [
        Turn(turn.speaker, _NUMBER.sub("", turn.text))
        for turn in turns_in(values["dialogue"], language)
    ]
    named = [
        strategy_name(strategy, language) for strategy in recognised(turns, language) if strategy
    ]
    return _json(
        labels=[{"number": number, "strategy": name} for number, name in enumerate(named, 1)]
    )


@cache
def _any_of(language: str, name: str) -> re.Pattern:
    return re.compile("|".join(words(language)[name]), re.IGNORECASE)


def _json(**values) -> str:
    return json.dumps(values, ensure_ascii=False)


def register() -> None:
    """Let these functions play the stages. Called by the verb and not on import: another verb has a
    stage of the same name.
    """
    for function in (check, topic, rewrite, judge, label):
        register_scripted(function.__name__, function)
