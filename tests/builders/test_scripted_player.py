"""The scripted stand-in: what it answers to what, its phrases, and what it draws."""

from collections import Counter

import pytest

from builders.scripted.phrases import bank, fill, slot_values, voiced, weighted
from builders.scripted.player import (
    begin,
    choose_strategy,
    hear,
    plan,
    play,
    say,
    state_after,
    strategies,
)
from csc_tasks.conversation import CUSTOMER, SUPPORTER
from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import TOPICS

LANGUAGES = ("zh", "en")


# What may follow each thing a customer can do, written down apart from the rules that choose it.
SENSIBLE = {
    "hello": "GT",
    "vague": "PR IV EM GT",
    "full": "RP IV ID GT",
    "upset_vague": "EM PR GT",
    "upset_full": "EM RP GT",
    "detail": "PR RP IV ID",
    "details": "RP IV ID",
    "confirm": "IV ID PS",
    "why": "ID EM",
    "how": "PS ID",
    "do": "IV RI EM",
    "rather": "IV RI EM",
    "beg": "IV ID EM",
    "alt": "PS",
    "object": "ID EM",
    "vent": "EM PS",
    "policy_vent": "EM PS",
    "worry": "EM ID",
    "fails": "PS EM",
    "fails_again": "IV RI EM",
    "wait": "RI",
    "how_long": "ID EM",
    "where": "ID",
    "also": "ID",
    "interested": "ID",
    "off_topic": "Others",
    "seen": "FR RC AC",
    "noted": "FR RC AC",
    "works": "FR RC AC",
    "accept": "FR RC AC",
    "decline": "RC AC",
    "satisfied": "RC AC",
    "thanks": "AC RC",
    "lukewarm": "EM RC",
    "no_more": "AC",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_supporter_answers_what_the_customer_just_did(language):
    seen, second, choices = set(), 0, 0
    for number in range(120):
        before = None
        for state in play(
            plan(f"rules/{number}", language, list(bank(language).problems)[number % 40])
        ):
            turn = state.turns[-1]
            if before and turn.speaker == SUPPORTER and before.turns[-1].speaker == CUSTOMER:
                seen.add(before.act)
                if before.act != "identity":
                    assert turn.strategy in SENSIBLE[before.act].split(), (before.act, turn)
                fitting, other, probability = strategies(before)
                assert turn.strategy in (fitting, other) and probability <= 0.3
                choices += 1
                second += turn.strategy != fitting
            before = state
    assert seen >= {
        "vague",
        "full",
        "upset_full",
        "why",
        "how",
        "do",
        "works",
        "fails",
        "worry",
        "beg",
        "alt",
        "off_topic",
        "satisfied",
    }
    assert 0.05 < second / choices < 0.2


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_turn_at_a_time_gives_the_whole_dialogue(language):
    """Any reply can be asked for by itself: the functions have no memory but the state."""
    scenario = plan("step by step", language, "refund_missing")
    assert plan("step by step", language, "refund_missing") == scenario
    states = list(play(scenario))
    for count, state in enumerate(states, 1):
        assert state_after(scenario, count) == state
    assert state_after(scenario, 0) == begin(scenario)
    assert state_after(scenario, 99) == states[-1]
    previous = begin(scenario)
    for state in states:
        turn = state.turns[-1]
        if turn.speaker == SUPPORTER:
            assert choose_strategy(previous) == turn.strategy
            assert say(previous, turn.strategy, turn.text) == state
        else:
            assert hear(previous, state.act, turn.text) == state
        previous = state


def test_the_phrase_banks_agree_and_are_rich_enough():
    zh, en = bank("zh"), bank("en")
    assert list(zh.problems) == list(en.problems)
    for phrases in (zh, en):
        assert set(Counter(problem["topic"] for problem in phrases.problems.values()).values()) == {
            5
        }
        assert {problem["topic"] for problem in phrases.problems.values()} == set(TOPICS)
        for name, problem in phrases.problems.items():
            assert set(problem) == set(en.problems[name]) and set(problem["slots"]) == set(
                en.problems[name]["slots"]
            )
            # Pairs that belong together by their place: a question and its answer, a step and what
            # comes of it.
            paired = {
                "why",
                "policy",
                "do",
                "act",
                "step",
                "works",
                "fail",
                "step2",
                "works2",
            } & set(problem)
            assert {len(problem[key]) for key in paired} == {2}
            assert ("fail" in problem) == ("step2" in problem) == ("works2" in problem)
        for act, variants in phrases.generic["supporter"].items():
            if act in (
                "GT",
                "EM_vent",
                "FR",
                "AC",
                "RI_ticket",
                "RI_start",
                "ID_eta",
                "PR_lead",
                "RP_lead",
                "PS_lead",
                "RC_lead",
            ):
                assert len(set(variants)) >= 6, (phrases.language, act)


def test_slots_follow_the_speaker_and_the_arithmetic():
    assert voiced("en", "my landlord", "supporter") == "your landlord"
    assert voiced("en", "I mixed up two digits", "summary") == "they mixed up two digits"
    assert voiced("zh", "我弟弟", "supporter") == "您弟弟"
    assert voiced("zh", "我弟弟", "customer") == "我弟弟"
    assert (
        fill("an offer for {age}-year-olds and a {age}-year-old", {"age": "8"})
        == "an offer for 8-year-olds and an 8-year-old"
    )

    def values(language, **specs):
        return slot_values(specs, bank(language), type("Fixed", (), {"random": lambda self: 0.0})())

    # 100,000 over 30 years at 6 % costs 599.55 a month, the textbook figure; 12,000 in 12 parts at
    # 0.5 % of the whole: 1,000 + 60.
    assert (
        values(
            "en",
            loan="money 100000 100000",
            years=[30],
            rate=["6"],
            monthly="annuity loan rate years",
        )["monthly"]
        == "$600"
    )
    assert (
        values("zh", amount="money 12000 12000", n=[12], rate=["0.5"], each="split amount n rate")[
            "each"
        ]
        == "1060"
    )
    assert values("en", fee=["$9"], months="int 3 3", total="times fee months")["total"] == "$27"
    assert (
        values(
            "zh",
            amount="money 20000 20000",
            rate=["1.65"],
            years=[3],
            interest="interest amount rate years",
        )["interest"]
        == "990"
    )


def test_bad_phrases_and_languages_are_named():
    with pytest.raises(DataError, match="'pay \\{amonut\\}' cannot be filled"):
        fill("pay {amonut}", {"amount": "5"})
    with pytest.raises(DataError, match="slot 'fee' is of the unknown kind 'cents 5'"):
        slot_values({"fee": "cents 5"}, bank("en"), None)
    with pytest.raises(SettingError, match="speaks zh and en, not 'xx'; name a model"):
        bank("xx")


def test_weights_are_probabilities():
    at = [type("At", (), {"random": lambda self, x=x: x})() for x in (0.0, 0.24, 0.26, 0.999999)]
    assert [weighted(rng, {"a": 1, "b": 3}) for rng in at] == ["a", "a", "b", "b"]
