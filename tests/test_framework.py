"""The table of strategies, stages and topics, and finding a strategy by what people and models write for it."""

import json

import pytest

from csc_tasks.errors import UnknownStrategy
from csc_tasks.framework import (
    BY_ID,
    BY_NUMBER,
    LANGUAGES,
    STAGES,
    STRATEGIES,
    STRATEGY_IDS,
    TOPICS,
    closest_label,
    find_strategy,
    strategy,
    topic_name,
)

# Tables 1 and 2 of arXiv 2508.04423, written out a second time on purpose.
PUBLISHED = """
1 GT     | Greeting                    | 礼貌问候   | Connecting
2 IV     | Identity Verification       | 确认身份   | Connecting
3 RP     | Restatement or Paraphrasing | 重述或转述 | Identifying
4 PR     | Problem Refinement          | 细化问题   | Identifying Exploring
5 EM     | Emotional Management        | 情感管理   | Identifying Exploring Resolving Maintaining
6 PS     | Providing Suggestions       | 提供建议   | Exploring Resolving
7 ID     | Information Delivery        | 信息传达   | Exploring Resolving
8 RI     | Resolution Implementation   | 解决实施   | Resolving
9 FR     | Feedback Request            | 反馈请求   | Resolving Maintaining
10 RC    | Relationship Continuation   | 关系延续   | Maintaining
11 AC    | Appreciation and Closure    | 感谢与告别 | Maintaining
12 Others| Others                      | 其它       |
"""


def test_the_table_is_the_published_one():
    rows = [[cell.strip() for cell in line.split("|")] for line in PUBLISHED.strip().splitlines()]
    assert [(f"{s.number} {s.id}", s.en, s.zh, " ".join(s.stages)) for s in STRATEGIES] == [
        (" ".join(first.split()), en, zh, stages) for first, en, zh, stages in rows
    ]
    assert STRATEGY_IDS == ("GT", "IV", "RP", "PR", "EM", "PS", "ID", "RI", "FR", "RC", "AC", "Others")
    assert list(BY_NUMBER) == list(range(1, 13)) and list(BY_ID) == list(STRATEGY_IDS)
    assert [stage.id for stage in STAGES] == ["Connecting", "Identifying", "Exploring", "Resolving", "Maintaining"]
    assert {stage for s in STRATEGIES for stage in s.stages} == {stage.id for stage in STAGES}


def test_everything_has_a_wording_in_both_languages():
    for s in STRATEGIES:
        for language in LANGUAGES:
            assert s.name(language) and s.definition(language).endswith({"zh": "。", "en": "."}[language])
        assert s.en.isascii() and s.definition_en.isascii() and not s.zh.isascii()
    assert len({s.definition_zh for s in STRATEGIES}) == len({s.definition_en for s in STRATEGIES}) == 12
    with pytest.raises(KeyError):
        STRATEGIES[0].name("fr")


def test_the_topics_are_those_of_the_paper(shared_data):
    printed = json.loads((shared_data / "papers" / "csc_2508.04423_tables.json").read_text(encoding="utf-8"))["table4_csconv_topics"]
    assert [topic.en for topic in TOPICS] == list(printed)


@pytest.mark.parametrize(("text", "name"), [
    ("账户和交易管理", "Account and Transaction Management"), (" 其它 ", "Others"),
    ("Risk Management and Security", "Risk Management and Security"), ("restaurant", "restaurant"), ("", ""),
])
def test_topic_names(text, name):
    assert topic_name(text) == name


@pytest.mark.parametrize("s", STRATEGIES, ids=lambda s: s.id)
def test_what_names_a_strategy(s):
    for label in (
        s.zh, s.en, s.en.upper(), s.en.lower(), s.id, f" {s.en}\n", s.en.replace(" ", " \t "),
        f"策略{s.number}", f"策略 {s.number}", f"策略0{s.number}",
        f"策略{s.number} {s.zh}", f"策略{s.number}:{s.en}", f"策略{s.number}：{s.zh}", f"策略{s.number}、{s.zh}", f"策略{s.number}. {s.zh}",
        f"Strategy {s.number}: {s.en}", f"STRATEGY {s.number}", f"{s.number}. {s.en}", f"{s.number} {s.zh}",
    ):
        assert find_strategy(label) is strategy(label) is s, label
        assert find_strategy(label, ids=False) is (None if label == s.id != s.en else s), label


@pytest.mark.parametrize("label", [
    "", " ", "策略", "strategy", "5", "05", "策略0", "策略13", "策略99 其它", "策略13 其它", "策略5 提供建议", "策略5 EM",
    "4. Emotional Management", "策略" + "9" * 5000, "9" * 5000, "em", "gt", "others.", "Greetings", "Greeting customers", "情感",
    "情感管理细化问题", "情感管理+细化问题", "[情感管理]", "\x00", "\ud83d",
])
def test_what_names_none(label):
    assert find_strategy(label) is None
    with pytest.raises(UnknownStrategy, match="is not one of the 12"):
        strategy(label)


@pytest.mark.parametrize(("label", "closest"), [
    ("提供建義", "提供建议"), ("策略6 提供建義", "提供建议"), ("策略5 提供建议", "提供建议"), ("Greetings", "Greeting"),
    ("GREETINGS", "Greeting"), ("emotional managment", "Emotional Management"), ("Info Delivery", "Information Delivery"), ("gtt", "GT"),
    ("其他", "其它"), ("Other", "Others"),
])
def test_the_closest_label(label, closest):
    assert closest_label(label) == closest
    with pytest.raises(UnknownStrategy) as caught:
        strategy(label)
    assert str(caught.value) == f"strategy {label!r} is not one of the 12 (closest: {closest})"


@pytest.mark.parametrize("label", ["", "xyz", "\x00", "99", "策略99", "🙂" * 1000])
def test_there_is_always_a_closest_label(label):
    assert strategy(closest_label(label)) in STRATEGIES
