"""The scripted stand-in in every role of RoleCS: the same prompts, the same reply formats, no
network.

Each function answers one stage from what the prompt says and the item's id alone. The id gives the
seed of a scripted case (`builders.scripted.player`); the turns so far are read from the prompt's
history. Importing this module registers the functions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise

from builders.rolecs.dialogue import CLOSING, open_strategies
from builders.rolecs.quality import CRITERIA
from builders.scripted.phrases import bank, draw, fill, pick
from builders.scripted.player import (
    Scenario,
    State,
    begin,
    choose_strategy,
    customer_act,
    customer_text,
    hear,
    plan,
    say,
    supporter_text,
)
from builders.scripted.profiles import who, words
from builders.scripted.reading import read_back, turns_in
from builders.turn_forms import known_strategy
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.framework import STRATEGIES, TOPICS
from csc_tasks.languages.labels import strategy_name, topic_label, topic_name
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request

# Cases tried until one suits the customer's mood.
TRIES = 40
# What to do instead of a strategy that was just used twice.
INSTEAD = {
    "PR": "RP",
    "RP": "PS",
    "ID": "PS",
    "PS": "EM",
    "EM": "PS",
    "RI": "FR",
    "FR": "RC",
    "RC": "AC",
    "Others": "PS",
}
# How often a supporter whom no assistant advises, and one writer of both sides, choose any strategy
# instead of the fitting one: made up, so that the three ways of building differ by a known amount,
# in the order of Table 7.
RANDOM_ALONE, RANDOM_WRITER = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Case(Scenario):
    """A scripted scenario whose customer is always asked who they are, as the opening of a
    role-played call wants it.
    """

    @property
    def problem(self):
        problem = self.phrases.problems[self.problem_id]
        return {**problem, "identity": "phone"} if problem["identity"] == "none" else problem


def case(item_id: str, language: str, topic: str, number: int, customer: dict[str, str]) -> Case:
    """The item's case of this number: a problem of the topic, with the customer's name as
    `customer` (see `who`) has it.
    """
    problems = [
        name for name, problem in bank(language).problems.items() if problem["topic"] == topic
    ]
    seed = f"{item_id}/{number}"
    planned = plan(seed, language, pick(draw(seed, "problem"), problems))
    slots = dict(planned.slots)
    for name in ("title", "surname"):
        if name in customer:
            slots[name] = customer[name]
    scenario = {field.name: getattr(planned, field.name) for field in fields(Scenario)}
    return Case(**scenario | {"slots": slots, "opens": "supporter", "doubles": False})


def case_text(planned: Case) -> str:
    """The scenario as the planner writes it."""
    return fill(words(planned.language)["case"], planned.voice("summary"))


@lru_cache(maxsize=4096)
def case_behind(item_id: str, language: str, scenario: str) -> Case:
    """The first of the item's cases that `scenario` tells; its first case where it tells none
    (another model planned it).
    """
    customer = who(language, scenario, "case")

    def shown(topic: str) -> str:
        return (
            topic_label(topic, language)
            if language == "zh"
            else topic.lower().replace("others", "general matters")
        )

    named = {shown(topic): topic for topic in TOPICS}
    topic = named.get(customer.get("topic", ""), TOPICS[0])
    for number in range(TRIES):
        candidate = case(item_id, language, topic, number, customer)
        if case_text(candidate) == scenario:
            return candidate
    return case(item_id, language, topic, 0, customer)


def state_at(planned: Case, turns: Sequence[Turn]) -> State:
    """The state after these turns; a supporter turn without a strategy had the one the stand-in
    would have chosen.
    """
    state = begin(planned)
    for turn in turns:
        if turn.speaker == CUSTOMER:
            state = hear(state, customer_act(state) or "no_more", turn.text)
        else:
            state = _said(state, turn.strategy or next_strategy(state), turn.text)
    return state


def next_strategy(state: State, offered: Sequence | None = None, random: float = 0.0) -> str:
    """The strategy the stand-in chooses among those on offer (default: those that the rules leave
    open).

    `random` is how likely it is to be any of them but the closing one.
    """
    open_now = [strategy.id for strategy in offered or open_strategies(state.turns)]
    if len(open_now) == 1:
        return open_now[0]
    chance = draw(state.scenario.seed, "random choice", len(state.turns))
    if chance.random() < random:
        return pick(chance, [strategy for strategy in open_now if strategy != CLOSING])
    fitting = choose_strategy(state)
    while fitting not in open_now:
        fitting = INSTEAD[fitting]
    return fitting


def _said(state, strategy, text):
    try:
        return say(state, strategy, text)
    except (
        IndexError,
        KeyError,
    ):  # a strategy that the stand-in would have had nothing to say with here
        return replace(
            state,
            turns=(*state.turns, Turn(SUPPORTER, text, strategy)),
            done=(*state.done, "other"),
        )


def planner(request: Request) -> str:
    """A scenario and its goal for the profile and the topic, as JSON: the first of a few drawn ones
    that fits the customer's mood and can be read back from its text.
    """
    language, _, values = read_back(request.messages, "rolecs_planner")
    topic = topic_name(values["topic"])
    customer = who(language, values["profile"], "profile") or who(
        language, values["profile"], "described"
    )
    chosen = case(request.item_id, language, topic, 0, customer)
    for number in range(TRIES):
        planned = case(request.item_id, language, topic, number, customer)
        if (
            planned.mood == customer.get("mood", planned.mood)
            and case_behind(request.item_id, language, case_text(planned)) == planned
        ):
            chosen = planned
            break
    return _json(scenario=case_text(chosen), goal=chosen.goal)


def supporter_assistant(request: Request) -> str:
    """The strategy of the supporter's next turn, as JSON."""
    language, _, values = read_back(request.messages, "rolecs_supporter_assistant")
    state = state_at(
        case_behind(request.item_id, language, values["scenario"]),
        turns_in(values["history"], language),
    )
    return _json(
        strategy=strategy_name(
            next_strategy(state, _offered(values["strategies"], language)), language
        )
    )


def supporter(request: Request) -> str:
    """The supporter's next turn, as JSON, with its strategy where the prompt names none."""
    language, name, values = read_back(
        request.messages, "rolecs_supporter", "rolecs_supporter_alone"
    )
    state = state_at(
        case_behind(request.item_id, language, values["scenario"]),
        turns_in(values["history"], language),
    )
    if name == "rolecs_supporter":
        return _json(reply=_supporter_says(state, known_strategy(values["strategy"])))
    strategy = next_strategy(state, _offered(values["strategies"], language), RANDOM_ALONE)
    return _json(strategy=strategy_name(strategy, language), reply=_supporter_says(state, strategy))


def customer_assistant(request: Request) -> str:
    """What the customer is to do next, as JSON."""
    language, _, values = read_back(request.messages, "rolecs_customer_assistant")
    state = state_at(
        case_behind(request.item_id, language, values["scenario"]),
        turns_in(values["history"], language),
    )
    return _json(direction=words(language)["directions"][customer_act(state) or "no_more"])


def customer(request: Request) -> str:
    """The customer's next turn and whether it is the last, as JSON."""
    language, _, values = read_back(request.messages, "rolecs_customer")
    state = state_at(
        case_behind(request.item_id, language, values["scenario"]),
        turns_in(values["history"], language),
    )
    acts = {text: act for act, text in words(language)["directions"].items()}
    act = acts.get(values["direction"]) or customer_act(state) or "no_more"
    return _json(reply=customer_text(state, act), finished=act in ("no_more", "bye"))


def writer(request: Request) -> str:
    """A whole conversation at once: the same roles, one after the other."""
    language, _, values = read_back(request.messages, "rolecs_whole")
    topic = topic_name(values["topic"])
    planned = case(request.item_id, language, topic, 0, who(language, values["profile"], "profile"))
    state, finished = begin(planned), False
    while len(state.turns) < int(values["cap"]):
        strategy = next_strategy(state, open_strategies(state.turns, finished), RANDOM_WRITER)
        state = _said(state, strategy, _supporter_says(state, strategy))
        if strategy == "AC":
            break
        act = customer_act(state) or "no_more"
        state, finished = hear(state, act, customer_text(state, act)), act == "no_more"
    named = [
        (turn, strategy_name(turn.strategy, language) if turn.strategy else "")
        for turn in state.turns
    ]
    dialogue = [
        {"speaker": turn.speaker, "strategy": name, "text": turn.text} for turn, name in named
    ]
    return _json(scenario=case_text(planned), goal=planned.goal, dialogue=dialogue)


def judge(request: Request) -> str:
    """By rules: a strategy that comes too often or a text that comes twice is not varied; an answer
    without its question is not natural.
    """
    language, _, values = read_back(request.messages, "rolecs_judge")
    turns = turns_in(values["history"], language)
    used = [turn.strategy for turn in turns if turn.speaker == SUPPORTER]
    verdict = dict.fromkeys(CRITERIA, True)
    verdict["varied"] = len(set(used)) >= 5 and len({turn.text for turn in turns}) == len(turns)
    verdict["natural"] = all(before.speaker != after.speaker for before, after in pairwise(turns))
    return _json(reason=why(verdict), **verdict)


def why(verdict: dict[str, bool]) -> str:
    """The reason that the stand-in gives for its verdict."""
    failed = [name for name, holds in verdict.items() if not holds]
    return f"By rule, not {', '.join(failed)}." if failed else "By rule, every point holds."


def _offered(lines, language):
    """The strategies that a prompt lists."""
    names = {
        f"- {strategy_name(s.id, language)}{'：' if language == 'zh' else ': '}": s
        for s in STRATEGIES
    }
    return [s for line in lines.split("\n") for start, s in names.items() if line.startswith(start)]


def _supporter_says(state, strategy):
    try:
        return supporter_text(state, strategy)
    except (IndexError, KeyError):
        # Nothing to say with this strategy here: the words of one that always has some.
        return supporter_text(state, "EM" if strategy != "EM" else "RP")


def _json(**values):
    return json.dumps(values, ensure_ascii=False)


for _function in (
    planner,
    supporter_assistant,
    supporter,
    customer_assistant,
    customer,
    writer,
    judge,
):
    register_scripted(_function.__name__, _function)
