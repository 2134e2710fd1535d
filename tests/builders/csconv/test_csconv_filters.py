"""The rules before and after rewriting for CSConv: a keep case and a drop case on each side of
every bound; closing notes.
"""

from dataclasses import replace

import pytest

from builders.csconv import postfilter, prefilter
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn


def alternating(count, opening=CUSTOMER, text="I have a question."):
    """So many turns, the sides in turn."""
    other = SUPPORTER if opening == CUSTOMER else CUSTOMER
    return [Turn((opening, other)[i % 2], f"{text} {i}") for i in range(count)]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (5, "fewer than 3 exchanges"),
        (6, None),
        (7, None),
        (60, None),
        (61, None),
        (62, "more than 30 exchanges"),
    ],
)
@pytest.mark.parametrize("opening", [CUSTOMER, SUPPORTER])
def test_exchanges(turns, reason, opening):
    """Six alternating turns are three exchanges, 61 are thirty and a last word, whoever opens."""
    said = alternating(turns, opening)
    assert (prefilter.too_few_exchanges(said) or prefilter.too_many_exchanges(said)) == reason


@pytest.mark.parametrize("speaker", [CUSTOMER, SUPPORTER])
@pytest.mark.parametrize(("length", "dropped"), [(499, False), (500, False), (501, True)])
def test_no_utterance_over_500_characters(speaker, length, dropped):
    turns = [*alternating(6), Turn(speaker, "长" * length)]
    assert prefilter.long_utterance(turns) == (
        "an utterance of more than 500 characters" if dropped else None
    )


@pytest.mark.parametrize(
    ("customer", "supporter", "reason"),
    [
        (100, 900, None),
        (99, 901, "customer says less than 10% of it"),
        (101, 899, None),
        (900, 100, None),
        (901, 99, "supporter says less than 10% of it"),
        (899, 101, None),
        (500, 500, None),
        (0, 50, "customer says less than 10% of it"),
        (50, 0, "supporter says less than 10% of it"),
    ],
)
def test_balance_is_checked_on_both_sides(customer, supporter, reason):
    assert (
        prefilter.out_of_balance(
            [Turn(CUSTOMER, "客" * customer), Turn(SUPPORTER, "服" * supporter)]
        )
        == reason
    )


@pytest.mark.parametrize(
    ("long", "short", "dropped"),
    [
        (7, 3, False),
        (8, 2, False),
        (6, 4, True),
        (14, 6, False),
        (13, 6, True),
        (70, 30, False),
        (69, 31, True),
        (0, 1, True),
        (1, 0, False),
    ],
)
def test_seven_in_ten_customer_turns_say_something(long, short, dropped):
    """Three characters are short, four are not; the supporter's turns do not count. 13 of 19 are
    68.4 %.
    """
    turns = (
        [Turn(CUSTOMER, "查余额吧")] * long
        + [Turn(CUSTOMER, "好的呀")] * short
        + [Turn(SUPPORTER, "嗯")] * 40
    )
    assert (prefilter.short_customer_turns(turns) is not None) == dropped


def test_the_first_reason_counts_and_cheap_rules_see_only_turns():
    class Raw:
        turns = tuple(
            Turn(CUSTOMER if i % 2 else SUPPORTER, "好" * (600 if i == 3 else 2)) for i in range(8)
        )

    assert prefilter.first_reason(Raw) == "an utterance of more than 500 characters"
    Raw.turns = tuple(alternating(8))
    assert prefilter.first_reason(Raw) is None


LABELS = ("GT", "IV", "RP", "PR", "EM", "PS", "ID", "RI", "FR", "RC", "AC", "Others")


def written(count=12, opening=SUPPORTER, labels=("GT", "IV", "PS", "ID", "RI", "AC")):
    """A sound rewritten conversation of `count` utterances; the labels go around, the last one
    closes.
    """
    turns, used = [], 0
    supporter_turns = sum(turn.speaker == SUPPORTER for turn in alternating(count, opening))
    for turn in alternating(count, opening, "Some words said"):
        strategy = ""
        if turn.speaker == SUPPORTER:
            strategy = (
                labels[-1] if used == supporter_turns - 1 else labels[min(used, len(labels) - 2)]
            )
            used += 1
        turns.append(replace(turn, strategy=strategy))
    return Conversation("csconv-1", "en", "Others", "test", tuple(turns))


@pytest.mark.parametrize(
    ("utterances", "reason"),
    [
        (9, "fewer than 10 utterances"),
        (10, None),
        (11, None),
        (49, None),
        (50, None),
        (51, "more than 50 utterances"),
    ],
)
@pytest.mark.parametrize("opening", [CUSTOMER, SUPPORTER])
def test_ten_to_fifty_utterances_whoever_opens(utterances, reason, opening):
    assert postfilter.first_reason(written(utterances, opening)) == reason


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("GT", "IV", "PS", "AC"), None),
        (("IV", "GT", "PS", "AC"), None),
        (("GT", "IV", "AC", "Others"), None),
        (("GT", "PS", "IV", "ID"), "no AC"),
        (("GT", "PS", "ID", "AC"), "no IV"),
        (("EM", "IV", "PS", "AC"), "no GT"),
        (("PS", "ID", "RI", "FR"), "no GT"),
    ],
)
def test_greeting_identity_check_and_closure_occur(labels, reason):
    """Where they stand is the model's business: the second case greets late, the third goes on
    after the closure.
    """
    assert postfilter.first_reason(written(labels=labels)) == reason


def test_every_one_of_the_three_is_required_by_itself():
    for name in ("GT", "IV", "AC"):
        labels = [label for label in ("GT", "IV", "PS", "AC") if label != name]
        assert postfilter.first_reason(written(labels=labels)) == f"no {name}"


def changed(number, **what):
    whole = written()
    turns = [
        replace(turn, **what) if i == number else turn for i, turn in enumerate(whole.dialogue)
    ]
    return replace(whole, dialogue=tuple(turns))


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (written(), None),
        (changed(2, strategy=""), "not exactly one strategy on every supporter turn"),
        (changed(3, strategy="EM"), "not exactly one strategy on every supporter turn"),
        (changed(4, strategy="PS+ID"), "unsound"),
        (changed(3, speaker=SUPPORTER, strategy="EM"), "does not strictly alternate"),
        (changed(4, speaker=CUSTOMER, strategy=""), "does not strictly alternate"),
        (changed(4, speaker="system", strategy=""), "a system note within it"),
        (changed(4, text="Call me on 415-682-3970 please"), "personal data left in it"),
        (changed(4, text="Call me on [phone number] please"), None),
        (changed(4, text="你好" * 400), "in another language"),
    ],
)
def test_what_else_must_hold(conversation, reason):
    assert postfilter.first_reason(conversation) == reason


GOODBYE = Turn(SUPPORTER, "Thank you, goodbye.", "AC")


@pytest.mark.parametrize(
    ("end", "left", "removed"),
    [
        ([], [], 0),
        ([Turn("system", "The session has ended.")], [], 1),
        ([Turn("system", "满意度评价：5"), Turn("system", "会话结束")], [], 2),
        ([Turn(SUPPORTER, "（本次通话结束）", "Others")], [], 1),
        ([Turn(SUPPORTER, "[系统提示：客户已挂断]", "AC")], [], 1),
        ([Turn(CUSTOMER, "(Customer hangs up)")], [], 1),
        ([Turn(SUPPORTER, "*** The chat has ended. ***", "AC")], [], 1),
        ([Turn(SUPPORTER, "System: the conversation was closed", "AC")], [], 1),
        ([Turn(SUPPORTER, "对话结束。", "Others")], [], 1),
        ([Turn(CUSTOMER, "好的，再见。（通话结束）")], [Turn(CUSTOMER, "好的，再见。")], 1),
        ([Turn(CUSTOMER, "Bye! [End of conversation]")], [Turn(CUSTOMER, "Bye!")], 1),
        (
            [Turn(CUSTOMER, "Bye! [End of conversation]"), Turn("system", "closed")],
            [Turn(CUSTOMER, "Bye!")],
            2,
        ),
        # Said by somebody, and so no note.
        ([Turn(CUSTOMER, "我的号码是[手机号码]")], [Turn(CUSTOMER, "我的号码是[手机号码]")], 0),
        (
            [Turn(CUSTOMER, "Is the call over? My chat ended yesterday.")],
            [Turn(CUSTOMER, "Is the call over? My chat ended yesterday.")],
            0,
        ),
        ([Turn(CUSTOMER, "那通话结束以后再说吧")], [Turn(CUSTOMER, "那通话结束以后再说吧")], 0),
        ([Turn(CUSTOMER, "Bye (and thanks again)")], [Turn(CUSTOMER, "Bye (and thanks again)")], 0),
        ([Turn(CUSTOMER, "The session has ended?! I was not done, what about my refund")], None, 0),
    ],
)
def test_system_notes_at_the_end_are_taken_off_and_counted(end, left, removed):
    assert postfilter.without_closing_notes([GOODBYE, *end]) == (
        (GOODBYE, *(end if left is None else left)),
        removed,
    )


def test_a_system_note_within_the_dialogue_stays_where_it_is():
    turns = (GOODBYE, Turn("system", "The session has ended."), Turn(CUSTOMER, "Hello?"))
    assert postfilter.without_closing_notes(turns) == (turns, 0)


def test_nothing_but_notes_leaves_nothing():
    assert postfilter.without_closing_notes(
        [Turn("system", "a"), Turn(SUPPORTER, "(session closed)", "AC")]
    ) == ((), 2)
