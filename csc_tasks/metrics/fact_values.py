"""What the matches of the fact patterns are worth: each function takes a match of `fact_rules` and
returns the normal form of its value, None where the match is not what it looks like.
"""

import re
from decimal import Decimal

from csc_tasks.metrics.numerals import chinese_number, digit_number, english_number, plain

Match = re.Match[str]

_CURRENCIES = {
    "USD": "$ US$ USD dollar dollars buck bucks 美元 美金",
    "EUR": "€ EUR euro euros 欧元",
    "GBP": "£ GBP pound pounds 英镑",
    "CNY": "¥ RMB CNY yuan renminbi 元 块 人民币",
    "HKD": "HK$ HKD 港币 港元",
    "JPY": "JPY yen 日元",
    "INR": "₹ INR rupee rupees",
    "CAD": "C$ CAD",
    "AUD": "A$ AUD",
}
_CODES = {form.lower(): code for code, forms in _CURRENCIES.items() for form in forms.split()}


def _amount(number: Decimal | None, currency: str) -> str | None:
    return None if number is None else f"{plain(number)} {_CODES[currency.strip().lower()]}"


def signed(match: Match) -> str | None:
    """`$1,200`, `¥3万`."""
    number: Decimal | None
    if match["u"]:
        number = chinese_number(match["n"] + match["u"])
    else:
        number = digit_number(match["n"], match["m"] or "")
    return _amount(number, match["c"])


def english_amount(match: Match) -> str | None:
    """`20 dollars and 50 cents`, `twenty dollars`."""
    number: Decimal | None
    if match["n"]:
        number = digit_number(match["n"], match["m"] or "")
    else:
        number = english_number(match["w"])
    return _amount(number and number + Decimal(match["cents"] or 0) / 100, match["c"])


_NO_SUM = re.compile(r"(?![一的每左起以上钱吧])[\u4e00-\u9fff]")


def chinese_amount(match: Match) -> str | None:
    """`三百元`, `5块2`, `3元2角5分`."""
    number = chinese_number(match["n"])
    tenths = Decimal(match["j"] or match["k"] or 0) / 10 + Decimal(match["f"] or 0) / 100
    # 三块 may be three pieces of something; with 钱, a digit or a larger unit it is money.
    if match["c"] == "块" and not match["q"] and not re.search(r"[\d十百千万]", match["n"]):
        return None
    # 三元桥, 一元二次: a single numeral is a sum only before what can follow one.
    if (
        match["c"] == "元"
        and len(match["n"]) == 1
        and not match["n"].isdigit()
        and _NO_SUM.match(match.string, match.end())
    ):
        return None
    return _amount(number if number is None else number + tenths, match["c"])


def cents(match: Match) -> str:
    """`50 cents`, `20 pence`, as a part of the currency they belong to."""
    return f"{plain(Decimal(match['n']) / 100)} {'GBP' if match['c'] == 'pence' else 'USD'}"


def address(match: Match) -> str:
    """An e-mail address or URL, without what does not name it."""
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0].rstrip(".,;:!?)'\"").lower())


# One capital letter behind a number is a name (4G, 3D), not a unit.
UNIT = (
    "(?:(?i:kg|mg|km|cm|mm|ml|kb|mb|gb|tb|mbps|kwh|kw|mah|hz|mhz|ghz|hrs?|mins?)|(?-i:[gmlwvkxh]))"
)
_QUANTITY = re.compile(rf"\d+(?:st|nd|rd|th|s|p|am|pm|usd|rmb|{UNIT})", re.IGNORECASE)


def mixed(match: Match) -> str | None:
    """Letters with at least three digits: an order number or the like, unless it is a number with
    its unit or a word like mid-1990s.
    """
    text = match[0].rstrip("-")
    if (
        sum(c.isdigit() for c in text) < 3
        or not re.search("[A-Za-z]", text)
        or _QUANTITY.fullmatch(text)
    ):
        return None
    if any(part.isalpha() and not part.isupper() for part in text.split("-")):
        return None
    return text.lower()


def digits(match: Match) -> str:
    """The digits of a number that names something, joined."""
    return re.sub(r"\D", "", match["code"] if "code" in match.groupdict() else match[0])


def named(match: Match) -> str | None:
    """The code that stands behind a word for one; it has three digits or is none."""
    code = match["code"].strip("-").lower()
    if sum(c.isdigit() for c in code) < 3:
        return None
    return code if re.search("[a-z]", code) else code.replace("-", "")


def percent(match: Match) -> str | None:
    """`20%`, `百分之二十`, `twenty per cent`."""
    parts = match.groupdict()
    number: Decimal | None
    if parts.get("n"):
        number = digit_number(parts["n"])
    elif parts.get("z"):
        number = chinese_number(parts["z"])
    else:
        number = english_number(parts["w"])
    return None if number is None else f"{plain(number)}%"


def fraction(match: Match) -> str | None:
    """`三分之一`."""
    below, above = chinese_number(match["below"]), chinese_number(match["above"])
    return None if not below or above is None else f"{plain(above)}/{plain(below)}"


def english_count(match: Match) -> str | None:
    """A number in an English text."""
    if match["n"]:
        return plain(digit_number(match["n"], match["m"] or ""))
    number = english_number(match["w"])
    # `one` is a pronoun as often as a number, and `zero` mostly a figure of speech.
    return None if number is None or number < 2 else plain(number)


_LENGTHS = re.compile("个?工作日|个月|个?小时|分钟|年|周|个?星期|岁|倍|折")


def chinese_count(match: Match) -> str | None:
    """A number in a Chinese text, in digits or numerals."""
    text, measure = match["n"], match["measure"]
    if not text[0].isdigit():
        if text == "一" and not (measure and _LENGTHS.fullmatch(measure)):
            return None
        # 十分, 十一, 三四: words, a holiday, an estimate; a number only before what it counts.
        if len(text) == 1 or text == "十一":
            if not measure or text in "零〇百千万亿":
                return None
        elif match["rough"]:
            return None
    number = chinese_number(text)
    return None if number is None else plain(number)


def nothing(match: Match) -> str:
    """What is no fact, and must not be read as one by a later rule."""
    return ""
