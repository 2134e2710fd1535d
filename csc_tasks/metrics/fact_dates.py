"""What a date or a time of day looks like, Chinese and English: patterns as in `fact_rules`.

Normal forms: those of XML Schema, `2024-03-05`, `2024-03`, `2024`, `--03-05`, `--03`, `---05`, and
`15:30` (`15:30:20`).
"""

import re

from csc_tasks.metrics.numerals import (
    CHINESE_DIGITS,
    CHINESE_NUMERAL,
    chinese_number,
    spelled_digits,
)

# Not inside a word, a longer number or a version. Chinese letters may stand on either side, so this
# cannot be \b.
START, END = r"(?<![A-Za-z0-9_])(?<!\d[.,:/])(?<![A-Za-z]-)", r"(?![A-Za-z0-9_]|[.,]\d)"


def _date(year: str, month: int, day: int) -> str | None:
    if not 0 <= month <= 12 or not 0 <= day <= 31 or not (month or day or year):
        return None
    if len(year) == 2:
        # As POSIX reads two digits of a year: 69 to 99 are of the last century.
        year = f"19{year}" if year >= "69" else f"20{year}"
    if not month:
        return f"---{day:02}" if day else year
    return f"{year or '-'}-{month:02}" + (f"-{day:02}" if day else "")


def _iso(match: re.Match[str]) -> str | None:
    month, day = int(match["m"]), int(match["d"])
    return _date(match["y"], month, day) if month and day else None


def _slashed(match: re.Match[str]) -> str | None:
    first, second = int(match["m"]), int(match["d"])
    month, day = (second, first) if first > 12 else (first, second)
    return _date(match["y"], month, day) if month and day else None


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MONTH_NUMBERS = {name[:3].lower(): n for n, name in enumerate(_MONTHS, 1)}
# `may` and `march` are words of their own, so these need their capital.
_SPELLINGS = [
    form
    for name in _MONTHS
    for form in (name, name.upper(), rf"{name[:3]}\b\.?", rf"{name[:3].upper()}\b")
]
_SPELLINGS += [
    form
    for name in _MONTHS
    if name not in ("March", "May")
    for form in (name.lower(), rf"{name[:3].lower()}\b\.?")
]
_MONTH = rf"(?:{'|'.join(_SPELLINGS)}|Sept\b\.?)"


def _english_date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    return _date(
        parts.get("y") or "",
        _MONTH_NUMBERS[parts["m"][:3].lower()] if parts.get("m") else 0,
        int(parts.get("d") or 0),
    )


def _english_month(match: re.Match[str]) -> str | None:
    return _date("", _MONTH_NUMBERS[match["m"][:3].lower()], 0)


def _chinese_date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    year = parts.get("y") or ""
    numbers = {"m": 0, "d": 0}
    for part in numbers:
        if parts.get(part):
            number = chinese_number(parts[part])
            if not number:
                return None
            numbers[part] = int(number)
    return _date(year if year.isascii() else spelled_digits(year), numbers["m"], numbers["d"])


def _clock(hour: int, minute: int, second: int = 0) -> str | None:
    if not (hour <= 24 and minute < 60 and second < 60):
        return None
    return f"{hour % 24:02}:{minute:02}" + (f":{second:02}" if second else "")


def _english_time(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    hour, half = int(parts["h"]), (parts.get("ap") or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + 12 * (half == "p")
    return _clock(hour, int(parts.get("mi") or 0), int(parts.get("s") or 0))


_QUARTERS = {"半": 30, "一刻": 15, "三刻": 45}
_PART_OF_DAY = "(?P<p>凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|今晚|当晚|明晚)?"


def _chinese_hour(hour: int, part: str | None) -> int:
    if part in (None, "上午", "早上", "早晨", "清晨"):
        return hour
    night = part not in ("下午", "傍晚", "中午")
    if hour == 12:
        return 0 if night else 12
    # 夜里两点 is after midnight, and nobody says 晚上 of an hour before five in the afternoon.
    if night and hour < 5:
        return hour
    # Below which hour the part of the day says "after noon".
    bound = {"中午": 3, "凌晨": 0}.get(part, 12)
    return hour + 12 if hour < bound else hour


def _chinese_digital(match: re.Match[str]) -> str | None:
    return _clock(
        _chinese_hour(int(match["h"]), match["p"]), int(match["mi"]), int(match["s"] or 0)
    )


def _chinese_time(match: re.Match[str]) -> str | None:
    # The minutes of 三点零五分 are said with a zero that no number opens with.
    hour = chinese_number(match["h"])
    minutes = chinese_number((match["mi"] or "").lstrip("零〇") or "零")
    # Without one of these, N点 may be N points, and N时 part of a word.
    sure = (
        match["p"]
        or match["half"]
        or match["mi"]
        or (match["sign"] == "点" and match["after"] is not None)
    )
    if hour is None or hour != int(hour) or minutes is None or not sure:
        return None
    minute = _QUARTERS.get(match["half"] or "", int(minutes))
    return _clock(_chinese_hour(int(hour), match["p"]), minute)


DATES = (
    (
        "date",
        re.compile(
            rf"{START}(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}}){END}"
        ),
        _iso,
    ),
    (
        "date",
        re.compile(rf"{START}(?P<m>\d{{1,2}})/(?P<d>\d{{1,2}})/(?P<y>(?:19|20)?\d\d){END}"),
        _slashed,
    ),
)

_CHINESE_DAY = rf"(?:\d{{1,2}}|(?<!{CHINESE_NUMERAL})[一二三四五六七八九十]{{1,3}})"
_CHINESE_YEAR = rf"(?:(?<!\d)(?:19|20)\d\d|(?<!{CHINESE_NUMERAL})[一二][{CHINESE_DIGITS}]{{3}})"
# 中关村大街2号 is an address and 2号线 a line.
_STREETS = "路街道弄巷条里区院楼门村镇园座栋同甲乙丙庄桥口城线东西南北侧段庙厂寺内外河坊场井营"
_PLACES = "楼线门厅院室店台机窗库柜桌铺车馆区道路桥井仓码房院卡"
CHINESE_DATES = (
    (
        "date",
        re.compile(
            rf"(?:(?P<y>{_CHINESE_YEAR}|(?<!\d)\d\d)年)?(?<!\d)(?P<m>{_CHINESE_DAY})月(?P<d>{_CHINESE_DAY})(?!\d)[日号]?"
        ),
        _chinese_date,
    ),
    (
        "date",
        re.compile(rf"(?P<y>{_CHINESE_YEAR})年(?:(?P<m>{_CHINESE_DAY})月份?)?"),
        _chinese_date,
    ),
    (
        "date",
        re.compile(
            rf"(?<!\d)(?P<m>{_CHINESE_DAY})(?:月份|月(?![{CHINESE_DIGITS}十\d怀经薪租供费卡]))"
        ),
        _chinese_date,
    ),
    (
        "date",
        re.compile(rf"{START}(?<![第{_STREETS}])(?P<d>\d{{1,2}})(?:日|号(?![{_PLACES}]))"),
        _chinese_date,
    ),
    (
        "date",
        re.compile(rf"{_PART_OF_DAY}{START}(?P<h>\d{{1,2}}):(?P<mi>\d\d)(?::(?P<s>\d\d))?{END}"),
        _chinese_digital,
    ),
    (
        "date",
        re.compile(
            rf"{_PART_OF_DAY}(?<![\d.第]){START}(?P<h>\d{{1,2}}|(?<!{CHINESE_NUMERAL})[一二两三四五六七八九十]{{1,3}})(?P<sign>[点时])"
            rf"(?:(?P<half>半|一刻|三刻)|(?P<mi>\d\d(?!\d)|\d(?=分)|[零〇一二三四五六七八九十]{{2,3}}(?!{CHINESE_NUMERAL}))分?)?"
            r"(?P<after>钟|整|(?=前|后|左右|之前|以前|以后|开门|关门|上班|下班|营业|到|至))?"
        ),
        _chinese_time,
    ),
)

_TH, _YEAR = "(?:st|nd|rd|th)?", r"(?P<y>(?:19|20)\d\d)\b"
ENGLISH_DATES = (
    (
        "date",
        re.compile(
            rf"\b(?P<m>{_MONTH}) (?:the )?(?P<d>\d{{1,2}}){_TH}\b(?!:|%|[.,]\d{{3}}\b)(?:,?"
            rf" {_YEAR})?"
        ),
        _english_date,
    ),
    (
        "date",
        re.compile(
            rf"{START}(?P<d>\d{{1,2}}){_TH}(?: of)?[ -](?P<m>{_MONTH})(?![A-Za-z])(?:,? {_YEAR})?"
        ),
        _english_date,
    ),
    ("date", re.compile(rf"\b(?P<m>{_MONTH}),? {_YEAR}"), _english_date),
    ("date", re.compile(rf"\b(?!Mar|May|MAR|MAY)(?P<m>{'|'.join(_MONTHS)})\b"), _english_month),
    (
        "date",
        re.compile(r"(?<=[Oo]n the |[Bb]y the )(?P<d>\d{1,2})(?:st|nd|rd|th)(?! [a-z])"),
        _english_date,
    ),
    (
        "date",
        re.compile(
            rf"{START}(?P<h>\d{{1,2}})(?::(?P<mi>\d\d))? ?(?P<ap>[ap])(?:m\b|\.m\.)", re.IGNORECASE
        ),
        _english_time,
    ),
    (
        "date",
        re.compile(rf"{START}(?P<h>\d{{1,2}}):(?P<mi>\d\d)(?::(?P<s>\d\d))?{END}"),
        _english_time,
    ),
    ("date", re.compile(rf"{START}(?P<h>\d{{1,2}}) o'?clock\b"), _english_time),
)

WITH_DIGITS = frozenset({_iso, _slashed, _english_date, _english_time, _chinese_digital})
"""What these read has a digit in it."""
