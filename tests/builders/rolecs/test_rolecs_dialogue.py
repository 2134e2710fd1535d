"""The rules of a RoleCS dialogue, whatever the roles say: opening, repeats, closure and length."""

import asyncio
from collections import Counter

import pytest

from builders.rolecs import dialogue
from builders.rolecs.roles import CustomerSaid, Plan
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.framework import BY_ID
from csc_tasks.llm.outcomes import Dropped


class PlainRoles:
    """Roles without a model: `choices` are the strategies in order (the last one for ever),
    `finished` counts the customer's turns.
    """

    def __init__(self, choices, finished=None, with_reply=False):
        self.choices, self.finished = list(choices), finished
        self.chosen = self.spoken = 0
        self.offers = []

    async def plan(self):
        return Plan(scenario="s", goal="g")

    async def choose(self, turns, offered, scenario, repeat):
        self.offers.append((offered, repeat))
        self.chosen += 1
        return self.choices[min(self.chosen, len(self.choices)) - 1]

    async def choose_and_support(self, turns, offered, scenario, repeat):
        if len(offered) == 1:
            self.offers.append((offered, repeat))
            return offered[0].id, "said"
        return await self.choose(turns, offered, scenario, repeat), "said"

    async def support(self, turns, strategy, scenario):
        return "said"

    async def direct(self, turns, goal, scenario):
        return "go on"

    async def speak(self, turns, direction, scenario):
        self.spoken += 1
        return CustomerSaid(reply="said", finished=self.spoken == self.finished)


def played(roles, **settings):
    counts = Counter()
    return asyncio.run(dialogue.play(roles, counts, **settings)), counts


def used(found):
    return [turn.strategy for turn in found.turns if turn.speaker == SUPPORTER]


@pytest.mark.parametrize("assistant", [True, False])
def test_the_opening_is_greeting_and_identity_verification_whatever_is_chosen(assistant):
    found, _ = played(PlainRoles(["PS", "AC"]), assistant=assistant)
    assert used(found) == ["GT", "IV", "PS", "AC"]


@pytest.mark.parametrize("assistant", [True, False])
def test_no_strategy_comes_three_times_in_a_row(assistant):
    roles = PlainRoles(["PS", "PS", "PS", "PS", "ID", "PS", "PS", "AC"])
    found, counts = played(roles, assistant=assistant)
    assert used(found) == ["GT", "IV", "PS", "PS", "ID", "PS", "PS", "AC"]
    assert counts == {"a strategy more than 2 times in a row": 2}
    barred = [(len(offered), repeat) for offered, repeat in roles.offers if len(offered) > 1]
    assert barred == [(12, 0), (12, 0), (11, 0), (11, 1), (11, 2), (12, 0), (12, 0), (11, 0)]


def test_a_supporter_that_insists_on_a_strategy_is_dropped():
    roles = PlainRoles(["PS"])
    with pytest.raises(Dropped) as error:
        played(roles)
    assert error.value.reason == "supporter: a strategy more than 2 times in a row"
    assert roles.chosen == 2 + dialogue.CHOICES


def test_the_supporter_closes_when_the_customer_is_finished():
    """Table 5: 137,406 supporter and 126,174 customer utterances in 11,232 conversations, one more
    in each.
    """
    found, _ = played(PlainRoles(["PS", "EM"] * 20, finished=4))
    assert used(found) == ["GT", "IV", "PS", "EM", "AC"]
    assert found.ended_by == "the customer"
    assert found.turns[-1].speaker == SUPPORTER


def test_a_customer_finished_at_once_is_no_excuse_for_skipping_the_opening():
    found, _ = played(PlainRoles(["PS"], finished=1))
    assert used(found) == ["GT", "IV"]


def test_fifty_utterances_are_the_most():
    roles = PlainRoles(["PS", "EM"] * 40)
    with pytest.raises(Dropped) as error:
        played(roles)
    assert error.value.reason == "no end within 50 utterances"
    assert roles.spoken == 25
    found, _ = played(PlainRoles(["PS", "EM"] * 40, finished=25))
    assert len(found.turns) == 50 and found.ended_by == "the customer"
    found, _ = played(PlainRoles([*["PS", "EM"] * 11, "AC"]))
    assert len(found.turns) == 49 and used(found)[-1] == "AC"


def test_an_unfinished_first_customer_turn_goes_on():
    assert [s.id for s in dialogue.open_strategies(())] == ["GT"]
    assert [
        s.id for s in dialogue.open_strategies((Turn(SUPPORTER, "a", "GT"), Turn(CUSTOMER, "b")))
    ] == ["IV"]
    turns = (
        Turn(SUPPORTER, "a", "GT"),
        Turn(SUPPORTER, "a", "IV"),
        Turn(SUPPORTER, "a", "EM"),
        Turn(SUPPORTER, "a", "EM"),
    )
    assert {s.id for s in dialogue.open_strategies(turns)} == set(BY_ID) - {"EM"}
    assert [s.id for s in dialogue.open_strategies(turns, finished=True)] == ["AC"]
