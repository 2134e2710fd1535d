"""Briefs and live dialogues as JSON."""

import json

import pytest

from csc_tasks.errors import DataError
from csc_tasks.live import Brief, Fact, LiveDialogue, LiveTurn, dialogues_of

BRIEF = Brief("c1", (Fact("order", "48213"),), "a refund", "short", "annoyed", ("the fee",), "en")
DIALOGUE = LiveDialogue(
    "c1",
    "recorded",
    BRIEF,
    (
        LiveTurn("customer", "My order is late."),
        LiveTurn("supporter", "Which order?", "PR"),
        LiveTurn("customer", "I cannot answer that.", unfit=True),
        LiveTurn("supporter", "Bye."),
    ),
    "gave_up",
    False,
    "en",
)


def test_what_is_written_is_read_again():
    for dialogue in (DIALOGUE, LiveDialogue("c2", "openai:m", None, (), "cap")):
        assert LiveDialogue.from_json(json.loads(json.dumps(dialogue.to_json())), "x") == dialogue
    assert Brief.from_json(json.loads(json.dumps(BRIEF.to_json())), "x") == BRIEF

    sample = {"live": [DIALOGUE.to_json() | {"repeat": 0}, DIALOGUE.to_json() | {"repeat": 1}]}
    assert dialogues_of(sample, "x") == [DIALOGUE, DIALOGUE]
    with pytest.raises(DataError, match="x: holds no live conversation"):
        dialogues_of({"turns": []}, "x")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"ending": "happy"}, "x: ending is 'happy'; it must be one of satisfied, gave_up,"),
        ({"goal": "yes"}, "x: goal is 'yes'; it must be true, false or null"),
        ({"turns": None}, "x: turns is None; it must be a list"),
        ({"turns": ["hello"]}, "x turns 0: found 'hello'; it must be an object"),
        (
            {"turns": [{"speaker": "bot", "text": "a"}]},
            "x turn 0: speaker is 'bot'; it must be one",
        ),
        (
            {"turns": [{"speaker": "customer", "text": "a", "strategy": "PR"}]},
            "x turn 0: strategy is 'PR'; a supporter's id, or null",
        ),
        ({"brief": {"conversation_id": "c1", "facts": [{"name": "a"}]}}, "x brief fact 0: value"),
        ({"brief": {"conversation_id": "c1", "facts": []}}, "x brief: unknown is None"),
    ],
)
def test_what_cannot_be_read_is_named(change, line):
    with pytest.raises(DataError) as error:
        LiveDialogue.from_json(DIALOGUE.to_json() | change, "x")
    assert str(error.value).startswith(line)
