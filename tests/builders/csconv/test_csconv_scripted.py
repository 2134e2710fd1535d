"""The stand-in's strategies, topics, placeholders and rewrites: against the truth of scripted
dialogues, and on text from elsewhere.
"""

import json
from collections import Counter
from itertools import pairwise

import pytest

from builders.csconv.asking import CRITERIA, Check, Rewritten, Verdict, labels_form, topic_form
from builders.scripted import rewriter
from builders.scripted.masking import masked
from builders.scripted.phrases import bank
from builders.scripted.player import plan, play
from builders.scripted.recognise import recognise, recognised, topic_of
from builders.transcript import history
from builders.wording import templates
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn, merge_neighbours
from csc_tasks.framework import TOPICS
from csc_tasks.languages.labels import topic_label
from csc_tasks.llm.exchange import Request
from csc_tasks.llm.replies import parse_reply

LANGUAGES = ("zh", "en")


def scripted(language, count=50):
    """(topic, turns with their true strategies) of scripted dialogues, every problem at least
    once.
    """
    names = list(bank(language).problems)
    for number in range(count):
        scenario = plan(f"recognise/{number}", language, names[number % len(names)])
        yield scenario.topic, list(play(scenario))[-1].turns


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_strategies_of_scripted_dialogues_are_recognised(language):
    """The labels are the player's own; the words are all that the recogniser sees. At least 97 % of
    all turns and 90 % of any strategy.
    """
    right, seen = Counter(), Counter()
    for _, turns in scripted(language):
        blank = [Turn(turn.speaker, turn.text) for turn in turns]
        for turn, found in zip(turns, recognised(blank, language), strict=True):
            if turn.speaker == CUSTOMER:
                assert found == ""
            else:
                seen[turn.strategy] += 1
                right[turn.strategy] += found == turn.strategy
    assert seen.total() > 350 and len(seen) == 12
    assert right.total() >= 0.97 * seen.total()
    assert all(right[name] >= 0.9 * seen[name] for name in seen), {
        name: (right[name], seen[name]) for name in seen
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_topics_of_scripted_dialogues_are_recognised(language):
    found = [
        (topic_of([Turn(turn.speaker, turn.text) for turn in turns], language), topic)
        for topic, turns in scripted(language)
    ]
    assert sum(got == true for got, true in found) >= 0.97 * len(found)


# Supporter turns as CrossWOZ and STAR have them; the labels are ours, by the definitions of the
# framework.
ELSEWHERE = {
    "zh": [
        ("推荐您去北京欢乐谷游玩。", "PS"),
        ("地址是在北京市朝阳区金蝉西路东四环小武基北路(四方桥东南)。", "ID"),
        ("抱歉，周边没有餐馆。", "ID"),
        ("好的，车型是#CX，车牌是#CP。", "RI"),
        ("没问题，评分是4.4分，还不错吧。", "ID"),
        ("对不起没有查到价格信息，您还有其他问题吗？", "FR"),
        ("您好，请问有什么可以帮您？", "GT"),
        ("请提供一下您的姓名和手机号码。", "IV"),
        ("您的意思是上周买的票要改签，对吗？", "RP"),
        ("您别着急，我理解您的心情。", "EM"),
        ("已经为您办理退款。", "RI"),
        ("请问您想去哪个景点？", "PR"),
        ("以后有需要随时联系我们。", "RC"),
    ],
    "en": [
        ("Hello, how can I help?", "GT"),
        ("Could I get your full name, please?", "IV"),
        ("Right, and your PIN as well please.", "IV"),
        ("For what time should the reservation be made?", "PR"),
        ("Is there anything else that I can do for you?", "FR"),
        (
            (
                "Great, the Lucca is happy to accommodate you.\nCan I confirm your reservation with"
                " them?"
            ),
            "RP",
        ),
        ("Excellent, your reservation at the Lucca is confirmed!", "RI"),
        ("Your current balance is 3572 in credit.", "ID"),
        ("I am sorry to hear that. We will work hard to resolve the issue.", "EM"),
        ("Thank you and goodbye.", "AC"),
        (
            (
                "I am sorry, I don't quite understand what you mean. I am only able to help you"
                " issue fraud reports."
            ),
            "Others",
        ),
        ("I would suggest you call the branch tomorrow.", "PS"),
        ("We will keep you posted about updates in the future.", "RC"),
    ],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_from_elsewhere_is_labelled_by_its_words(language):
    assert [recognise(text, language) for text, _ in ELSEWHERE[language]] == [
        strategy for _, strategy in ELSEWHERE[language]
    ]


def test_a_word_of_thanks_closes_only_at_the_end():
    assert (
        recognise("No problem", "en", last=True) == "AC" and recognise("No problem", "en") != "AC"
    )


def test_the_actions_of_star_are_mostly_recognised(shared_data):
    """The table behind csc build star, made from the action labels, is another route to the
    strategies; this one sees the words alone.
    """
    from pathlib import Path

    from builders.star import dialogue_files, read_dialogues

    reading = read_dialogues(dialogue_files(Path(shared_data, "star"))[:120])
    right = seen = 0
    for conversation in reading.conversations:
        found = recognised([Turn(turn.speaker, turn.text) for turn in conversation.dialogue], "en")
        pairs = [
            (got, turn.strategy)
            for got, turn in zip(found, conversation.dialogue, strict=True)
            if turn.strategy
        ]
        right, seen = right + sum(got == true for got, true in pairs), seen + len(pairs)
    assert seen > 500 and right >= 0.85 * seen


@pytest.mark.parametrize(
    ("language", "asked", "said", "found"),
    [
        (
            "zh",
            "请问您的手机号是多少？",
            "13912345678，还有138 1234 5678",
            "[手机号码]，还有[手机号码]",
        ),
        ("zh", "好的。", "我叫李小龙，身份证110105199003072316", "我叫[姓名]，身份证[身份证号]"),
        ("zh", "请问怎么称呼？", "王小明，尾号0042的卡", "[姓名]，尾号0042的卡"),
        ("zh", "好的。", "邮箱是a.b@qq.com，座机010-67389898", "邮箱是[邮箱地址]，座机[电话号码]"),
        (
            "zh",
            "好的。",
            "3月5日花了1250元，卡号6222 0212 3456 7890 123",
            "3月5日花了1250元，卡号[银行卡号]",
        ),
        ("zh", "好的。", "姓李，1370****0012", "姓李，1370****0012"),
        ("zh", "好的。", "号码是137****0012，订单号DD123456", "号码是[手机号码]，订单号[订单号]"),
        ("en", "May I have your name, please?", "Katarina Miller", "[name]"),
        ("en", "What was your mother's maiden name?", "Oh, it was Wong.", "Oh, it was [name]."),
        ("en", "May I have your name?", "Yes", "Yes"),
        ("en", "Your PIN please.", "9503", "[PIN]"),
        (
            "en",
            "Anything else?",
            "My PIN is either 5380 or 9503, and $5000 are gone",
            "My PIN is either [PIN] or [PIN], and $5000 are gone",
        ),
        ("en", "Could you provide your date of birth?", "04/04/1990", "[date of birth]"),
        (
            "en",
            "Your PIN please.",
            "Lost it, my D.O.B. is 04/04/1990",
            "Lost it, my D.O.B. is [date of birth]",
        ),
        (
            "en",
            "Hello.",
            "Her maiden name was Wong and my pet was Molly",
            "Her maiden name was [name] and my pet was [name]",
        ),
        (
            "en",
            "When did it happen?",
            "04/04/2020, about 1,200 dollars",
            "04/04/2020, about 1,200 dollars",
        ),
        (
            "en",
            "Hello.",
            "My account number is 351531510, mail x.y@z.org",
            "My account number is [account number], mail [email address]",
        ),
        (
            "en",
            "Hello.",
            "Call (415) 555-2671 or 555-0142, order DD123456",
            "Call [phone number] or [phone number], order [order number]",
        ),
        ("en", "Hello.", "Hi, this is Tyler Jones", "Hi, this is [name]"),
        (
            "en",
            "Hello.",
            "This is ridiculous. I am Very angry",
            "This is ridiculous. I am Very angry",
        ),
    ],
)
def test_placeholders(language, asked, said, found):
    assert masked([Turn(SUPPORTER, asked), Turn(CUSTOMER, said)], language)[1].text == found


def test_a_name_once_given_is_replaced_wherever_it_occurs():
    turns = [
        Turn(SUPPORTER, "May I have your name?"),
        Turn(CUSTOMER, "Katarina"),
        Turn(SUPPORTER, "Thanks, Katarina. How can I help?"),
    ]
    assert [turn.text for turn in masked(turns, "en")][1:] == [
        "[name]",
        "Thanks, [name]. How can I help?",
    ]


def request(stage, language, item_id="item", **values):
    return Request(stage, item_id, 0, 0, templates(language).messages(f"csconv_{stage}", **values))


def rewrite(language, turns, item_id="item", topic="Others"):
    """The rewrite by way of the prompt and the reply, as the builder gets it."""
    name = topic_label(topic, language)
    values = {
        "strategies": "- x",
        "stages": "- y",
        "fewest": "10",
        "most": "50",
        "topic": name,
        "dialogue": history(turns, language, strategies=False),
    }
    return [
        turn.turn()
        for turn in parse_reply(
            rewriter.rewrite(request("rewrite", language, item_id, **values)), Rewritten
        ).dialogue
    ]


BARE = {
    "zh": [
        Turn(CUSTOMER, "帮我找一家评分4.5分以上的餐馆"),
        Turn(SUPPORTER, "推荐您去讲礼驴肉馆。"),
        Turn(CUSTOMER, "电话是多少？"),
        Turn(SUPPORTER, "电话是010-61785066。"),
    ],
    "en": [
        Turn(CUSTOMER, "Somebody took $300 from my account"),
        Turn(SUPPORTER, "Could you provide the details now?"),
        Turn(CUSTOMER, "At an ATM."),
        Turn(SUPPORTER, "Your report has been submitted."),
    ],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "turns",
    [
        lambda bare: bare,
        lambda bare: bare[1:],
        lambda bare: bare[:3],
        lambda bare: bare[:1],
        lambda bare: bare[1:2],
        lambda bare: [bare[0], *bare, bare[3], bare[3]],
    ],
    ids=[
        "customer opens",
        "supporter opens",
        "customer ends",
        "customer alone",
        "supporter alone",
        "neighbours",
    ],
)
@pytest.mark.parametrize("number", range(3))
def test_a_rewrite_alternates_and_has_the_three_strategies(language, turns, number):
    found = rewrite(language, turns(BARE[language]), f"item{number}")
    spoken = [turn for turn in found if turn.speaker != "system"]
    assert all(before.speaker != after.speaker for before, after in pairwise(spoken))
    assert {"GT", "IV", "AC"} <= {turn.strategy for turn in spoken}
    assert all(bool(turn.strategy) == (turn.speaker == SUPPORTER) for turn in spoken)


def test_a_rewrite_keeps_the_words_and_puts_in_what_is_missing():
    found = [turn for turn in rewrite("en", BARE["en"]) if turn.speaker != "system"]
    assert [(turn.speaker, turn.strategy) for turn in found] == [
        (SUPPORTER, "GT"),
        (CUSTOMER, ""),
        (SUPPORTER, "IV"),
        (CUSTOMER, ""),
        (SUPPORTER, "PR"),
        (CUSTOMER, ""),
        (SUPPORTER, "RI"),
        (CUSTOMER, ""),
        (SUPPORTER, "AC"),
    ]
    assert [found[i].text for i in (1, 4, 5, 6)] == [turn.text for turn in BARE["en"]]
    assert "[name]" in found[3].text and "[phone number]" in found[3].text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_scripted_dialogue_is_its_own_rewrite_where_nothing_is_missing(language):
    complete = 0
    for topic, turns in scripted(language, 20):
        joined, _ = merge_neighbours(turns, " " if language == "en" else "")
        found = [turn for turn in rewrite(language, turns, topic=topic) if turn.speaker != "system"]
        if len(joined) == len(turns) and {"GT", "IV", "AC"} <= {turn.strategy for turn in turns}:
            complete += 1
            assert [turn.strategy for turn in found] == [turn.strategy for turn in turns]
    assert complete >= 5


def test_one_rewrite_in_eight_keeps_a_note():
    noted = sum(
        rewrite("zh", BARE["zh"], f"raw-{number}")[-1].speaker == "system" for number in range(400)
    )
    assert 30 <= noted <= 70


def verdict(language, turns):
    values = {"history": history(turns, language, strategies=True)}
    return parse_reply(rewriter.judge(request("judge", language, **values)), Verdict).failed()


def test_the_judge_says_no_by_its_stated_rules():
    sound = [
        Turn(SUPPORTER, "Hello, how can I help?", "GT"),
        Turn(CUSTOMER, "Hi."),
        Turn(SUPPORTER, "Your name, please?", "IV"),
        Turn(CUSTOMER, "[name]"),
        Turn(SUPPORTER, "It is done now, and you can use it again.", "RI"),
        Turn(CUSTOMER, "Thanks."),
        Turn(SUPPORTER, "Goodbye.", "AC"),
    ]
    assert verdict("en", sound) == ()
    again = [
        Turn(SUPPORTER, "It is done now, and you can use it again.", "RI"),
        Turn(CUSTOMER, "Hm."),
    ]
    assert verdict("en", [*sound[:4], *again * 2, *sound[4:]]) == ()
    assert verdict("en", [*sound[:4], *again * 3, *sound[4:]]) == ("coherent",)
    upset = [*sound[:1], Turn(CUSTOMER, "I am furious!"), *sound[2:]]
    assert verdict("en", upset) == ("empathetic",)
    assert (
        verdict(
            "en",
            [*upset[:4], Turn(SUPPORTER, "I understand.", "EM"), Turn(CUSTOMER, "Ok."), *upset[4:]],
        )
        == ()
    )
    assert verdict(
        "en", [sound[0], sound[1], sound[6], sound[1], *sound[2:6], *sound[:2], *sound[:2]]
    ) == ("strategies_fit",)
    assert set(CRITERIA) == {"coherent", "empathetic", "strategies_fit"}


def test_the_check_finds_the_listed_words():
    def check(language, *turns):
        return parse_reply(
            rewriter.check(
                request("check", language, dialogue=history(turns, language, strategies=False))
            ),
            Check,
        )

    fine = check("zh", *BARE["zh"])
    assert (fine.abusive, fine.unprofessional) == (False, False)
    rude = check("zh", *BARE["zh"], Turn(SUPPORTER, "你这个要求有点过分啊。"))
    assert (rude.abusive, rude.unprofessional) == (False, True)
    # Only a supporter can be unprofessional.
    assert not check("en", *BARE["en"], Turn(CUSTOMER, "Not my problem!")).unprofessional
    assert check("en", *BARE["en"], Turn(CUSTOMER, "You idiots")).abusive


@pytest.mark.parametrize("language", LANGUAGES)
def test_topic_and_labels_have_the_asked_form(language):
    names = [topic_label(topic, language) for topic in TOPICS]
    values = {
        "topics": "\n".join(names),
        "dialogue": history(BARE[language], language, strategies=False),
    }
    found = parse_reply(rewriter.topic(request("topic", language, **values)), topic_form(language))
    assert (
        TOPICS[names.index(found.topic)]
        == {"zh": "Product Consultation", "en": "Account and Transaction Management"}[language]
    )
    numbered = [
        Turn(t.speaker, f"({i // 2 + 1}) {t.text}" if i % 2 else t.text)
        for i, t in enumerate(BARE[language])
    ]
    values = {
        "strategies": "- x",
        "count": "2",
        "dialogue": history(numbered, language, strategies=False),
    }
    labels = parse_reply(
        rewriter.label(request("label", language, **values)), labels_form(2)
    ).labels
    assert [label.strategy for label in labels] == [
        strategy for strategy in recognised(BARE[language], language) if strategy
    ]


def test_labels_are_wanted_for_every_number_once():
    for numbers in ([1], [1, 1], [1, 3], [1, 2, 3], []):
        text = json.dumps(
            {"labels": [{"number": number, "strategy": "Greeting"} for number in numbers]}
        )
        with pytest.raises(ValueError, match="not each of 1 to 2 once"):
            parse_reply(text, labels_form(2))
    text = json.dumps(
        {"labels": [{"number": 2, "strategy": "Others"}, {"number": 1, "strategy": "GT"}]}
    )
    assert [label.strategy for label in parse_reply(text, labels_form(2)).labels] == [
        "GT",
        "Others",
    ]
