"""Conversations as data: rows both ways, every rule, what a raw source needs, and ids made from
content.
"""

import dataclasses

import numpy
import pytest

from csc_tasks.conversation import (
    CUSTOMER,
    SUPPORTER,
    Conversation,
    Turn,
    content_id,
    merge_neighbours,
    text_of,
    turns_of,
)
from csc_tasks.errors import DataError
from tests.support.fakes import sample_conversations

C, S = (lambda text, speaker=speaker: Turn(speaker, text) for speaker in (CUSTOMER, SUPPORTER))
SOUND = Conversation(
    "a",
    "en",
    "Others",
    "test",
    (C("hi"), Turn(SUPPORTER, "hello", "GT"), C("bye"), S("wait"), Turn(SUPPORTER, "bye", "AC")),
)


def test_a_row_read_back_is_the_same_conversation():
    for made in (*sample_conversations(), SOUND):
        assert Conversation.from_row(made.to_row(), "here") == made
    played = dataclasses.replace(SOUND, profile="p", scenario="s", goal="g")
    assert Conversation.from_row(played.to_row(roles=True), "here") == played
    assert list(SOUND.to_row()) == ["conversation_id", "language", "topic", "source", "dialogue"]
    assert list(SOUND.to_row(roles=True))[5:] == ["profile", "scenario", "goal"]


def test_labelled_supporter_turns_are_scored():
    assert SOUND.scored_turns() == [1, 4]
    unlabelled = Conversation("a", "en", "", "", (C("hi"), S("hello"), C("so"), S("bye")))
    assert (unlabelled.labelled_turns(), unlabelled.scored_turns()) == ([], [1, 3])


def test_a_sound_conversation_has_no_problems():
    for made in (*sample_conversations(), SOUND):
        assert made.problems() == []
    # Either side may start, and nobody has to take turns.
    for speakers in ("S", "SC", "CS", "SS", "CCSSCC"):
        assert (
            Conversation(
                "a", "zh", "", "", tuple((S if letter == "S" else C)("x") for letter in speakers)
            ).problems()
            == []
        )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"conversation_id": ""}, "conversation_id is empty"),
        ({"language": "zh-CN"}, "language 'zh-CN' is not one of zh, en, de, es, fr, ja, ko, pt"),
        ({"dialogue": ()}, "the dialogue is empty"),
        ({"dialogue": (C("hi"),)}, "there is no supporter turn"),
        (
            {"dialogue": (S("hi"), Turn("bot", "x"))},
            (
                "turn 1: speaker 'bot' is not one of supporter, customer "
                "(rows may also say agent, assistant, 客服, 坐席, client, user, 客户, 用户, 顾客)"
            ),
        ),
        ({"dialogue": (S("hi"), C("\u3000\n"))}, "turn 1: the text is empty"),
        (
            {"dialogue": (Turn(SUPPORTER, "hi", "Greetin"),)},
            "turn 0: strategy 'Greetin' is not one of the 12 (closest: Greeting)",
        ),
        (
            {"dialogue": (S("x"), Turn(CUSTOMER, "hi", "GT"))},
            "turn 1: a customer turn carries strategy 'GT'",
        ),
    ],
)
def test_each_rule(changes, problem):
    assert dataclasses.replace(SOUND, **changes).problems() == [problem]


def test_all_problems_are_listed_in_reading_order():
    broken = Conversation("", "xx", "", "", (Turn("bot", " ", "XX"), Turn(CUSTOMER, "x", "GT")))
    found = broken.problems()
    assert [text.split(":")[0] for text in found] == [
        "conversation_id is empty",
        "language 'xx' is not one of zh, en, de, es, fr, ja, ko, pt",
        "turn 0",
        "turn 0",
        "turn 0",
        "turn 1",
        "there is no supporter turn",
    ]
    with pytest.raises(DataError) as caught:
        Conversation.from_row(broken.to_row(), "f.jsonl row 3")
    assert str(caught.value) == f"f.jsonl row 3 (): {'; '.join(found)}"


def test_rows_may_hold_arrays_and_nulls():
    row = SOUND.to_row() | {
        "topic": None,
        "source": None,
        "conversation_id": numpy.int64(7),
        "profile": None,
    }
    row["dialogue"] = numpy.array(
        [turn | {"strategy": turn["strategy"] or None} for turn in row["dialogue"]], dtype=object
    )
    read = Conversation.from_row(row, "here")
    assert (read.conversation_id, read.topic, read.source, read.dialogue) == (
        "7",
        "",
        "",
        SOUND.dialogue,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (None, ""),
        (5, "5"),
        (0, "0"),
        (numpy.int32(3), "3"),
        (numpy.str_("y"), "y"),
    ],
)
def test_text_of_a_row(value, text):
    assert text_of({"a": value}, "a", "here") == text
    assert text_of({}, "a", "here") == ""


@pytest.mark.parametrize("value", [1.5, float("nan"), True, [], {}, b"x", object()])
def test_what_is_no_text(value):
    with pytest.raises(DataError, match=r"^here: a is .*; it must be text"):
        text_of({"a": value}, "a", "here")


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "hello",
        "{}",
        "3",
        '"x"',
        {"speaker": ["customer"]},
        '{"speaker": "customer", "text": "x"}',
    ],
)
def test_what_is_no_dialogue(value):
    with pytest.raises(DataError, match=r"here: dialogue is .*list of turns"):
        turns_of({"dialogue": value}, "dialogue", "here")


def test_a_bad_turn_is_shown_but_not_at_length():
    with pytest.raises(DataError) as caught:
        turns_of(
            {"dialogue": [{"speaker": "customer", "text": ["x" * 10_000]}]}, "dialogue", "here"
        )
    assert (
        str(caught.value).startswith("here dialogue turn 0: found {'speaker': 'customer'")
        and len(str(caught.value)) < 400
    )


# --- raw sources


def test_neighbours_are_merged_and_counted():
    turns, merged = merge_neighbours([C("a"), C("b"), S("c"), C("d"), C("e"), C("f")])
    assert (turns, merged) == ((C("a\nb"), S("c"), C("d\ne\nf")), 3)
    assert merge_neighbours([]) == ((), 0)
    assert merge_neighbours([S("a")]) == ((S("a"),), 0)
    assert merge_neighbours([C("a"), C("b")], joint=" ")[0] == (C("a b"),)


def test_ids_made_from_content():
    """The last hash was worked out with the shell: printf '%s' '[["您好",1],{"a":null}]' |
    sha256sum.
    """
    assert content_id("x", ["a"]) == content_id("x", ("a",)) != content_id("x", "a")
    assert content_id("x", "ab", "c") != content_id("x", "a", "bc")
    assert content_id("x", {"a": 1, "b": 2}) == content_id("x", {"b": 2, "a": 1})
    assert content_id("x", 1) != content_id("x", "1")
    assert content_id("star", ["您好", 1], {"a": None}) == "star-f8a70bb907e69a3d"
