"""Numbers of live conversations, counted by hand."""

import pytest

from csc_tasks.live import Brief, Fact, LiveDialogue, LiveTurn
from csc_tasks.live.measures import measures

BRIEF = Brief(
    "c",
    (Fact("order number", "AB-48213"), Fact("mentioned", "Monday")),
    "a refund",
    "short",
    "calm",
    (),
    "en",
)


def dialogue(*turns, ending="satisfied", goal=None, customer="recorded", brief=BRIEF):
    made = [
        LiveTurn("supporter", *reversed(turn)) if isinstance(turn, tuple) else turn
        for turn in turns
    ]
    made = [LiveTurn("customer", turn) if isinstance(turn, str) else turn for turn in made]
    return LiveDialogue("c", customer, brief, tuple(made), ending, goal, "en")


WHOLE = (
    "My parcel is late.",
    ("IV", "What is your order number?"),
    "It is AB-48213.",
    ("IV", "What is your order number, please?"),
    "AB-48213, as I said.",
    ("ID", "Your refund of $25 for AB-48213 takes 3 days."),
    LiveTurn("customer", "I have nothing to say to that.", unfit=True),
    (None, "Bye."),
    "Bye.",
)


def test_every_number_of_one_conversation():
    assert measures(dialogue(*WHOLE)) == {
        "goal_reached": None,
        "goal_by_rule": 1.0,
        "satisfied": 1.0,
        "gave_up": 0.0,
        "transferred": 0.0,
        "capped": 0.0,
        "live_turns": 4.0,
        "in_stage_order": 1.0,
        "strategies_used": 2.0,
        "no_strategy": 1 / 4,
        # The second question has 5 of the 6 words of both.
        "repeated_questions": 1 / 4,
        "facts_asked_again": 1 / 4,
        # $25 and 3 days; the order number is the customer's.
        "live_unsupported": 1 / 4,
        "unfit": 1 / 5,
        "customer_failed": 0.0,
    }


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"goal": True, "customer": "openai:m"}, "goal_reached", 1.0),
        ({"goal": False, "customer": "openai:m"}, "goal_reached", 0.0),
        ({"customer": "openai:m"}, "unfit", None),
        ({"ending": "gave_up"}, "goal_by_rule", 0.0),
        ({"ending": "failed"}, "goal_by_rule", None),
        ({"ending": "failed"}, "satisfied", None),
        ({"ending": "failed"}, "customer_failed", 1.0),
        ({"ending": "cap"}, "capped", 1.0),
        ({"brief": None}, "facts_asked_again", None),
        ({"brief": None}, "goal_by_rule", None),
    ],
)
def test_what_the_ending_the_customer_and_the_brief_decide(change, name, value):
    assert measures(dialogue(*WHOLE, **change))[name] == value


def test_the_goal_needs_what_was_needed_and_something_done_after_it():
    told = ("IV", "What is your order number?"), "It is AB-48213."
    solved = ("RI", "I have sent it.")
    assert measures(dialogue("Hi.", *told, solved, "Bye."))["goal_by_rule"] == 1.0
    assert measures(dialogue("Hi.", solved, "Hm.", *told))["goal_by_rule"] == 0.0
    assert measures(dialogue("Hi.", *told, (None, "Done."), "Bye."))["goal_by_rule"] == 0.0
    assert measures(dialogue("Hi.", solved, "Bye."))["goal_by_rule"] == 0.0


def test_a_step_back_and_a_question_in_other_words():
    backwards = measures(dialogue("Hi.", ("RI", "Done."), "Oh.", ("GT", "Hello!"), "Hi."))
    assert backwards["in_stage_order"] == 0.0
    asked = ("PR", "Which card is it?"), "This.", ("PR", "When did it happen?"), "Now."
    assert measures(dialogue("Hi.", *asked))["repeated_questions"] == 0.0


def asked_for(value, said, code="en"):
    """Goal and facts asked again where the customer says `said` and is asked for `value` twice."""
    name, question = {
        "en": ("order number", "What is your order number?"),
        "zh": ("订单号", "请问您的订单号是多少？"),
    }[code]
    brief = Brief("c", (Fact(name, value),), "a refund", "short", "calm", (), code)
    turns = (
        LiveTurn("customer", said),
        LiveTurn("supporter", question, "IV"),
        LiveTurn("customer", "..."),
        LiveTurn("supporter", "...", "ID"),
    )
    numbers = measures(LiveDialogue("c", "recorded", brief, turns, "cap", None, code))
    return numbers["goal_by_rule"], numbers["facts_asked_again"]


@pytest.mark.parametrize(
    ("value", "said", "told"),
    [
        ("12", "I ordered on the 12th of 2012 for $120.", False),
        ("no", "I do not know.", False),
        ("12", "It is 12.", True),
        ("$12", "I paid US$12, twice.", True),
        ("Jane  Miller", "I am jane\nmiller's sister", True),
    ],
)
def test_a_fact_is_told_as_a_whole(value, said, told):
    assert asked_for(value, said) == ((1.0, 0.5) if told else (0.0, 0.0))


def test_where_words_are_not_spaced_numbers_still_end():
    assert asked_for("123", "订单号是123。", "zh") == (1.0, 0.5)
    assert asked_for("123", "订单号是91234。", "zh") == (0.0, 0.0)
    assert asked_for("王芳", "我叫王芳啊", "zh") == (1.0, 0.5)


def test_a_blank_fact_is_told_by_nothing():
    assert asked_for(" ", "Hello.") == (None, None)
