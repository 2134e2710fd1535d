"""An offline stand-in for a language model: it plans support calls and plays both sides of them,
one reply at a time.

    plan(seed, language, problem_id) -> Scenario        the planner
    customer_act(state) -> act                          the customer's assistant: what to do next
    customer_text(state, act) -> text                   the customer
    choose_strategy(state) -> strategy id               the supporter's assistant
    supporter_text(state, strategy) -> text             the supporter
    hear(state, act, text), say(state, strategy, text)  the state after a turn

All of them are functions of their arguments: the same scenario always gives the same dialogue, on
every machine.
"""

from collections.abc import Iterator

from builders.scripted.customer import customer_text
from builders.scripted.plan import Scenario, plan
from builders.scripted.supporter import supporter_text
from builders.scripted.turns import (
    State,
    begin,
    choose_strategy,
    customer_act,
    hear,
    say,
    strategies,
    supporter_speaks,
)

__all__ = [
    "Scenario",
    "State",
    "begin",
    "choose_strategy",
    "customer_act",
    "customer_text",
    "hear",
    "plan",
    "play",
    "say",
    "state_after",
    "strategies",
    "supporter_speaks",
    "supporter_text",
]


def play(scenario: Scenario) -> Iterator[State]:
    """The states of the whole dialogue, one after each turn."""
    state = begin(scenario)
    while True:
        if supporter_speaks(state):
            strategy = choose_strategy(state)
            state = say(state, strategy, supporter_text(state, strategy))
        else:
            act = customer_act(state)
            if not act:
                return
            state = hear(state, act, customer_text(state, act))
        yield state
        if state.act == "bye":
            return


def state_after(scenario: Scenario, turns: int) -> State:
    """The state after this many turns of the scenario's own dialogue (its last state where it is
    shorter).
    """
    state = begin(scenario)
    for count, reached in enumerate(play(scenario), 1):
        if count > turns:
            break
        state = reached
    return state
