"""The table of strategies, stages and topics, and finding a strategy by what people and models
write for it.
"""

import json

import pytest

from csc_tasks.errors import SettingError, UnknownStrategy
from csc_tasks.framework import (
    BY_ID,
    BY_NUMBER,
    STAGES,
    STRATEGIES,
    STRATEGY_IDS,
    TOPICS,
)
from csc_tasks.languages import languages
from csc_tasks.languages.labels import (
    closest_label,
    definition,
    find_strategy,
    strategy,
    strategy_name,
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
    assert [
        (
            f"{s.number} {s.id}",
            strategy_name(s.id, "en"),
            strategy_name(s.id, "zh"),
            " ".join(s.stages),
        )
        for s in STRATEGIES
    ] == [(" ".join(first.split()), en, zh, stages) for first, en, zh, stages in rows]
    assert STRATEGY_IDS == (
        "GT",
        "IV",
        "RP",
        "PR",
        "EM",
        "PS",
        "ID",
        "RI",
        "FR",
        "RC",
        "AC",
        "Others",
    )
    assert list(BY_NUMBER) == list(range(1, 13)) and list(BY_ID) == list(STRATEGY_IDS)
    assert [stage.id for stage in STAGES] == [
        "Connecting",
        "Identifying",
        "Exploring",
        "Resolving",
        "Maintaining",
    ]
    assert {stage for s in STRATEGIES for stage in s.stages} == {stage.id for stage in STAGES}


def test_every_shipped_language_names_and_defines_everything():
    marks = {"zh": "。", "ja": "。"}
    for code, one in languages().items():
        named = [strategy_name(s.id, code) for s in STRATEGIES]
        defined = [definition(s.id, code) for s in STRATEGIES]
        assert len({name.casefold() for name in named}) == len(set(defined)) == 12, code
        assert all(text.endswith(marks.get(code, ".")) for text in defined), code
        assert set(one.topics) == set(TOPICS) and set(one.stages) == {
            stage.id for stage in STAGES
        }, code
    assert all(
        strategy_name(s.id, "en").isascii() and not strategy_name(s.id, "zh").isascii()
        for s in STRATEGIES
    )
    with pytest.raises(SettingError, match="there is no language 'xx'; there are zh, en, "):
        strategy_name("GT", "xx")


def test_the_topics_are_those_of_the_paper(shared_data):
    printed = json.loads(
        (shared_data / "papers" / "csc_2508.04423_tables.json").read_text(encoding="utf-8")
    )["table4_csconv_topics"]
    assert list(TOPICS) == list(printed)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("账户和交易管理", "Account and Transaction Management"),
        (" 其它 ", "Others"),
        ("Risk Management and Security", "Risk Management and Security"),
        ("restaurant", "restaurant"),
        ("", ""),
    ],
)
def test_topic_names(text, name):
    assert topic_name(text) == name


@pytest.mark.parametrize("s", STRATEGIES, ids=lambda s: s.id)
def test_what_names_a_strategy(s):
    zh, en = strategy_name(s.id, "zh"), strategy_name(s.id, "en")
    for label in (
        zh,
        en,
        en.upper(),
        en.lower(),
        s.id,
        f" {en}\n",
        en.replace(" ", " \t "),
        f"策略{s.number}",
        f"策略 {s.number}",
        f"策略0{s.number}",
        f"策略{s.number} {zh}",
        f"策略{s.number}:{en}",
        f"策略{s.number}：{zh}",
        f"策略{s.number}、{zh}",
        f"策略{s.number}. {zh}",
        f"Strategy {s.number}: {en}",
        f"STRATEGY {s.number}",
        f"{s.number}. {en}",
        f"{s.number} {zh}",
    ):
        assert find_strategy(label) is strategy(label) is s, label
        assert find_strategy(label, ids=False) is (None if label == s.id != en else s), label


@pytest.mark.parametrize("label", ["其他", "策略12 其他", "策略12：其他", "12. 其他", " 其他 "])
def test_others_is_written_with_either_character(label):
    assert strategy(label).id == strategy(label.replace("他", "它")).id == "Others"
    assert find_strategy(label.replace("12", "5")) is (None if "12" in label else strategy("其它"))


@pytest.mark.parametrize(
    "label",
    [
        "",
        " ",
        "策略",
        "strategy",
        "5",
        "05",
        "策略0",
        "策略13",
        "策略99 其它",
        "策略13 其它",
        "策略5 提供建议",
        "策略5 EM",
        "4. Emotional Management",
        "策略" + "9" * 5000,
        "9" * 5000,
        "em",
        "gt",
        "others.",
        "Greetings",
        "Greeting customers",
        "情感",
        "情感管理细化问题",
        "情感管理+细化问题",
        "[情感管理]",
        "\x00",
        "\ud83d",
    ],
)
def test_what_names_none(label):
    assert find_strategy(label) is None
    with pytest.raises(UnknownStrategy, match="is not one of the 12"):
        strategy(label)


@pytest.mark.parametrize(
    ("label", "closest"),
    [
        ("提供建義", "提供建议"),
        ("策略6 提供建義", "提供建议"),
        ("策略5 提供建议", "提供建议"),
        ("Greetings", "Greeting"),
        ("GREETINGS", "Greeting"),
        ("emotional managment", "Emotional Management"),
        ("Info Delivery", "Information Delivery"),
        ("gtt", "GT"),
        ("其他的", "其它"),
        ("Other", "Others"),
    ],
)
def test_the_closest_label(label, closest):
    assert closest_label(label) == closest
    with pytest.raises(UnknownStrategy) as caught:
        strategy(label)
    assert str(caught.value) == f"strategy {label!r} is not one of the 12 (closest: {closest})"


@pytest.mark.parametrize("label", ["", "xyz", "\x00", "99", "策略99", "🙂" * 1000])
def test_there_is_always_a_closest_label(label):
    assert strategy(closest_label(label)) in STRATEGIES
