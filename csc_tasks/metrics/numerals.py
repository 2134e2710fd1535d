"""Numbers as people write them -> Decimal: 12,500, 1.25万, 三千五百, 两万三, twenty-five, three
hundred and five, 2.5 million.
"""

import re
from decimal import Decimal

_DIGITS = {**{c: n for n, c in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2, "幺": 1}
_UNITS = {"十": 10, "百": 100, "千": 1_000}
_LARGE = {"万": 10_000, "亿": 100_000_000}
_CHINESE = re.compile(r"\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百千万亿]")

_ONES = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL = {word: n for n, word in enumerate(_ONES)} | {
    word: 10 * n for n, word in enumerate(_TENS, 2)
}
_MAGNITUDES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 10**6,
    "billion": 10**9,
    "k": 1_000,
    "m": 10**6,
}

CHINESE_DIGITS = "零〇一二两三四五六七八九"
CHINESE_NUMERAL = f"[{CHINESE_DIGITS}十百千万亿]"
ENGLISH_WORD = (
    f"(?:{'|'.join(sorted((*_SMALL, 'hundred', 'thousand', 'million'), key=len, reverse=True))})"
)
"""One word of an English number."""


def plain(number: Decimal) -> str:
    """The shortest way to write a number: no exponent, no zeros after the last decimal."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def digit_number(text: str, magnitude: str = "") -> Decimal:
    """`12,500`, `2.5` with an English magnitude (`million`, `k`) or none."""
    return Decimal(text.replace(",", "")) * _MAGNITUDES.get(magnitude.strip().lower(), 1)


def spelled_digits(text: str) -> str:
    """一三八零 -> 1380."""
    return "".join(str(_DIGITS[character]) for character in text)


def chinese_number(text: str) -> Decimal | None:
    """The number that Chinese numerals, or digits with Chinese units, name; None for what names
    none (万一, 三四, 百万).

    A last digit right after a unit counts in the next smaller unit, as people speak: 两万三 is
    23,000 and 三百五 is 350.
    """
    tokens = _CHINESE.findall(text.replace(",", ""))
    total = section = Decimal(0)
    current: Decimal | None = None
    last_unit = last_large = smallest = 10**12
    zero = False
    for token in tokens:
        if token in _UNITS:
            unit = _UNITS[token]
            # Only 十 goes without its digit; units of one section fall.
            if (
                (current is None and not (token == "十" and not section))
                or unit >= last_unit
                or current == 0
            ):
                return None
            section += (1 if current is None else current) * unit
            current, last_unit, smallest, zero = None, unit, unit, False
        elif token in _LARGE:
            unit = _LARGE[token]
            whole = section + (current or 0)
            rises = unit > last_large  # 三万亿
            if (not whole and not rises) or unit == last_large:
                return None
            total = (total + whole) * unit if rises else total + whole * unit
            section, current, last_unit, last_large, smallest, zero = (
                Decimal(0),
                None,
                10**12,
                unit,
                unit,
                False,
            )
        elif current is not None:
            return None
        elif token in "零〇" and (section or total):
            zero = True
        else:
            current = Decimal(_DIGITS[token]) if token in _DIGITS else Decimal(token)
    if not tokens:
        return None
    if current is not None and not zero and 100 <= smallest < 10**12 and current < 10:
        current *= smallest // 10
    return total + section + (current or 0)


def english_number(text: str) -> Decimal | None:
    """The number that English words name, up to millions; None where the words are no single number
    (five five five, twenty twelve).
    """
    total = section = 0
    last = ""
    for word in re.split(r"[ -]+", text.lower()):
        if word in ("and", "a", ""):
            continue
        if word in _SMALL:
            value = _SMALL[word]
            fits = last in ("", "hundred", "thousand", "million") or (
                last in _TENS and 0 < value < 10
            )
            if not fits:
                return None
            section += value
        elif word == "hundred":
            if section > 9 or last == "hundred":
                return None
            section = (section or 1) * 100
        else:
            magnitude = _MAGNITUDES[word]
            if (not section and not text.lower().startswith("a ")) or (total and total < magnitude):
                return None
            total += (section or 1) * magnitude
            section = 0
        last = word
    return Decimal(total + section)
