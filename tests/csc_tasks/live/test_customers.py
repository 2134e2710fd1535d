"""The recorded and the scripted customer, turn by turn."""

import pytest

from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import SettingError
from csc_tasks.live import LiveTurn
from csc_tasks.live.briefs import brief_by_rule
from csc_tasks.live.customers import CustomerSettings, Part, check_customer, customer_of
from tests.support.live import ORDER, SECOND

UNFIT = "I have nothing to say to that."


def played(customer, conversation, *heard):
    """What a customer says to supporter turns, given as text or (strategy, text)."""
    part = Part(conversation, brief_by_rule(conversation))
    own, turns, moves = customer_of(CustomerSettings(customer)), [], []
    for one in (None, *heard):
        if one is not None:
            strategy, text = one if isinstance(one, tuple) else (None, one)
            turns.append(LiveTurn("supporter", text, strategy))
        elif conversation.dialogue[0].speaker == "supporter":
            continue
        move = own.answer(part, tuple(turns)).result()
        turns.append(LiveTurn("customer", move.text, unfit=move.unfit))
        moves.append(move)
    return moves


def texts(*arguments):
    return [move.text for move in played(*arguments)]


def test_the_recorded_customer_answers_what_is_asked_in_whatever_order():
    said = texts(
        "recorded",
        ORDER,
        "May I have your name?",
        "And your order number?",
        "Who is the courier that you expected?",
        "A replacement is on its way.",
        "Is there anything else I can do for you?",
    )
    assert said == [
        "My parcel has not arrived and I am really annoyed!",
        "Jane Miller",
        "It is AB-48213.",
        "The blue courier, on Monday.",
        "Great, that is quick. When will it be here?",
        "No, thanks, bye.",
    ]


def test_two_slots_asked_together_are_filled_together_and_again_when_asked_again():
    both = "What are your name and order number?"
    moves = played("recorded", ORDER, both, both)
    assert [move.text for move in moves[1:]] == ["It is AB-48213. Jane Miller"] * 2
    assert not any(move.unfit or move.ending for move in moves)


def test_the_recorded_customer_says_when_nothing_fits_and_gives_up_at_the_third_time():
    question = "What is your date of birth?"
    moves = played("recorded", ORDER, question, question, question)
    assert [(move.text, move.unfit, move.ending) for move in moves[1:]] == [
        (UNFIT, True, ""),
        (UNFIT, True, ""),
        (UNFIT, True, "gave_up"),
    ]
    between = played("recorded", ORDER, question, question, "Your name, please?", question)
    assert [move.ending for move in between] == [""] * 5


def test_the_recorded_customer_ends_with_its_last_words_or_a_transfer():
    last = played("recorded", ORDER, "Goodbye and have a nice day.")[-1]
    assert (last.text, last.ending, last.goal) == ("No, thanks, bye.", "satisfied", None)
    handed = played("recorded", ORDER, "I will transfer you to a colleague.")[-1]
    assert handed.ending == "transferred"
    # The supporter opens: the first answer is the issue, whatever was asked.
    assert texts("recorded", SECOND, "Which city are you in?") == [
        "I want to close my savings account."
    ]


def test_a_turn_without_a_question_never_brings_an_answer_to_one_or_the_last_words():
    moves = played("recorded", ORDER, "One moment.", "One moment.", "One moment.")
    assert [move.text for move in moves[1:]] == [
        "Great, that is quick. When will it be here?",
        UNFIT,
        UNFIT,
    ]


def test_the_recorded_customer_does_the_same_every_time_and_in_chinese():
    chinese = Conversation(
        "zh",
        "zh",
        "Others",
        "test",
        (
            Turn("customer", "我的包裹还没到"),
            Turn("supporter", "请问您的订单号是多少？", "IV"),
            Turn("customer", "48213"),
            Turn("supporter", "请问包裹里装的是什么东西？", "PR"),
            Turn("customer", "一双鞋"),
            Turn("supporter", "再见。", "AC"),
            Turn("customer", "再见"),
        ),
    )
    heard = ("包裹里面是什么东西呢？", "麻烦提供一下订单号", "今天星期几？", "再见，祝您愉快。")
    said = texts("recorded", chinese, *heard)
    assert said == ["我的包裹还没到", "一双鞋", "48213", "这个我没什么可说的。", "再见"]
    assert said == texts("recorded", chinese, *heard)


def test_the_scripted_customer_knows_its_brief_and_nothing_else():
    moves = played(
        "scripted",
        ORDER,
        ("IV", "What is your order number?"),
        ("IV", "What is your date of birth?"),
        ("PS", "Please wait until tomorrow."),
        ("RI", "I have sent another one."),
    )
    assert [move.text for move in moves] == [
        "Hello. My parcel has not arrived and I am really annoyed!",
        "It is AB-48213.",
        "I do not know that.",
        "All right, I will do that.",
        "Thank you, that settles it.",
    ]
    assert [(move.ending, move.goal) for move in moves[-2:]] == [("", None), ("satisfied", True)]


@pytest.mark.parametrize(
    ("heard", "ending", "goal"),
    [
        (["What is your order number?"] * 3, "gave_up", False),
        (["Let me connect you to a colleague."], "transferred", False),
        ([("ID", "It is late."), ("ID", "It comes.")], "satisfied", True),
    ],
)
def test_how_the_scripted_customer_ends(heard, ending, goal):
    last = played("scripted", ORDER, *heard)[-1]
    assert (last.ending, last.goal) == (ending, goal)


def test_another_customer_is_named_with_those_there_are():
    with pytest.raises(SettingError, match="csc_customer='robot': choose recorded, scripted, same"):
        check_customer("robot")
    with pytest.raises(SettingError):
        check_customer("openai:")
