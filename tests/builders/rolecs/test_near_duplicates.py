"""Scenarios and dialogues that are nearly one, and replies that are too long for their place."""

import json
from collections import Counter

import pytest

from builders.profiles.near_duplicates import FirstOnes, first_of_each, hashed
from builders.rolecs.build import Distinct
from builders.rolecs.roles import Plan, customer_said, said, whole
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.llm.outcomes import Malformed
from csc_tasks.llm.replies import WrongForm, parse_reply, reply_schema
from tests.builders.rolecs.test_roles import make
from tests.support.talkers import Talker, as_json, well_behaved

# One word of twelve is another: unigrams and pairs, so cosines of about 0.85 and 0.9.
WORDS = "the parcel with a blue kettle that was sent on monday never came"
TEXTS = [
    WORDS,
    WORDS,
    WORDS.replace("came", "arrived"),
    "a bill for last month was paid twice by mistake and nobody answers the letters",
    WORDS.replace("the", "my"),
]


def conversation(number, scenario, text):
    turns = (Turn(SUPPORTER, f"Hello. {text}", "GT"), Turn(CUSTOMER, text))
    return Conversation(f"c{number}", "en", "Others", "t", turns, "p", scenario, "g")


def test_rounds_make_no_difference():
    together = first_of_each(hashed(TEXTS), 0.85)
    assert together == [0, 3]
    for size in (1, 2, 3):
        first, stay = FirstOnes(0.85), []
        for start in range(0, len(TEXTS), size):
            stay += [start + i for i in first.of(TEXTS[start : start + size])]
        assert stay == together
    assert FirstOnes(1).of(TEXTS) == [0, 1, 2, 3, 4] and FirstOnes(0.99).of(TEXTS) == [0, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_they_are_dropped_and_counted(size):
    other = "we talk about a broken lamp in the hall and its price"
    items = [
        conversation(0, TEXTS[0], TEXTS[3]),
        conversation(1, TEXTS[1], other),
        conversation(2, "quite another thing happened here", TEXTS[3]),
        # Near the scenario of one whose dialogue was dropped.
        conversation(3, "quite another thing happened here", "nothing like it was ever said"),
        conversation(4, "a lamp broke", other),
    ]
    distinct, dropped, stay = Distinct(0.95, 0.85), Counter(), []
    for start in range(0, len(items), size):
        stay += distinct.of(items[start : start + size], dropped)
    assert [one.conversation_id for one in stay] == ["c0", "c4"]
    assert dropped == {"near-duplicate scenario": 2, "near-duplicate dialogue": 1}
    assert distinct.of(items[:1], dropped) == [] and dropped["duplicate of another"] == 1


def test_an_utterance_is_bounded_when_it_arrives():
    for form in (said("en"), customer_said("en")):
        assert reply_schema(form)["properties"]["reply"]["maxLength"] == 700
        with pytest.raises(WrongForm, match="at most 700 characters"):
            parse_reply(as_json(reply="x" * 701, finished=False), form)
    longest = " ".join(map(str, range(1000)))[:699].strip() + "."
    assert len(longest) == 700 and parse_reply(as_json(reply=longest), said("en"))
    assert reply_schema(said("zh"))["properties"]["reply"]["maxLength"] == 240
    schema = reply_schema(whole("en"))
    assert schema["properties"]["dialogue"]["maxItems"] == 100
    assert schema["$defs"]["WrittenTurn"]["properties"]["text"]["maxLength"] == 700


@pytest.mark.parametrize("text", ["Hi, this is [Your Name].", "I am [Name]", "I'm an AI, sorry."])
def test_an_utterance_that_nobody_would_say_is_malformed(text):
    with pytest.raises(WrongForm):
        parse_reply(as_json(reply=text), said("en"))
    with pytest.raises(WrongForm):
        parse_reply(as_json(scenario=text, goal="g"), Plan)


@pytest.mark.parametrize(
    ("size", "problem"), [(1_000_000, "1,000,013 characters"), (9000, "at most 700 characters")]
)
def test_huge_replies_cost_three_small_requests_and_not_a_dialogue(tmp_path, size, problem):
    """Replies of up to a megabyte, each in the right form: the dialogue ends there."""
    huge = as_json(reply="x" * size)
    talker = Talker(well_behaved(supporter=huge))
    dropped, _ = make(talker, tmp_path, attempts=3)
    assert isinstance(dropped, Malformed) and problem in dropped.detail
    assert Counter(request.stage for request in talker.asked) == {"planner": 1, "supporter": 3}
    assert sum(len(json.dumps(request.messages)) for request in talker.asked) < 40_000
