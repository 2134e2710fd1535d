"""Which numbers and addresses are found in text, and which are placeholders, masks, service lines
or made up.
"""

import random
import re

import pytest

from csc_tasks.pii import (
    ACCOUNT,
    CARD,
    EMAIL,
    IDENTITY,
    PHONE,
    TOKEN,
    find,
    find_in_row,
)

# The numbers are invented; check digits are right where a kind has one.
FOUND = [
    ("您的手机号是13912340987吗", PHONE, "139******87"),
    ("电话：139-1234-0987。", PHONE, "139-****-**87"),
    ("打１３９１２３４０９８７找我", PHONE, "139******87"),
    ("+86 139 1234 0987", PHONE, "+86 1** **** **87"),
    ("13912340987或13712349876", PHONE, "139******87"),
    ("我的号码幺三九幺二三四零九八七", PHONE, "139******87"),
    ("座机010-62345789", PHONE, "010-******89"),
    ("（0571）86541234", PHONE, "(057*)******34"),
    ("Call me at (415) 867-5309.", PHONE, "(415) ***-**09"),
    ("415.867.5309", PHONE, "415.***.**09"),
    ("my cell phone is 4158675309", PHONE, "415*****09"),
    ("+44 20 7946 0958", PHONE, "+44 2* **** **58"),
    ("邮箱是zhang.san@qq.com，谢谢", EMAIL, "z***@***.com"),
    ("jo+shop@mail.example-bank.co.uk", EMAIL, "j***@***.uk"),
    ("zhang＠163．com", EMAIL, "z***@***.com"),
    ("身份证11010519491231002X", IDENTITY, "110*************2X"),
    ("110105 19491231 002x", IDENTITY, "110*** ******** **2x"),
    ("身份证号：110105491231002", IDENTITY, "110**********02"),
    ("SSN 512-44-9876", IDENTITY, "512-**-**76"),
    ("card 4539 1488 0343 6467", CARD, "453* **** **** **67"),
    ("卡号6222600260001072444", CARD, "622**************44"),
    ("3759 120873 64512", CARD, "375* ****** ***12"),
    ("the key is hf_abcdEFGHijklMNOPqrstUVWXyz012345", TOKEN, "hf_***"),
    ("sk-proj-abcdEFGHijklMNOPqrst", TOKEN, "sk-***"),
]
# Formed as their makers document them; the values are invented. A token stands for the letters of
# its sort.
MORE = [
    ("IBAN DE89 3704 0044 0532 0130 00 please", ACCOUNT, "DE89370400440532013000"),
    ("pay to GB29NWBK60161331926819, thanks", ACCOUNT, "GB29NWBK60161331926819"),
    ("iban: fr14 2004 1010 0505 0001 3m02 606", ACCOUNT, "FR1420041010050500013M02606"),
    ("008613986420357", PHONE, "+8613986420357"),
    ("0086 139-8642-0357", PHONE, "+8613986420357"),
    ("8613986420357", PHONE, "+8613986420357"),
    ("139.8642.0357", PHONE, "+8613986420357"),
    ("139\u00a08642\u00a00357", PHONE, "+8613986420357"),
    ("139\u202f8642\u20090357", PHONE, "+8613986420357"),
    ("139\u200b8642\u200b0357", PHONE, "+8613986420357"),
    ("1\u200d3\ufeff9\u20608642\u00ad0357", PHONE, "+8613986420357"),
    ("139\u20118642\u20130357", PHONE, "+8613986420357"),
    ("１３９－８６４２－０３５７", PHONE, "+8613986420357"),
    ("打电话（０１０）６２３４５７８９", PHONE, "+861062345789"),
    ("电话是62345789", PHONE, "62345789"),
    ("01062345789，这个是预约电话", PHONE, "+861062345789"),
    ("llámame al 612 348 679", PHONE, "+34612348679"),
    ("call 07911 723456", PHONE, "+447911723456"),
    ("I placed an order, call me at 415-867-5309", PHONE, "+14158675309"),
    ("订单留的手机13986420357", PHONE, "+8613986420357"),
    ("ｚｈａｎｇ＠１６３．ｃｏｍ", EMAIL, "zhang@163.com"),
    ("my SSN is 512 44 9876", IDENTITY, "512449876"),
    ("DNI 54362315K", IDENTITY, "54362315K"),
    ("github_pat_11ABCDEFG0" + "aB3dE5fG7h" * 7, TOKEN, None),
    ("use ghs_" + "aB3d" * 9, TOKEN, None),
    ("xoxb-123456789012-1234567890123-aBcDeFgHiJkLmNoPqRsT", TOKEN, None),
    ("xapp-1-A012BCDEF-1234567890123-0a1b2c3d4e5f", TOKEN, None),
    ("https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF2/aBcDeFgHiJkL", TOKEN, None),
    ("key=AIza" + "SyD9tSrke72PouQMnMXa7eZSW0jkFMBWYxx", TOKEN, None),
    ("ya29." + "a0AfH6SMBx" * 5, TOKEN, None),
    ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N", TOKEN, None),
    ("AKIA" + "Q3EGRJ7CXLDM2NTB", TOKEN, None),
    ("-----BEGIN RSA PRIVATE KEY-----", TOKEN, None),
]
PASSED_OVER = [
    "order 415-867-5309",
    "Order #415-867-5309",
    "your order number is 415-867-5309",
    "order no. 415-867-5309",
    "invoice: 415.867.5309",
    "tracking number 415 867 5309",
    "订单号13986420357",
    "订单编号：13986420357",
    "运单号是 139 8642 0357",
    "order 13986420357",
    "订单20231215143",
    "order 20231215143",
    "139XXXX0357",
    "+86 139 **** 0357",
    "(xxx) xxx-xxxx",
    "000-000-0000",
    "[phone number] <电话号码>",
    "DE89 3704 0044 0532 0130 01",
    "DE** **** **** **** **** 00",
    "DNI 54362315L",
    "your-name@gmail.com",
    "you@yourdomain.com",
    "AKIAIOSFODNN7EXAMPLE",
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-your-key-goes-here-please-thanks",
    "电话是4008208820",
    "ISBN 978-3-16-148410-0",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "at 1590451024, 2020-05-26 00:17:04",
    "请提供[手机号码]、[身份证号]和[邮箱]。",
    "您尾号138****0000的手机",
    "卡号6222 **** **** 1234",
    "尾号0987",
    "13800138000",
    "138 1234 5678",
    "11111111111",
    "13888888888",
    "请拨打95588或400-820-8820",
    "call 1-800-867-5309",
    "call 415-555-2671",
    "name@example.com",
    "you@test.invalid",
    "xxx@qq.com",
    "support@bank.com",
    "noreply@shop.cn",
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "SSN 123-45-6789",
    "110105194912310021",
    "990105194912310021",
    "订单号2023121514301512",
    "订单1391234098712",
    "order 139123409876",
    "ref 4158675309",
    "110105491231002",
    "4539 1488 0343 6468",
    "2024-01-02 至 2024-03-04",
    "12:30:45 2024/01/02",
    "3.13912340987",
    "金额12345678.90元",
    "version 10.20.30.40",
    "A13912340987B",
    "一二三四五六七八九十一二三",
    "",
    "@someone on 12.5.2024",
]


@pytest.mark.parametrize(("text", "kind", "masked"), FOUND, ids=[text for text, *_ in FOUND])
def test_found(text, kind, masked):
    first, *more = find(text)
    assert (first.kind, first.masked) == (kind, masked)
    assert len(more) == text.count("或")
    digits = re.sub(r"\D", "", text[first.start : first.end])
    assert len(digits) < 8 or digits not in first.masked


@pytest.mark.parametrize(("text", "kind", "value"), MORE, ids=[ascii(text) for text, *_ in MORE])
def test_found_however_it_is_written(text, kind, value):
    [match] = find(text)
    assert match.kind == kind and (value is None or match.value == value)
    # The place is that of the original text, and neither end is cut.
    shown = text[match.start : match.end]
    assert shown == shown.strip() and shown[-1:] in text
    again = "前面的话。" + text + "。后面的话"
    [there] = find(again)
    assert again[there.start : there.end] == shown
    # What may be shown does not hold it.
    assert match.value not in match.masked and match.value not in repr(match)


@pytest.mark.parametrize("text", PASSED_OVER)
def test_passed_over(text):
    assert find(text) == []


def test_places_are_those_of_the_text():
    text = "先打010-62345789，再打１３９１２３４０９８７"
    assert [text[match.start : match.end] for match in find(text)] == [
        "010-62345789",
        "１３９１２３４０９８７",
    ]


def test_a_number_is_never_shown_whole():
    """Whatever is found in random digit groups, at least four of its digits are hidden."""
    rng = random.Random(3)
    seen = 0
    for _ in range(3_000):
        groups = "".join(
            rng.choice("0123456789 -") if rng.random() < 0.9 else rng.choice("+()x")
            for _ in range(rng.randint(9, 22))
        )
        for match in find(f"phone {groups}"):
            seen += 1
            hidden = match.masked.count("*")
            assert hidden >= 4, (groups, match)
    assert seen > 40


def test_rows_say_where():
    turns = [
        {"speaker": "customer", "strategy": "", "text": "hi"},
        {"speaker": "supporter", "strategy": "GT", "text": "打13912340987"},
    ]
    row = {
        "conversation_id": "x-13912340987",
        "profile": "zhang@qq.com",
        "turn_index": 3,
        "stage": None,
        "dialogue": turns,
    }
    assert [(place, match.kind) for place, match in find_in_row(row)] == [
        ("profile", EMAIL),
        ("dialogue turn 1", PHONE),
    ]


def test_equal_values_are_one_finding_however_they_are_written():
    texts = ("139-8642-0357", "008613986420357", "１３９８６４２０３５７", "幺三九八六四二零三五七")
    assert len({match.value for text in texts for match in find(text)}) == 1
