"""Questions as data: rows both ways and every rule. How published files become such rows is in
corpora/test_corpora_published.py.
"""

import dataclasses

import pytest

from csc_tasks.conversation import Turn
from csc_tasks.errors import DataError
from csc_tasks.question import QA_STAGES, REFERENCES, Question
from tests.support.fakes import sample_questions

SOUND = sample_questions()[1]


def test_a_row_read_back_is_the_same_question():
    for made in sample_questions():
        assert made.problems() == []
        assert Question.from_row(made.to_row(), "here") == made
    assert list(SOUND.to_row()) == [
        "conversation_id",
        "turn_index",
        "turns_total",
        "stage",
        "language",
        "topic",
        "source",
        "instruction",
        "conversation_history",
        "history_summary",
        "client_question",
        "agent_answer",
        "refined_agent_answer",
    ]
    assert (QA_STAGES, REFERENCES) == (
        ("early", "mid", "late"),
        ("refined_agent_answer", "agent_answer"),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"conversation_id": ""}, "conversation_id is empty"),
        ({"language": "xx"}, "language 'xx' is not one of zh, en, de, es, fr, ja, ko, pt"),
        ({"stage": "end"}, "stage 'end' is not one of early, mid, late or null"),
        ({"turn_index": 3}, "turn_index 3 is not a position among turns_total 3"),
        (
            {"turn_index": -1, "turns_total": None},
            "turn_index -1 is not a position among turns_total None",
        ),
        ({"client_question": "\n"}, "client_question is empty"),
        (
            {"agent_answer": "", "refined_agent_answer": ""},
            "refined_agent_answer and agent_answer are both empty",
        ),
        (
            {"conversation_history": (Turn("customer", "x"), Turn("bot", "x"))},
            (
                "conversation_history 1: speaker 'bot' is not one of supporter, customer "
                "(rows may also say agent, assistant, 客服, 坐席, client, user, 客户, 用户, 顾客)"
            ),
        ),
    ],
)
def test_each_rule(changes, problem):
    assert dataclasses.replace(SOUND, **changes).problems() == [problem]
    with pytest.raises(DataError) as caught:
        Question.from_row(dataclasses.replace(SOUND, **changes).to_row(), "f.jsonl row 3")
    assert (
        str(caught.value)
        == f"f.jsonl row 3 ({changes.get('conversation_id', SOUND.conversation_id)}): {problem}"
    )


def test_what_may_be_left_out():
    required = (
        "conversation_id",
        "language",
        "client_question",
        "agent_answer",
        "refined_agent_answer",
    )
    row = SOUND.to_row()
    bare = Question.from_row({key: row[key] for key in required}, "here")
    assert (
        bare.turn_index,
        bare.turns_total,
        bare.stage,
        bare.conversation_history,
        bare.history_summary,
    ) == (0, None, None, (), "")
    for key in required:
        with pytest.raises(
            DataError, match=rf"^here: {key} missing; a QA row has conversation_id, turn_index"
        ):
            Question.from_row({**row, key: None}, "here")
    with pytest.raises(
        DataError,
        match=(
            r"^here: conversation_id, language, client_question, agent_answer, refined_agent_answer"
            r" missing"
        ),
    ):
        Question.from_row({}, "here")


@pytest.mark.parametrize(
    ("value", "number"), [(2, 2), ("2", 2), (2.0, 2), (None, 0), ("", 0), (0, 0)]
)
def test_whole_numbers(value, number):
    assert Question.from_row(SOUND.to_row() | {"turn_index": value}, "here").turn_index == number


@pytest.mark.parametrize("value", [1.5, "1.5", "x", float("nan"), float("inf"), [], {}])
def test_what_is_no_whole_number(value):
    with pytest.raises(
        DataError, match=r"here: turn_index is .*; it must be a whole number or null"
    ):
        Question.from_row(SOUND.to_row() | {"turn_index": value}, "here")
