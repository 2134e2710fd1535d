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
from csc_tasks.metrics.fact_values import (
    UNIT,
    address,
    cents,
    chinese_amount,
    chinese_count,
    digits,
    english_amount,
    english_count,
    fraction,
    mixed,
    named,
    nothing,
    percent,
    signed,
)
from csc_tasks.metrics.numerals import (
    CHINESE_DIGITS,
    CHINESE_NUMERAL,
    ENGLISH_WORD,
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

Read = Callable[[re.Match[str]], str | None]
Rule = tuple[str, re.Pattern[str], Read]

_NUMBER = r"(?:(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_ENGLISH_NUMBER = (
    rf"\b(?:a )?{ENGLISH_WORD}(?:(?:[ -]|(?<=hundred) and |(?<=thousand) and"
    rf" ){ENGLISH_WORD}){{0,12}}\b"
)
_CHINESE_NUMBER = (
    rf"(?:{START}{_NUMBER}(?:[十百千万亿]{{1,2}}(?:\d{{1,4}}[百千]){{0,2}}(?:\d{{1,4}}(?![\d.:%]))?)?"
    rf"|(?<!{CHINESE_NUMERAL})(?<![第初周期拜双几数]){CHINESE_NUMERAL}{{1,20}}(?!{CHINESE_NUMERAL})(?![几多余]?分之))"
)

_SIGN = r"(?:(?:US|HK|C|A)?\$|[€£¥₹]|(?<![A-Za-z])(?:USD|EUR|GBP|CNY|RMB|JPY|HKD|INR|CAD|AUD) ?)"
_AFTER_ENGLISH = (
    r"(?:dollars?|bucks?|euros?|pounds?|yuan|renminbi|rupees?|yen|USD|EUR|GBP"
    r"|CNY|RMB|JPY|HKD|INR|CAD|AUD)\b"
)
_AFTER_CHINESE = (
    r"(?:美元|美金|欧元|英镑|日元|港币|港元|人民币|RMB|USD|元(?![素旦宵月年])|块(?!状))"
)


# Behind a counted number: no more of it, and of letters only a unit.
_COUNTED = rf"(?!\d|[.,:/]\d|(?!{UNIT}(?![A-Za-z0-9_]))[A-Za-z_])"


_MEASURES = (
    "个?工作日|个月|个小时|小时|分钟|秒|天|年(?!轻|级)|次|笔|张|周|个?星期|岁|人|位|件|台|份|倍|期|间|晚|个|折|本|层|楼|号|公里|米|公斤"
    "|斤|项|条|家|单"
)
_ANYWHERE: tuple[Rule, ...] = (
    ("", PLACEHOLDER, nothing),
    ("", re.compile(r"(?<!\d)(?:24/7|7[*xX×]24|24[*xX×]7)(?!\d)"), nothing),
    (
        "code",
        re.compile(
            r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}(?![\w@])",
            re.ASCII,
        ),
        address,
    ),
    (
        "code",
        re.compile(
            r"(?:https?://|(?<![\w.])www\.)[\w.~:/?#@!$&'()*+,;=%-]+", re.ASCII | re.IGNORECASE
        ),
        address,
    ),
    *DATES,
)
_CODE_RULES: tuple[Rule, ...] = (
    (
        "code",
        re.compile(
            r"(?<![A-Za-z0-9-])(?=[A-Za-z-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![A-Za-z0-9])"
        ),
        mixed,
    ),
    ("code", re.compile(rf"{START}\d+(?:\.\d+){{2,5}}(?![\d.])"), lambda match: match[0]),
    (
        "code",
        re.compile(
            rf"{START}(?:\+\d{{1,3}}[ -]?)?\(?\d{{2,4}}\)?(?:[ -]\d{{3,4}}){{1,4}}[ -]\d{{4}}{END}"
        ),
        digits,
    ),
    ("code", re.compile(rf"{START}\+\d{{7,15}}{END}"), digits),
    ("code", re.compile(rf"{START}0\d{{2,3}}-\d{{7,8}}{END}"), digits),
    ("code", re.compile(rf"{START}1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{END}"), digits),
    # Local phone numbers: a range of numbers has no leading zero, and 555 is the exchange that
    # examples use.
    ("code", re.compile(rf"{START}(?:555-\d{{4}}|\d{{3}}-0\d{{3}}){END}"), digits),
    ("code", re.compile(rf"{START}0\d{{2,}}{END}"), digits),
)
# A long run of digits names something, unless it counts something (that was read before) or is
# round.
_LONG_RUN: Rule = ("code", re.compile(rf"{START}(?!\d*0000(?!\d))\d{{7,}}{END}"), digits)

_CHINESE: tuple[Rule, ...] = (
    *CHINESE_DATES,
    (
        "code",
        re.compile(
            r"(?:尾号|末四位|后四位|末尾|验证码|工号|[单订]号|编号|账号|卡号|密码|房号|航班号?|房间号)(?:是|为|:|：|"
            r" ){0,3}"
            r"(?P<code>[A-Za-z0-9-]{3,30})(?![A-Za-z0-9])"
        ),
        named,
    ),
    (
        "amount",
        re.compile(
            rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<u>[百千万亿]{{0,2}})(?P<m>)(?![A-Za-z0-9])"
        ),
        signed,
    ),
    (
        "amount",
        re.compile(
            rf"(?P<n>{_CHINESE_NUMBER}) ?(?P<c>{_AFTER_CHINESE})"
            r"(?:(?P<j>\d)[角毛](?:(?P<f>\d)分)?|(?P<k>(?<=块)\d)(?![\d.])|(?P<q>钱))?"
        ),
        chinese_amount,
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
        percent,
    ),
    (
        "number",
        re.compile(
            rf"(?<!{CHINESE_NUMERAL})(?P<below>{CHINESE_NUMERAL}{{1,4}})分之(?P<above>{CHINESE_NUMERAL}{{1,4}})"
        ),
        fraction,
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
        chinese_count,
    ),
    *CHINESE_NAMES,
)

_MAGNITUDE = r"(?P<m> ?(?:hundred|thousand|million|billion)\b|[kKmM](?![A-Za-z0-9]))?"
_ENGLISH: tuple[Rule, ...] = (
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
        named,
    ),
    (
        "amount",
        re.compile(rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<u>){_MAGNITUDE}(?![A-Za-z0-9])"),
        signed,
    ),
    (
        "amount",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER}){_MAGNITUDE}|(?P<w>{_ENGLISH_NUMBER}))"
            rf"[ -]?(?P<c>{_AFTER_ENGLISH})"
            r"(?: and (?P<cents>\d{1,2}) cents\b)?",
            re.IGNORECASE,
        ),
        english_amount,
    ),
    ("amount", re.compile(rf"{START}(?P<n>\d{{1,3}}) ?(?P<c>cents?|pence)\b"), cents),
    (
        "number",
        re.compile(
            rf"(?:{START}(?P<n>{_NUMBER}) ?(?:%|per ?cent\b)|(?P<w>{_ENGLISH_NUMBER}) per ?cent\b)",
            re.IGNORECASE,
        ),
        percent,
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
        english_count,
    ),
    *ENGLISH_NAMES,
)

RULES: dict[str, tuple[Rule, ...]] = {
    "zh": (*_ANYWHERE, *_CHINESE),
    "en": (*_ANYWHERE, *_ENGLISH),
}

_DIGIT = re.compile(r"\d")
_NUMERAL = {"zh": re.compile(CHINESE_NUMERAL), "en": re.compile(ENGLISH_WORD, re.IGNORECASE)}
_OF_DIGITS = WITH_DIGITS | {signed, cents, mixed, digits, named}
_OF_NUMERALS = {
    english_amount,
    chinese_amount,
    percent,
    fraction,
    english_count,
    chinese_count,
}
_WITHOUT_DIGITS = {
    language: tuple(rule for rule in rules if rule[2] not in _OF_DIGITS)
    for language, rules in RULES.items()
}
_WORDS = {
    language: tuple(rule for rule in rules if rule[2] not in _OF_NUMERALS)
    for language, rules in _WITHOUT_DIGITS.items()
}


def rules_for(text: str, language: str) -> tuple[Rule, ...]:
    """Those of `RULES[language]` that can find something in `text`: most replies hold no digit, and
    many no number at all.
    """
    if _DIGIT.search(text):
        return RULES[language]
    return _WITHOUT_DIGITS[language] if _NUMERAL[language].search(text) else _WORDS[language]
