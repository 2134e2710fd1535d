"""Facts: every kind in both languages against values worked out by hand, what is no fact, and what
a rewrite kept.
"""

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.metrics import fact_rules, facts
from csc_tasks.metrics.facts import KINDS, Fact, find_facts, kept, placeholders, unsupported
from csc_tasks.metrics.numerals import chinese_number, digit_number, english_number, plain


def short(text, language):
    """`kind value` of every fact, in order."""
    return [f"{fact.kind} {fact.value}" for fact in find_facts(text, language)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("五", 5),
        ("十", 10),
        ("十五", 15),
        ("二十", 20),
        ("二十四", 24),
        ("九十九", 99),
        ("一百", 100),
        ("一百零五", 105),
        ("一百一十", 110),
        ("两百五", 250),
        ("三百九", 390),
        ("五亿三", 530_000_000),
        ("一万二千亿", 12 * 10**11),
        ("三千五百", 3500),
        ("三千零五十", 3050),
        ("三千五", 3500),
        ("一万", 10_000),
        ("两万三", 23_000),
        ("一万二千", 12_000),
        ("十万", 100_000),
        ("二十万零三百", 200_300),
        ("一百二十万", 1_200_000),
        ("三千万", 30_000_000),
        ("一亿", 10**8),
        ("一亿二千万", 120_000_000),
        ("三万亿", 3 * 10**12),
        ("1.25万", 12_500),
        ("3千", 3_000),
        ("2百万", 2_000_000),
        ("1万2千", 12_000),
        ("1万2", 12_000),
        ("1万2000", 12_000),
        ("12,500", 12_500),
        ("零", 0),
        ("三百五", 350),
        ("一千零一", 1_001),
        ("一万零五", 10_005),
    ],
)
def test_a_chinese_number_is_read(text, number):
    assert chinese_number(text) == Decimal(number)


NO_CHINESE_NUMBERS = (
    "万一",
    "千万",
    "百万",
    "三四",
    "一二三",
    "百",
    "万",
    "一百百",
    "一百一千",
    "三百五百",
    "三万五万",
    "",
)


@pytest.mark.parametrize("text", NO_CHINESE_NUMBERS)
def test_chinese_characters_that_name_no_number_are_none(text):
    assert chinese_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("two", 2),
        ("nineteen", 19),
        ("twenty five", 25),
        ("twenty-five", 25),
        ("ninety", 90),
        ("one hundred", 100),
        ("a hundred", 100),
        ("three hundred and five", 305),
        ("three hundred five", 305),
        ("two thousand", 2_000),
        ("a thousand", 1_000),
        ("one thousand two hundred", 1_200),
        ("twelve thousand five hundred", 12_500),
        ("five hundred thousand", 500_000),
        ("two million", 2_000_000),
        ("one million two hundred thousand and six", 1_200_006),
    ],
)
def test_an_english_number_is_read(text, number):
    assert english_number(text) == number


NO_NUMBERS = (
    "five five five",
    "twenty twenty four",
    "two three",
    "twenty ten",
    "thousand",
    "one thousand million",
    "hundred hundred",
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_english_words_that_are_no_single_number_are_none(text):
    assert english_number(text) is None


def test_numbers_are_written_the_shortest_way():
    written = [
        ("1,200.00", ""),
        ("2.5", " million"),
        ("5", "k"),
        ("0.50", ""),
        ("100", ""),
        ("3", "m"),
        ("2", "Billion"),
        ("4", "hundred"),
    ]
    expected = ["1200", "2500000", "5000", "0.5", "100", "3000000", "2000000000", "400"]
    assert [plain(digit_number(*parts)) for parts in written] == expected


ENGLISH = [
    ("We owe you 12,500 points and 3 days.", ["number 12500", "number 3"]),
    ("twenty five minutes, 2.5 million users", ["number 25", "number 2500000"]),
    ("Save 20% now, or ten percent later.", ["number 20%", "number 10%"]),
    ("Take 1/2 of it, 5kg or 5 kg.", ["number 1/2", "number 5", "number 5"]),
    ("That is $1,200.00 in all.", ["amount 1200 USD"]),
    ("That is 1200 dollars in all.", ["amount 1200 USD"]),
    ("USD 1200 or 1,200 USD or $1.2k", ["amount 1200 USD", "amount 1200 USD", "amount 1200 USD"]),
    ("twelve dollars and 50 cents", ["amount 12.5 USD"]),
    (
        "99 cents, 40 pence, five hundred euros",
        ["amount 0.99 USD", "amount 0.4 GBP", "amount 500 EUR"],
    ),
    (
        "£30, €40.50, ¥100, RMB 12, HK$5",
        ["amount 30 GBP", "amount 40.5 EUR", "amount 100 CNY", "amount 12 CNY", "amount 5 HKD"],
    ),
    ("$5 million and 5 thousand dollars", ["amount 5000000 USD", "amount 5000 USD"]),
    ("A $50-a-month plan, $5.", ["amount 50 USD", "amount 5 USD"]),
    ("due 2024-03-05, not 2024/3/6", ["date 2024-03-05", "date 2024-03-06"]),
    (
        "March 5, 2024 and 5th of March and Mar. 5th",
        ["date 2024-03-05", "date --03-05", "date --03-05"],
    ),
    ("5 March 2024, December 2023, in September", ["date 2024-03-05", "date 2023-12", "date --09"]),
    ("3/5/2024 and 25/12/2024", ["date 2024-03-05", "date 2024-12-25"]),
    ("on the 5th, but the 5th time", ["date ---05"]),
    ("You may 5 times march on. In May it may rain.", ["number 5"]),
    (
        "May 5 at 3 pm, 3:30 p.m., 15:30, 12:05 am, 9 o'clock",
        ["date --05-05", "date 15:00", "date 15:30", "date 15:30", "date 00:05", "date 09:00"],
    ),
    ("at 25:00 or 13 pm, 4:3, 1,2,3", ["number 13"]),
    (
        "24:00, 24:30, 10:59, 10:60, 10:30:59, 10:30:60",
        ["date 00:00", "date 00:30", "date 10:59", "date 10:30:59"],
    ),
    (
        "12 am, 12 pm, 1 pm, 11 pm, 0 pm",
        ["date 00:00", "date 12:00", "date 13:00", "date 23:00", "number 0"],
    ),
    ("12/31/68 and 12/31/69", ["date 2068-12-31", "date 1969-12-31"]),
    ("31 May, 32 May", ["date --05-31", "number 32"]),
    ("two days, one day, zero fees", ["number 2"]),  # `one` and `zero` are seldom numbers
    ("order #A12345, ticket is T-709132", ["code a12345", "code t-709132"]),
    (
        "card ending in 4242, PIN 0314, account number is 85731890",
        ["code 4242", "code 0314", "code 85731890"],
    ),
    (
        "Call 555-123-4567, +1 (415) 555-2671 or 555-0199.",
        ["code 5551234567", "code 14155552671", "code 5550199"],
    ),
    ("4012 8888 8888 1881", ["code 4012888888881881"]),
    (
        "J.Doe@Mail.org, https://www.Bank.com/help?x=1.",
        ["code j.doe@mail.org", "code bank.com/help?x=1"],
    ),
    ("version 7.3.1 of error E1021", ["code 7.3.1", "code e1021"]),
    ("Thank you, Mr. Carter and Ms. Li!", ["name carter", "name li"]),
    ("My name is John Smith. I'm Tom, this is Ann.", ["name john smith", "name tom", "name ann"]),
    ("He lives in Los Angeles with Sarah.", ["name los angeles", "name sarah"]),
    ("Please contact Customer Service on Monday via Online Banking, Madam.", []),
    ("I'm Sorry, please press OK in the Settings.", []),
    ("Hello. Welcome to us. One of you, no one, 4G, 5th, B2B, covid-19, mid-1990s, 24/7", []),
    ("hold on one second, five five five", []),
    ("call [phone number] for [2] or <NAME>, 138****0000, XXXX", ["number 2"]),
]

CHINESE = [
    ("一共12,500积分，3天后到账", ["number 12500", "number 3"]),
    (
        "1.25万人，三千五百人，二十四小时，两个，十分钟",
        ["number 12500", "number 3500", "number 24", "number 2", "number 10"],
    ),
    ("一个月、一年、三次", ["number 1", "number 1", "number 3"]),
    (
        "20%，百分之二十，百分之3.5，三分之一，八折",
        ["number 20%", "number 20%", "number 3.5%", "number 1/3", "number 8"],
    ),
    ("价格12元，12块，12.00元，￥12，¥12，RMB 12", ["amount 12 CNY"] * 6),
    (
        "1.25万元，三千五百元，两万三块，五块钱",
        ["amount 12500 CNY", "amount 3500 CNY", "amount 23000 CNY", "amount 5 CNY"],
    ),
    (
        "12块5，12元5角，5毛，12块钱",
        ["amount 12.5 CNY", "amount 12.5 CNY", "amount 0.5 CNY", "amount 12 CNY"],
    ),
    (
        "100美元，50欧元，30英镑，20港币，$15",
        ["amount 100 USD", "amount 50 EUR", "amount 30 GBP", "amount 20 HKD", "amount 15 USD"],
    ),
    ("100-150元", ["number 100", "amount 150 CNY"]),
    ("三块蛋糕，三元桥，一起，一块去，5元素", ["number 5"]),
    ("2024年3月5日，2024-03-05，二〇二四年三月五号，24年3月5号", ["date 2024-03-05"] * 4),
    (
        "3月5日，三月五号，12月31号，3月份，2024年，2024年3月",
        ["date --03-05", "date --03-05", "date --12-31", "date --03", "date 2024", "date 2024-03"],
    ),
    (
        "15号到账，在中关村大街2号，坐5号线，住3号楼",
        ["date ---15", "number 2", "number 5", "number 3"],
    ),
    (
        "10:30，下午3:30，下午3点，下午三点半，晚上8点20分，15时30分",
        ["date 10:30", "date 15:30", "date 15:00", "date 15:30", "date 20:20", "date 15:30"],
    ),
    (
        "早上9点到晚上12点，中午12点，凌晨两点，十点前",
        ["date 09:00", "date 00:00", "date 12:00", "date 02:00", "date 10:00"],
    ),
    ("早一点，有3点要求", ["number 3"]),
    (
        "三点一刻，三点三刻，十点整，下午三点零五分",
        ["date 03:15", "date 03:45", "date 10:00", "date 15:05"],
    ),
    (
        "下午12:30，晚上12:30，凌晨12点，上午12点",
        ["date 12:30", "date 00:30", "date 00:00", "date 12:00"],
    ),
    (
        "中午1点，中午11点，傍晚6点，晚上5点，明晚七点半",
        ["date 13:00", "date 11:00", "date 18:00", "date 17:00", "date 19:30"],
    ),
    (
        "夜里两点，晚上1点，当晚4点，凌晨五点",
        ["date 02:00", "date 01:00", "date 04:00", "date 05:00"],
    ),
    ("10:30:15，10:30:60，下午三点零零", ["date 10:30:15", "date 15:00"]),
    ("90年3月5日，68年3月5号", ["date 1990-03-05", "date 2068-03-05"]),
    ("三千元大奖，一元复始，12元", ["amount 3000 CNY", "amount 12 CNY"]),
    (
        "订单DD20240305，尾号1234，工号：8023，验证码是006611",
        ["code dd20240305", "code 1234", "code 8023", "code 006611"],
    ),
    (
        "13812345678，138 1234 5678，010-85007938，+8613812345678",
        ["code 13812345678"] * 2 + ["code 01085007938", "code 8613812345678"],
    ),
    ("6222 0212 3456 7890，幺三八零零一二三四五六", ["code 6222021234567890", "code 13800123456"]),
    ("张先生您好，李女士，王伟先生，欧阳小姐", ["name 张", "name 李", "name 王伟", "name 欧阳"]),
    (
        "我叫王伟，我姓李，姓名：赵小明。我是客服小陈，很高兴为您服务",
        ["name 王伟", "name 李", "name 赵小明", "name 陈"],
    ),
    ("这位先生，那位女士，我是高级客户，我叫什么", []),
    (
        "万一不行，千万别来，十分感谢，一下，一个，第三次，十一假期，三四天，星期三，几十块，三十几个",
        [],
    ),
    ("请拨打[手机号码]，【姓名】，138****0000，**", []),
]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("2024-13-05", "en"),
        ("2024-12-32", "en"),
        ("2024-00-05", "en"),
        ("32/12/2024", "en"),
        ("3/0/2024", "en"),
        ("0/3/2024", "en"),
        ("13/13/2024", "en"),
        ("3月0日", "zh"),
        ("三四月五日", "zh"),
        ("下午三四点", "zh"),
        ("下午三点四五分", "zh"),
        ("零月", "zh"),
        ("三月零号", "zh"),
        ("十三月", "zh"),
        ("十三月五日", "zh"),
        ("三月三十二日", "zh"),
    ],
)
def test_months_and_days_that_do_not_exist_are_no_dates(text, language):
    assert not [fact for fact in find_facts(text, language) if fact.kind == "date"]


@pytest.mark.parametrize(("text", "expected"), ENGLISH)
def test_english_facts(text, expected):
    assert short(text, "en") == expected


@pytest.mark.parametrize(("text", "expected"), CHINESE)
def test_chinese_facts(text, expected):
    assert short(text, "zh") == expected


def test_a_fact_says_how_it_stood_there_and_full_width_forms_are_read():
    assert find_facts("余额１２．５元，订单ＤＤ１２", "zh")[0] == Fact(
        "amount", "12.5 CNY", "１２．５元"
    )
    assert find_facts("Pay $1,200.00 to Mr. Li", "en") == [
        Fact("amount", "1200 USD", "$1,200.00"),
        Fact("name", "li", "Mr. Li"),
    ]
    assert {
        kind for text, _ in ENGLISH for kind in (fact.kind for fact in find_facts(text, "en"))
    } == set(KINDS)


def test_an_unknown_language_is_refused():
    with pytest.raises(SettingError, match="'xx'"):
        find_facts("12", "xx")


def test_placeholders_are_found_and_bracketed_numbers_are_none():
    assert placeholders("[手机号码] [12] <NAME> {order id} 138****0000 ** xxx") == [
        "[手机号码]",
        "<NAME>",
        "{order id}",
        "138****0000",
        "**",
        "xxx",
    ]


@pytest.mark.parametrize(
    ("text", "support", "language", "missing"),
    [
        ("$1,200.00", "you paid 1200 dollars", "en", []),
        ("$1,200", "it was 1,200", "en", []),  # people leave the currency out
        ("€1,200", "$1,200", "en", ["1200 EUR"]),
        ("1200", "$1,200", "en", []),
        ("$1,200", "$1,201", "en", ["1200 USD"]),
        ("March 5", "on 2024-03-05", "en", []),
        ("2024-03-05", "March 5", "en", ["2024-03-05"]),
        ("in December", "by December 24", "en", []),
        ("at 3:30", "at 15:30", "en", []),
        ("at 4 pm", "at 4:30 pm", "en", ["16:00"]),
        ("at 12:30", "at 00:30", "en", []),  # the clock shows 12:30 half an hour after midnight too
        ("at 12:30", "at 12:30 am", "en", []),
        ("at 12:30 am", "at 12:30", "en", ["00:30"]),
        ("at 1:30", "at 00:30", "en", ["01:30"]),
        ("at 3:30 pm", "at 3:30", "en", ["15:30"]),
        ("card ending in 1881", "4012 8888 8888 1881", "en", []),
        ("number ending in 1881", "my card is 4012-8888-8888-18-81", "en", []),
        ("number ending in 0881", "my card is 4012-8888-8888-18-81", "en", ["0881"]),
        ("order A12345", "the number is a12345", "en", []),
        ("Ms. Smith", "my name is jane smith", "en", []),
        ("to John Smith", "my name is jane smith", "en", ["john smith"]),
        ("Ms. Ann", "annual report", "en", ["ann"]),  # whole words only
        ("20 percent", "20%", "en", []),
        ("王先生", "我叫王伟，", "zh", []),
        ("王先生", "国王来了", "zh", ["王"]),
        ("我叫王伟。", "客户王伟来电", "zh", []),
        ("1.25万元", "一万两千五百元", "zh", []),
        ("3月5日", "二〇二四年三月五日", "zh", []),
        ("尾号1234", "卡号6222021234561234", "zh", []),
        ("三天，四次", "3天", "zh", ["4"]),
    ],
)
def test_what_no_support_text_holds_is_unsupported(text, support, language, missing):
    found = find_facts(text, language)
    assert found
    assert [fact.value for fact in unsupported(found, ["", support], language)] == missing
    assert unsupported(found, [text], language) == []
    assert unsupported(found, [], language) == found


def test_kept_masked_lost_and_added():
    original = "我叫王伟，手机13812345678，3月5日付了1,200元，退我1200元，等了3天。"
    rewritten = "我叫[客户姓名]，手机[手机号码]，三月五号付了1200元，等了四天。"
    result = kept(original, rewritten, "zh")
    # Different facts of the original: the name, the phone, the day, 1200 yuan (twice), 3 days.
    assert (result.facts, result.kept, result.masked) == (5, 2, 2)
    assert [fact.value for fact in result.lost] == ["3"]
    assert [fact.value for fact in result.added] == ["4"]


def test_a_placeholder_masks_one_fact_of_its_kind_and_only_a_new_placeholder_masks():
    one = kept("Call 555-123-4567 or 555-987-6543, Mr. Li.", "Call [phone number], Mr. Li.", "en")
    assert (one.facts, one.kept, one.masked, [fact.value for fact in one.lost]) == (
        3,
        1,
        1,
        ["5559876543"],
    )
    old = kept("Call 555-123-4567 or [phone number].", "Call [phone number].", "en")
    assert (old.masked, len(old.lost)) == (0, 1)
    other = kept("Call 555-123-4567.", "Call [name].", "en")
    assert (other.masked, len(other.lost)) == (0, 1)
    stars = kept("Mr. Li pays $5.", "**** pays ****.", "en")
    assert (stars.facts, stars.masked, stars.lost) == (2, 2, ())
    assert kept("", "", "en").facts == 0


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1,",
        "12 34 ",
        "a",
        "a1-",
        "x@",
        "[a",
        "Ab ",
        "five ",
        "一百",
        "1万1千",
        "我叫王",
        "尾号",
        "\n",
    ],
)
def test_time_grows_with_the_length_of_the_text_and_never_faster(unit):
    """100 kB of whatever a pattern may start on. Quadratic time would be minutes; the bound leaves
    room for a slow, busy machine.
    """
    for language in ("zh", "en"):
        start = time.process_time()
        find_facts((unit * 100_000)[:100_000], language)
        assert time.process_time() - start < 8


def test_rules_that_are_not_tried_would_have_found_nothing(monkeypatch):
    """Texts without digits, or without any number word, are read by fewer rules: to the same facts
    as by all of them.
    """
    demo = Path(facts.__file__).parents[1] / "demo"
    texts = {
        (turn["text"], row["language"])
        for file in ("rolecs/train", "csconv/test")
        for row in map(
            json.loads, (demo / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
        )
        for turn in row["dialogue"]
    }
    quick = {key: facts.find_facts(*key) for key in texts}
    monkeypatch.setattr(facts, "rules_for", lambda text, language: fact_rules.RULES[language])
    facts._facts.cache_clear()
    assert {key: facts.find_facts(*key) for key in texts} == quick
    without = [key for key in texts if not any(character.isdigit() for character in key[0])]
    assert len(without) > 2000 and any(quick[key] for key in without)
