"""What a fact looks like: for each language the patterns in the order in which they claim text,
each with what its match is worth.

`RULES[language]` is a sequence of (kind, pattern, read). `read(match)` is the normal form of the
value, "" for something that is no fact but must not be read as one either (a placeholder, 24/7),
None where the match is not what it looks like. Every repetition is bounded, or starts only where no
earlier character could have started it: time grows with the length of the text.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from csc_tasks.metrics.fact_dates import (
    CHINESE_DATES,
    DATES,
    END,
    ENGLISH_DATES,
    START,
    WITH_DIGITS,
)
from csc_tasks.metrics.fact_names import CHINESE_NAMES, ENGLISH_NAMES
from csc_tasks.metrics.numerals import (
    CHINESE_DIGITS,
    CHINESE_NUMERAL,
    ENGLISH_WORD,
    chinese_number,
    digit_number,
    english_number,
    plain,
    spelled_digits,
)

WIDE = str.maketrans("０１２３４５６７８９．：％－＋／＃＄￥　", "0123456789.:%-+/#$¥ ")
"""Full-width forms to ASCII, character by character. The full-width comma stays: it never stands
inside a number.
"""

PLACEHOLDER = re.compile(
    r"\[[^\[\]\d\n]{1,40}\]|【[^【】\d\n]{1,40}】|<[A-Z][A-Za-z_ -]{1,30}>|\{[A-Za-z_ ]{2,30}\}"
    r"|(?<![*\d])\d{0,6}\*{2,20}\d{0,6}|(?<![A-Za-z])[Xx]{3,12}(?![A-Za-z])"
)
"""`[手机号码]`, `<NAME>`, `{name}`, `138****0000`, `XXXX`: what stands in place of sensitive data.
"""

Read = Callable[[re.Match], str | None]

_NUMBER = r"(?:(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_ENGLISH_NUMBER = (
    rf"\b(?:a )?{ENGLISH_WORD}(?:(?:[ -]|(?<=hundred) and |(?<=thousand) and"
    rf" ){ENGLISH_WORD}){{0,12}}\b"
)
_CHINESE_NUMBER = (
    rf"(?:{START}{_NUMBER}(?:[十百千万亿]{{1,2}}(?:\d{{1,4}}[百千]){{0,2}}(?:\d{{1,4}}(?![\d.:%]))?)?"
    rf"|(?<!{CHINESE_NUMERAL})(?<![第初周期拜双几数]){CHINESE_NUMERAL}{{1,20}}(?!{CHINESE_NUMERAL})(?![几多余]?分之))"
)

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
_SIGN = r"(?:(?:US|HK|C|A)?\$|[€£¥₹]|(?<![A-Za-z])(?:USD|EUR|GBP|CNY|RMB|JPY|HKD|INR|CAD|AUD) ?)"
_AFTER_ENGLISH = (
    r"(?:dollars?|bucks?|euros?|pounds?|yuan|renminbi|rupees?|yen|USD|EUR|GBP"
    r"|CNY|RMB|JPY|HKD|INR|CAD|AUD)\b"
)
_AFTER_CHINESE = (
    r"(?:美元|美金|欧元|英镑|日元|港币|港元|人民币|RMB|USD|元(?![素旦宵月年])|块(?!状))"
)


def _amount(number: Decimal | None, currency: str) -> str | None:
    return None if number is None else f"{plain(number)} {_CODES[currency.strip().lower()]}"


def _signed(match: re.Match) -> str | None:
    number = (
        digit_number(match["n"], match["m"] or "")
        if not match["u"]
        else chinese_number(match["n"] + match["u"])
    )
    return _amount(number, match["c"])


def _english_amount(match: re.Match) -> str | None:
    number = (
        digit_number(match["n"], match["m"] or "") if match["n"] else english_number(match["w"])
    )
    return _amount(number and number + Decimal(match["cents"] or 0) / 100, match["c"])


_NO_SUM = re.compile(r"(?![一的每左起以上钱吧])[\u4e00-\u9fff]")


def _chinese_amount(match: re.Match) -> str | None:
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


def _cents(match: re.Match) -> str:
    return f"{plain(Decimal(match['n']) / 100)} {'GBP' if match['c'] == 'pence' else 'USD'}"


def _address(match: re.Match) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0].rstrip(".,;:!?)'\"").lower())


# One capital letter behind a number is a name (4G, 3D), not a unit.
_UNIT = (
    "(?:(?i:kg|mg|km|cm|mm|ml|kb|mb|gb|tb|mbps|kwh|kw|mah|hz|mhz|ghz|hrs?|mins?)|(?-i:[gmlwvkxh]))"
)
_QUANTITY = re.compile(rf"\d+(?:st|nd|rd|th|s|p|am|pm|usd|rmb|{_UNIT})", re.IGNORECASE)
# Behind a counted number: no more of it, and of letters only a unit.
_COUNTED = rf"(?!\d|[.,:/]\d|(?!{_UNIT}(?![A-Za-z0-9_]))[A-Za-z_])"


def _mixed(match: re.Match) -> str | None:
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
    return (
        None
        if any(part.isalpha() and not part.isupper() for part in text.split("-"))
        else text.lower()
    )


def _digits(match: re.Match) -> str:
    return re.sub(r"\D", "", match["code"] if "code" in match.groupdict() else match[0])


def _named(match: re.Match) -> str | None:
    code = match["code"].strip("-").lower()
    return (
        (code if re.search("[a-z]", code) else code.replace("-", ""))
        if sum(c.isdigit() for c in code) >= 3
        else None
    )


def _percent(match: re.Match) -> str | None:
    parts = match.groupdict()
    number = (
        digit_number(parts["n"])
        if parts.get("n")
        else (chinese_number(parts["z"]) if parts.get("z") else english_number(parts["w"]))
    )
    return None if number is None else f"{plain(number)}%"


def _fraction(match: re.Match) -> str | None:
    below, above = chinese_number(match["below"]), chinese_number(match["above"])
    return None if not below or above is None else f"{plain(above)}/{plain(below)}"


def _english_count(match: re.Match) -> str | None:
    if match["n"]:
        return plain(digit_number(match["n"], match["m"] or ""))
    number = english_number(match["w"])
    # `one` is a pronoun as often as a number, and `zero` mostly a figure of speech.
    return None if number is None or number < 2 else plain(number)


_MEASURES = (
    "个?工作日|个月|个小时|小时|分钟|秒|天|年(?!轻|级)|次|笔|张|周|个?星期|岁|人|位|件|台|份|倍|期|间|晚|个|折|本|层|楼|号|公里|米|公斤"
    "|斤|项|条|家|单"
)
_LENGTHS = re.compile("个?工作日|个月|个?小时|分钟|年|周|个?星期|岁|倍|折")


def _chinese_count(match: re.Match) -> str | None:
    text, measure = match["n"], match["measure"]
    if not text[0].isdigit():
        if text == "一" and not (measure and _LENGTHS.fullmatch(measure)):
            return None
        # 十分, 十一, 三四: words, a holiday, an estimate; a number only before what it counts.
        if len(text) == 1 or text == "十一":
            return None if not measure or text in "零〇百千万亿" else plain(chinese_number(text))
        if match["rough"]:
            return None
    number = chinese_number(text)
    return None if number is None else plain(number)


def _nothing(match: re.Match) -> str:
    return ""


_ANYWHERE = (
    ("", PLACEHOLDER, _nothing),
    ("", re.compile(r"(?<!\d)(?:24/7|7[*xX×]24|24[*xX×]7)(?!\d)"), _nothing),
    (
        "code",
        re.compile(
            r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}(?![\w@])",
            re.ASCII,
        ),
        _address,
    ),
    (
        "code",
        re.compile(
            r"(?:https?://|(?<![\w.])www\.)[\w.~:/?#@!$&'()*+,;=%-]+", re.ASCII | re.IGNORECASE
        ),
        _address,
    ),
    *DATES,
)
_CODE_RULES = (
    (
        "code",
        re.compile(
            r"(?<![A-Za-z0-9-])(?=[A-Za-z-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![A-Za-z0-9])"
        ),
        _mixed,
    ),
    ("code", re.compile(rf"{START}\d+(?:\.\d+){{2,5}}(?![\d.])"), lambda match: match[0]),
    (
        "code",
        re.compile(
            rf"{START}(?:\+\d{{1,3}}[ -]?)?\(?\d{{2,4}}\)?(?:[ -]\d{{3,4}}){{1,4}}[ -]\d{{4}}{END}"
        ),
        _digits,
    ),
    ("code", re.compile(rf"{START}\+\d{{7,15}}{END}"), _digits),
    ("code", re.compile(rf"{START}0\d{{2,3}}-\d{{7,8}}{END}"), _digits),
    ("code", re.compile(rf"{START}1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{END}"), _digits),
    # Local phone numbers: a range of numbers has no leading zero, and 555 is the exchange that
    # examples use.
    ("code", re.compile(rf"{START}(?:555-\d{{4}}|\d{{3}}-0\d{{3}}){END}"), _digits),
    ("code", re.compile(rf"{START}0\d{{2,}}{END}"), _digits),
)
# A long run of digits names something, unless it counts something (that was read before) or is
# round.
_LONG_RUN = ("code", re.compile(rf"{START}(?!\d*0000(?!\d))\d{{7,}}{END}"), _digits)

_CHINESE = (
    *CHINESE_DATES,
    (
        "code",
        re.compile(
            r"(?:尾号|末四位|后四位|末尾|验证码|工号|[单订]号|编号|账号|卡号|密码|房号|航班号?|房间号)(?:是|为|:|：|"
            r" ){0,3}"
            r"(?P<code>[A-Za-z0-9-]{3,30})(?![A-Za-z0-9])"
        ),
        _named,
    ),
    (
        "amount",
        re.compile(
            rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<u>[百千万亿]{{0,2}})(?P<m>)(?![A-Za-z0-9])"
        ),
        _signed,
    ),
    (
        "amount",
        re.compile(
            rf"(?P<n>{_CHINESE_NUMBER}) ?(?P<c>{_AFTER_CHINESE})"
            r"(?:(?P<j>\d)[角毛](?:(?P<f>\d)分)?|(?P<k>(?<=块)\d)(?![\d.])|(?P<q>钱))?"
        ),
        _chinese_amount,
    ),
    (
        "amount",
        re.compile(rf"{START}(?P<n>\d)[角毛]钱?"),
        lambda match: f"{plain(Decimal(match['n']) / 10)} CNY",
    ),
    (
        "number",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER})"
            rf" ?%|百分之(?P<z>{CHINESE_NUMERAL}{{1,6}}|\d{{1,3}}(?:\.\d+)?))"
        ),
        _percent,
    ),
    (
        "number",
        re.compile(
            rf"(?<!{CHINESE_NUMERAL})(?P<below>{CHINESE_NUMERAL}{{1,4}})分之(?P<above>{CHINESE_NUMERAL}{{1,4}})"
        ),
        _fraction,
    ),
    *_CODE_RULES,
    (
        "code",
        re.compile(rf"(?<![{CHINESE_DIGITS}幺])[{CHINESE_DIGITS}幺]{{5,}}"),
        lambda match: spelled_digits(match[0]),
    ),
    _LONG_RUN,
    (
        "number",
        re.compile(
            rf"(?P<n>{_CHINESE_NUMBER}){_COUNTED}(?=(?P<measure>{_MEASURES})?(?P<rough>[几来]?))"
        ),
        _chinese_count,
    ),
    *CHINESE_NAMES,
)

_MAGNITUDE = r"(?P<m> ?(?:hundred|thousand|million|billion)\b|[kKmM](?![A-Za-z0-9]))?"
_ENGLISH = (
    *ENGLISH_DATES,
    (
        "code",
        re.compile(
            r"(?:\b(?:order|reference|ref|ticket|case|account|invoice|confirmation|booking|tracking|card|policy|customer|member|flight|room"
            r"|serial|routing|claim)(?: (?:number|no\.?|id|code|ending))?(?: is| in|:|"
            r" ?#){1,2}|\b(?:ending|ends)(?: in| with)?"
            r"|\bpin(?: code)?(?: is|:)?|\b(?:number|code|id|no\.)(?: is|:)|#)"
            r" ?(?P<code>[A-Z0-9][A-Z0-9-]{2,29})(?![A-Z0-9]|[.,]\d)",
            re.IGNORECASE,
        ),
        _named,
    ),
    (
        "amount",
        re.compile(rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<u>){_MAGNITUDE}(?![A-Za-z0-9])"),
        _signed,
    ),
    (
        "amount",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER}){_MAGNITUDE}|(?P<w>{_ENGLISH_NUMBER}))"
            rf"[ -]?(?P<c>{_AFTER_ENGLISH})"
            r"(?: and (?P<cents>\d{1,2}) cents\b)?",
            re.IGNORECASE,
        ),
        _english_amount,
    ),
    ("amount", re.compile(rf"{START}(?P<n>\d{{1,3}}) ?(?P<c>cents?|pence)\b"), _cents),
    (
        "number",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER}) ?(?:%|per ?cent\b)|(?P<w>{_ENGLISH_NUMBER}) per ?cent\b)",
            re.IGNORECASE,
        ),
        _percent,
    ),
    *_CODE_RULES,
    _LONG_RUN,
    ("number", re.compile(rf"{START}\d{{1,2}}/\d{{1,2}}(?![\d/])"), lambda match: match[0]),
    (
        "number",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER})(?P<m>"
            rf" (?:hundred|thousand|million|billion)\b)?{_COUNTED}|(?P<w>{_ENGLISH_NUMBER}))",
            re.IGNORECASE,
        ),
        _english_count,
    ),
    *ENGLISH_NAMES,
)

RULES: dict[str, tuple[tuple[str, re.Pattern, Read], ...]] = {
    "zh": (*_ANYWHERE, *_CHINESE),
    "en": (*_ANYWHERE, *_ENGLISH),
}

_DIGIT = re.compile(r"\d")
_NUMERAL = {"zh": re.compile(CHINESE_NUMERAL), "en": re.compile(ENGLISH_WORD, re.IGNORECASE)}
_OF_DIGITS = WITH_DIGITS | {_signed, _cents, _mixed, _digits, _named}
_OF_NUMERALS = {
    _english_amount,
    _chinese_amount,
    _percent,
    _fraction,
    _english_count,
    _chinese_count,
}
_WITHOUT_DIGITS = {
    language: tuple(rule for rule in rules if rule[2] not in _OF_DIGITS)
    for language, rules in RULES.items()
}
_WORDS = {
    language: tuple(rule for rule in rules if rule[2] not in _OF_NUMERALS)
    for language, rules in _WITHOUT_DIGITS.items()
}


def rules_for(text: str, language: str) -> tuple[tuple[str, re.Pattern, Read], ...]:
    """Those of `RULES[language]` that can find something in `text`: most replies hold no digit, and
    many no number at all.
    """
    if _DIGIT.search(text):
        return RULES[language]
    return _WITHOUT_DIGITS[language] if _NUMERAL[language].search(text) else _WORDS[language]
