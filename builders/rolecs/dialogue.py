"""One RoleCS conversation: whose turn it is, which strategies are open, and when it is over.

The supporter opens with Greeting, and its second turn is Identity Verification; both sides take
turns. No strategy is used more than twice in a row. The supporter ends the conversation by choosing
Appreciation and Closure; when the customer says that they are finished, the supporter closes with
it. So the supporter has the last word, as in the published set (Table 5: one supporter utterance
more than customer utterances in each of the 11,232 conversations). After 50 utterances nothing more
is said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from builders.rolecs.roles import Roles
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.framework import BY_ID, STRATEGIES, Strategy
from csc_tasks.llm.outcomes import Dropped

CAP = 50
IN_A_ROW = 2
# Choosings of a strategy that is not open, after which the conversation goes.
CHOICES = 3

OPENING = ("GT", "IV")
CLOSING = "AC"

BY_CLOSURE = "the supporter's closure"
BY_CUSTOMER = "the customer"


@dataclass(frozen=True, slots=True)
class Played:
    """A conversation as it was played: its turns, the planner's words, and who ended it."""

    turns: tuple[Turn, ...]
    scenario: str
    goal: str
    ended_by: str


def open_strategies(turns: Sequence[Turn], finished: bool = False) -> tuple[Strategy, ...]:
    """The strategies that the next supporter turn may have; only one at the opening and after a
    `finished` customer.
    """
    used = [turn.strategy for turn in turns if turn.speaker == SUPPORTER]
    if len(used) < len(OPENING):
        return (BY_ID[OPENING[len(used)]],)
    if finished:
        return (BY_ID[CLOSING],)
    last = used[-IN_A_ROW:]
    barred = last[0] if len(set(last)) == 1 else ""
    return tuple(strategy for strategy in STRATEGIES if strategy.id != barred)


async def play(roles: Roles, counts: Counter, assistant: bool = True, cap: int = CAP) -> Played:
    """Play one conversation from the plan to its end; `assistant`: whether the supporter has one.

    `counts` takes what the rules did: "refused: ..." for a choice that was not open. Raises Dropped
    for a conversation without an end within `cap` utterances, for one in which nothing but a barred
    strategy is ever chosen, and what `LLM.ask` raises.
    """
    plan = await roles.plan()
    turns: list[Turn] = []
    finished = False
    while len(turns) < cap:
        strategy, text = await _supporter(
            roles, turns, open_strategies(turns, finished), plan.scenario, counts, assistant
        )
        turns.append(Turn(SUPPORTER, text, strategy))
        if finished or strategy == CLOSING:
            return Played(
                tuple(turns), plan.scenario, plan.goal, BY_CUSTOMER if finished else BY_CLOSURE
            )
        if len(turns) == cap:
            break
        direction = await roles.direct(turns, plan.goal, plan.scenario)
        reply = await roles.speak(turns, direction, plan.scenario)
        turns.append(Turn(CUSTOMER, reply.reply))
        finished = reply.finished
    if finished:
        return Played(tuple(turns), plan.scenario, plan.goal, BY_CUSTOMER)
    raise Dropped(f"no end within {cap} utterances", turns[-1].text)


async def _supporter(roles, turns, offered, scenario, counts, assistant):
    """(strategy id, text) of the next supporter turn."""
    if assistant and len(offered) == 1:
        return offered[0].id, await roles.support(turns, offered[0], scenario)
    for repeat in range(CHOICES):
        if assistant:
            name, text = await roles.choose(turns, offered, scenario, repeat), None
        else:
            name, text = await roles.choose_and_support(turns, offered, scenario, repeat)
        if BY_ID[name] in offered:
            return name, await roles.support(turns, BY_ID[name], scenario) if text is None else text
        counts[
            (
                "opening or closing not kept to"
                if len(offered) == 1
                else f"a strategy more than {IN_A_ROW} times in a row"
            )
        ] += 1
    reason = (
        "a strategy out of place"
        if len(offered) == 1
        else f"a strategy more than {IN_A_ROW} times in a row"
    )
    raise Dropped(f"supporter: {reason}", f"{CHOICES} choices, at last {name}")
