"""Every rule of `builders.rolecs.filters`, on both sides of its bound."""

import pytest

from builders.rolecs import filters
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn

USED = ("GT", "IV", "RP", "PR", "EM", "PS", "ID", "RI", "FR", "RC")


def conversation(strategies, language="en", texts=None, speakers=None):
    """Alternating turns, the supporter first, with these strategies."""
    turns = []
    for i, strategy in enumerate(strategies):
        turns += [
            Turn(SUPPORTER, f"The supporter says sentence number {i}.", strategy),
            Turn(CUSTOMER, f"The customer says sentence {i}."),
        ]
    turns = turns[:-1]
    for place, text in (texts or {}).items():
        turns[place] = Turn(turns[place].speaker, text, turns[place].strategy)
    return Conversation("x", language, "Others", "test", tuple(turns))


def of_length(count):
    """A sound conversation of this many utterances: the supporter first, the two in turn."""
    used = [*USED, *(USED[2 + i % 8] for i in range(count))]
    turns = [
        (
            Turn(CUSTOMER, f"The customer says {i}.")
            if i % 2
            else Turn(SUPPORTER, f"The supporter says sentence number {i}.", used[i // 2])
        )
        for i in range(count)
    ]
    return Conversation("x", "en", "Others", "test", tuple(turns))


def with_shares(supporter, customer):
    """So many utterances of each side."""
    turns = [
        Turn(SUPPORTER, f"The supporter says sentence number {i}.", USED[i % len(USED)])
        for i in range(supporter)
    ]
    turns += [Turn(CUSTOMER, f"The customer says sentence {i}.") for i in range(customer)]
    return Conversation("x", "en", "Others", "test", tuple(turns))


def test_a_sound_conversation_passes_every_filter():
    for count in (8, 9, 23, 49, 50):
        assert filters.first_reason(of_length(count)) is None, count


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (7, "fewer than 8 utterances"),
        (8, None),
        (50, None),
        (51, "more than 50 utterances"),
        (60, "more than 50 utterances"),
    ],
)
def test_the_number_of_utterances_is_bounded_on_both_sides(count, reason):
    """The published filter asked for "too few and a maximum above 50" at once, with the maximum at
    50: it never dropped anything.
    """
    assert filters.first_reason(of_length(count)) == reason


@pytest.mark.parametrize(
    ("supporter", "customer", "reason"),
    [
        (10, 5, None),
        (10, 4, "customer says less than a third"),
        (5, 10, None),
        (4, 10, "supporter says less than a third"),
        (9, 9, None),
    ],
)
def test_neither_side_may_be_nearly_silent(supporter, customer, reason):
    """The published check looked at one side only."""
    assert filters.one_sided(with_shares(supporter, customer)) == reason


@pytest.mark.parametrize(
    ("check", "kept", "dropped"),
    [
        (filters.wrong_opening, conversation(USED), conversation(("GT", "RP", "IV", *USED))),
        (filters.wrong_opening, conversation(USED), conversation(("IV", "GT", *USED))),
        (
            filters.same_strategy_in_a_row,
            conversation(("GT", "IV", "PS", "PS", "EM", "PS")),
            conversation(("GT", "IV", "PS", "PS", "PS", "EM")),
        ),
        (
            filters.few_strategies,
            conversation(("GT", "IV", "PS", "AC")),
            conversation(("GT", "IV", "PS", "PS", "GT")),
        ),
        (
            filters.long_utterance,
            conversation(USED, texts={3: "a" * 700}),
            conversation(USED, texts={3: "a" * 701}),
        ),
        (
            filters.long_utterance,
            conversation(USED, "zh", {3: "字" * 240}),
            conversation(USED, "zh", {3: "字" * 241}),
        ),
        (
            filters.strategy_in_text,
            conversation(USED, texts={2: "Some [options] here."}),
            conversation(USED, texts={2: "[Greeting] Hello."}),
        ),
        (
            filters.strategy_in_text,
            conversation(USED, "zh", {2: "情感管理很重要"}),
            conversation(USED, "zh", {2: "【情感管理】别急"}),
        ),
        (
            filters.repeats_itself,
            conversation(USED, texts={1: "Okay, thanks.", 2: "Okay, thanks."}),
            conversation(USED, texts={1: "Okay, thanks.", 3: "okay, thanks."}),
        ),
        (
            filters.repeats_itself,
            conversation(USED, texts={1: "Yes.", 3: "Yes."}),
            conversation(USED, texts={0: "See you soon then.", 4: "See you soon then."}),
        ),
        # Twelve characters may be said twice, thirteen may not.
        (
            filters.repeats_itself,
            conversation(USED, texts={1: "Okay, thank.", 3: "Okay, thank."}),
            conversation(USED, texts={1: "Okay, thanks.", 3: "Okay, thanks."}),
        ),
        (filters.wrong_language, conversation(USED), conversation(USED, "zh")),
        (filters.unlabelled, conversation(USED), conversation(("GT", "IV", "", "PS"))),
        (filters.unsound, conversation(USED), conversation(USED, texts={1: " "})),
    ],
)
def test_a_filter_keeps_and_drops(check, kept, dropped):
    assert check(kept) is None
    assert check(dropped)
    assert filters.first_reason(dropped) is not None


def test_a_customer_who_opens_is_a_wrong_opening():
    sound = conversation(USED)
    assert filters.wrong_opening(
        Conversation("x", "en", "Others", "test", (Turn(CUSTOMER, "Hello?"), *sound.dialogue))
    )


def test_the_first_reason_counts():
    assert filters.first_reason(Conversation("x", "en", "Others", "test", ())) == "unsound"
    assert (
        filters.first_reason(of_length(8), [lambda c: None, lambda c: "second", lambda c: "third"])
        == "second"
    )


def test_the_bounds_are_those_that_build_json_names():
    assert filters.bounds(("zh", "en")) == {
        "utterances": [8, 50],
        "least_share_of_utterances": 0.3333,
        "most_characters": {"zh": 240, "en": 700},
        "fewest_strategies": 4,
        "most_in_a_row": 2,
    }
