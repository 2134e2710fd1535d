"""Briefs by rule: what is in them, and that none of it is the recorded supporter's."""

from dataclasses import replace

import pytest

from csc_tasks import corpora
from csc_tasks.errors import SettingError
from csc_tasks.live import Brief, Fact
from csc_tasks.live.briefs import brief_by_rule, briefs_hash, quoted_supporter
from tests.support.live import ORDER, SECOND


def test_a_brief_by_rule_holds_what_the_customer_said():
    assert brief_by_rule(ORDER) == Brief(
        "order",
        (Fact("order number", "AB-48213"), Fact("name", "Jane Miller")),
        "My parcel has not arrived and I am really annoyed!",
        "writes very short messages",
        "annoyed",
        ("When will it be here?",),
        "en",
    )
    second = brief_by_rule(SECOND)
    assert (second.facts, second.mood) == ((), "calm")
    assert second.unknown == ("account number",)
    assert brief_by_rule(replace(SECOND, goal="close it")).aim == "close it"


def test_no_brief_of_the_demo_quotes_the_supporter_and_the_supporter_moves_no_word_of_it():
    for item in corpora.load("demo", "csconv", "test").items:
        brief = brief_by_rule(item)
        assert quoted_supporter(brief, item) == ""
        # Other supporters: nothing changes but the names of facts, which are the language's own.
        mute = replace(
            item,
            dialogue=tuple(
                replace(turn, text="…") if turn.speaker == "supporter" else turn
                for turn in item.dialogue
            ),
        )
        other = brief_by_rule(mute)
        assert (brief.aim, brief.manner, brief.mood) == (other.aim, other.manner, other.mood)
        said = " ".join(turn.text for turn in item.dialogue if turn.speaker == "customer")
        assert all(fact.value in said for fact in brief.facts)


def test_a_quotation_of_the_supporter_is_found_wherever_it_stands():
    brief = brief_by_rule(ORDER)
    words = "The warehouse sends a replacement parcel tomorrow."
    for planted in (
        replace(brief, aim=f"I heard: {words}"),
        replace(brief, unknown=(words,)),
        replace(brief, facts=(*brief.facts, Fact("plan", words.upper()))),
    ):
        assert quoted_supporter(planted, ORDER) == "the warehouse sends a replacement parcel"
    # Five words in a row may be anybody's.
    assert quoted_supporter(replace(brief, aim="the warehouse sends a replacement"), ORDER) == ""


def test_the_hash_is_of_the_content_whatever_the_order():
    one, two = brief_by_rule(ORDER), brief_by_rule(SECOND)
    assert briefs_hash([one, two]) == briefs_hash([two, one])
    assert briefs_hash([one, two]) != briefs_hash([one, replace(two, mood="worried")])


def test_a_language_without_live_words_is_named_with_those_that_have_them():
    with pytest.raises(SettingError, match=r"German \(de\).*live.yaml; zh, en have one"):
        brief_by_rule(replace(ORDER, language="de"))
