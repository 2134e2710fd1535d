"""What the audit counts in a conversation, against counts by hand."""

import math

import pytest

from csc_tasks.conversation import Conversation, Turn
from leaderboard.audit import briefs, features
from leaderboard.audit.cues import FOLDER, cues_of
from leaderboard.audit.turns import recorded_dialogue, sentences, talk_of
from tests.support.talks import brief, talk

EN, ZH = cues_of("en"), cues_of("zh")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I paid $3.50 for it", 1),
        ("Hello. Can you help me?", 2),
        ("No!!! Never.", 2),
        ("One line\nand another", 2),
        ("你好。我要退款！谢谢", 3),
        ("...", 1),
        ("版本3.5不行", 1),
    ],
)
def test_sentences(text, count):
    assert sentences(text) == count


def test_neighbouring_turns_of_one_speaker_are_one_and_know_what_stood_before():
    conversation = Conversation(
        "c",
        "en",
        "Others",
        "",
        (
            Turn("supporter", "Hi."),
            Turn("supporter", "What is it?"),
            Turn("customer", "My card."),
            Turn("customer", "It is gone."),
            Turn("supporter", "I see."),
            Turn("customer", "Well?"),
        ),
    )
    read = talk_of(recorded_dialogue(conversation), "en")
    assert [(turn.text, turn.before, turn.sentences) for turn in read.turns] == [
        ("My card.\nIt is gone.", "Hi.\nWhat is it?", 2),
        ("Well?", "I see.", 1),
    ]


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("greet", "Hi there", True),
        ("greet", "which one is it", False),
        ("greet", "I said hi", False),
        ("agree", "Okay, book it", True),
        ("agree", "It is not okay", False),
        ("refuse", "No, not that one", True),
        ("refuse", "Nobody helped me", False),
        ("thanks", "well, thank you", True),
        ("complain", "This is ridiculous!", True),
        ("question", "Is that all", True),
        ("question", "All of it?", True),
        ("question", "I know what it is", False),
        ("unknown", "I don't remember my PIN", True),
        ("bye", "Goodbye", True),
        ("role", "As the customer, I would like a refund", True),
        ("role", "I am a customer of yours", True),
        ("role", "My goal is to get a refund", True),
        ("role", "I like the service", False),
    ],
)
def test_english_cues(name, text, there):
    assert EN.has(name, text) is there


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("agree", "好的，就这样", True),
        ("agree", "这样不好的", False),
        ("refuse", "不用了", True),
        ("thanks", "那就谢谢你", True),
        ("complain", "你们太过分了", True),
        ("question", "几点能到", True),
        ("question", "我今天到", False),
        ("role", "我扮演的是客户", True),
        ("role", "我是客户", False),
    ],
)
def test_chinese_cues(name, text, there):
    assert ZH.has(name, text) is there


def test_every_cues_file_is_of_a_language_and_can_be_read():
    codes = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    assert codes == ["en", "zh"]
    names = [set(cues_of(code).patterns) for code in codes]
    assert names[0] == names[1]
    assert cues_of("de") is None


def test_lengths():
    said = talk("one two", "?", "one two three four five six seven eight")
    assert features.turn_count(said) == 1  # log2 of 2 turns
    assert features.turn_length(said) == pytest.approx(math.log2(5))
    assert features.longest_turn(said) == 3
    assert features.length_spread(said) == 1  # logs 1 and 3
    assert math.isnan(features.length_spread(talk("alone")))


def test_acts_are_shares_of_turns():
    said = talk("Hello, can you help?", "Yes?", "No thanks, thank you", "Sure?", "Yes.")
    assert features.share_with("greet")(said, EN) == pytest.approx(1 / 3)
    assert features.share_with("refuse")(said, EN) == pytest.approx(1 / 3)
    assert features.count_of("thanks")(said, EN) == pytest.approx(2 / 3)
    assert features.agreeing_answers(said, EN) == 1 / 2  # of two answers
    assert features.only_agreeing(said, EN) == pytest.approx(1 / 3)
    assert features.ends_with("agree")(said, EN) == 1
    assert math.isnan(features.agreeing_answers(talk("Hello"), EN))


def test_the_path_of_the_mood():
    said = talk("This is terrible", ".", "fine", ".", "great, thanks")
    assert [features.mood_in(part)(said, EN) for part in range(3)] == [-1, 0, 2]
    assert features.mood_change(said, EN) == 3


def test_vocabulary_and_repetition():
    words = " ".join(f"w{i}" for i in range(30))
    assert features.different_words(talk(words)) == 1
    assert features.different_words(talk(f"{words} w29")) == pytest.approx((1 + 29 / 30) / 2)
    assert math.isnan(features.different_words(talk("too short")))
    again = talk("a b c d", ".", "a b c", ".", "A B C D")
    assert features.repeated_turns(again) == pytest.approx(1 / 3)
    # abc, bcd; abc; abc, bcd: three of the five stood in an earlier turn.
    assert features.repeated_runs(again) == pytest.approx(3 / 5)


def test_when_facts_are_told():
    known = brief(name="Jane Doe", PIN="0314", city="Boston")
    said = talk("I am Jane  DOE", "PIN?", "0314, and 03145 is not it", brief=known)
    assert briefs.told(said) == [0, 1, -1]
    assert briefs.told_first(said) == pytest.approx(1 / 3)
    assert briefs.told_early(said) == pytest.approx(2 / 3)
    assert briefs.told_never(said) == pytest.approx(1 / 3)
    assert briefs.told_at_once(said) == pytest.approx(1 / 3)
    assert briefs.told(talk("Jane")) is None
    assert math.isnan(briefs.told_first(talk("Jane", brief=brief())))


def test_invented_facts_are_those_that_nobody_gave():
    known = brief(PIN="0314")
    said = talk(
        "My PIN is 0314",
        "Your balance is $512.",
        "Only $512? I paid $99 on March 5!",
        "Really?",
        "Yes, $99.",
        brief=known,
    )
    # Said twice by the customer itself, an invented amount stays invented.
    assert briefs.invented(said) == [0, 2, 1]
    assert briefs.invented_per_turn(said) == 1
    assert briefs.inventing_turns(said) == pytest.approx(2 / 3)
    assert briefs.invented(talk("0314")) is None


def test_reciting_the_brief():
    known = brief(PIN="0314")
    assert briefs.recited(talk("I use very short words", brief=known)) == 0
    # Runs of four words of the manner, "writes in very short" and "in very short words", and the
    # mood as a whole, "is upset", which is shorter: one of three.
    assert briefs.recited(talk("She writes in very short lines", brief=known)) == pytest.approx(
        1 / 3
    )
    leaked = talk("Facts: 0314. As a customer who writes in very short words", brief=known)
    assert briefs.recited(leaked) == pytest.approx(2 / 3)
    assert briefs.role_talk(leaked, EN) == 1
