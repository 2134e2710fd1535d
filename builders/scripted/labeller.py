"""The scripted raters of `csc label`: offline stand-ins that know a strategy by its words, and that
differ from one another in some turns, as people do.

The first sample of a rater goes by the patterns alone. Every further one is of another mind in
about one turn in six, chosen by a hash of turn and sample: then it names a strategy of the same
stages. An utterance whose sentences speak of a second strategy gets both names.
"""

import json
import re
from collections.abc import Sequence

from builders.labels.asking import MOST, PROMPT
from builders.scripted.phrases import draw, pick
from builders.scripted.reading import read_back, turns_in
from builders.scripted.recognise import recognise
from csc_tasks.conversation import SUPPORTER
from csc_tasks.framework import BY_ID, STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request

OTHERWISE = 1 / 6
_SENTENCE = re.compile(r"[^.!?。！？]+[.!?。！？]*")


def answer(request: Request) -> str:
    """The strategies of the utterance in a prompt, as JSON."""
    language, _, values = read_back(request.messages[:2], PROMPT)
    first = not any(turn.speaker == SUPPORTER for turn in turns_in(values["history"], language))
    named = strategies_in(values["utterance"], language, first=first)
    chance = draw("label", request.item_id, str(request.repeat))
    reason = "By its words."
    if request.repeat and chance.random() < OTHERWISE:
        named = [pick(chance, near(named[0])), *named[1:]]
        reason = "By its words, read another way."
    names = [strategy_name(one, language) for one in dict.fromkeys(named)]
    return json.dumps({"reason": reason, "strategies": names[:MOST]}, ensure_ascii=False)


def strategies_in(utterance: str, language: str, *, first: bool) -> list[str]:
    """The strategy of an utterance, and those of its sentences that are others."""
    main = recognise(utterance, language, first=first)
    sentences = [part for part in _SENTENCE.findall(utterance) if len(part.strip()) > 3]
    more = [recognise(part, language) for part in sentences] if len(sentences) > 1 else []
    return list(dict.fromkeys([main, *(one for one in more if one != "Others")]))


def near(strategy: str) -> list[str]:
    """The strategies that share a stage with this one; of Others, which has none, all."""
    stages = set(BY_ID[strategy].stages)
    shared = [
        one.id
        for one in STRATEGIES
        if one.id != strategy and (not stages or stages & set(one.stages))
    ]
    return shared


def register(stages: Sequence[str]) -> None:
    """Let it play these raters."""
    for stage in stages:
        register_scripted(stage, answer)
