"""Briefs and live dialogues as JSON."""

import json
from types import SimpleNamespace

import pytest

from csc_tasks.errors import DataError
from csc_tasks.live import Brief, Fact, LiveDialogue, LiveTurn, dialogues_of
from csc_tasks.timing import Timing, timings_in
from leaderboard.numbers.efficiency import efficiency, timings_of

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


def test_what_every_turn_took_is_read_and_checked():
    request = {"measured": "request", "last_token_s": 1.5, "tokens_in": 3, "tokens_out": 2}
    record = {"timings": [request, {"measured": ""}]}
    assert timings_in(record) == [
        Timing("request", None, 1.5, 3, 2),
        Timing(),
    ]
    assert timings_in({"timing": request}) == [Timing("request", None, 1.5, 3, 2)]
    assert timings_in({}) == timings_in({"timings": []}) == []
    for wrong in (5, ["x"], [request | {"last_token_s": -1}], [request | {"tokens_in": 1.5}]):
        with pytest.raises(DataError, match="a file line 3: timing"):
            timings_in({"timings": wrong}, "a file line 3")


def test_the_median_of_a_live_run_is_over_turns():
    """Three turns of two conversations took 1, 2 and 9 seconds."""
    took = {"a": (1.0, 9.0), "b": (2.0,)}
    records = [
        {
            "conversation_id": id_,
            "timings": [{"measured": "request", "last_token_s": t, "tokens_out": 10} for t in own],
        }
        for id_, own in took.items()
    ]
    csc = {"configs": {"t": {"metadata": {"csc": {}}}}}
    run = SimpleNamespace(records=records, results=csc, task="t", file="f")
    numbers = efficiency("m", "t", "live", timings_of(run, "m", {})).numbers
    assert numbers["last_token_s/median"].value == 2.0
    assert numbers["tokens_out/total"].value == 30.0
    assert numbers["tokens_out/conversation"].value == 15.0
