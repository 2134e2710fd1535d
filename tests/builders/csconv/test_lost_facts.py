"""A rewrite that lost most facts of its original is dropped by rule."""

import pytest

from builders.csconv.postfilter import lost_facts
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from tests.support.built_folders import record_of
from tests.support.csconv_builds import build, recorded, write

# Four facts: an amount, a date, a number and a code.
ORIGINAL = (
    Turn(CUSTOMER, "I paid $120.50 on March 5 for 3 kettles, order AB-12345678."),
    Turn(SUPPORTER, "I see."),
)


def rewrite(text, language="en"):
    turns = (Turn(CUSTOMER, text), Turn(SUPPORTER, "I see.", "RP"))
    return Conversation("id", language, "Others", "test", turns)


@pytest.mark.parametrize(
    ("text", "least", "lost"),
    [
        ("I paid $120.50 on March 5 for 3 kettles, order AB-12345678.", 1.0, False),
        ("I paid $120.50 on March 5 for some kettles.", 0.5, False),
        ("I paid $120.50 for some kettles.", 0.5, True),
        ("I paid $120.50 for some kettles.", 0.25, False),
        ("I paid for some kettles.", 0.5, True),
        ("I paid for some kettles.", 0.0, False),
        # What a placeholder stands for is not lost.
        ("I paid $120.50 for some kettles, order [order number].", 0.5, False),
    ],
)
def test_the_share_of_facts_that_is_left(text, least, lost):
    reason = lost_facts(ORIGINAL, rewrite(text), least)
    assert (reason is not None) == lost
    if lost:
        assert reason[0] == "lost most facts" and reason[1].endswith("of 4 facts are left")


def test_few_facts_say_nothing_and_neither_do_languages_without_rules():
    few = (Turn(CUSTOMER, "I paid $120.50 on March 5."),)
    assert lost_facts(few, rewrite("I paid."), 1.0) is None
    assert lost_facts(ORIGINAL, rewrite("I paid.", "de"), 1.0) is None


def test_the_option_is_recorded_and_checked(tmp_path, capsys):
    source = write(tmp_path / "calls.jsonl", recorded(6, "en"))
    assert build(source, tmp_path / "set", "--min-fidelity", 0) == 0
    settings = record_of(tmp_path / "set")["settings"]
    assert settings["min_fidelity"] == 0 and settings["rules_after"]["fewest_facts"] == 3
    assert build(source, tmp_path / "other", "--min-fidelity", 50) != 0
    assert "--min-fidelity 50: must be a share" in capsys.readouterr().err
