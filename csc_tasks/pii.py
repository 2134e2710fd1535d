"""Numbers and addresses that lead to a person: phone, e-mail, identity card, bank card; and access
tokens. Chinese and English.

Found is what a pattern can find: names, street addresses and spelled-out English numbers are not.
Passed over are placeholders (`[手机号码]`), masked numbers (`138****0000`), published service lines
(400, 800, 95588), and what is obviously made up: `13800138000`, runs such as 1234567, one digit
repeated, the 555 exchange, example.com, the test cards of payment systems.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

PHONE, EMAIL, IDENTITY, CARD, TOKEN = (
    "phone",
    "e-mail",
    "identity number",
    "bank card",
    "access token",
)

# Not part of a longer number or code. Chinese letters may stand on either side, so this cannot be
# \b.
_START, _END = r"(?<![0-9A-Za-z*_])(?<![0-9]\.)", r"(?![0-9A-Za-z*_])(?!\.[0-9])"
_WIDE = str.maketrans("０１２３４５６７８９＋－（）＠．　", "0123456789+-()@. ")
_SPOKEN = str.maketrans("〇零一幺二两三四五六七八九", "0011223456789")
_SPOKEN_RUN = re.compile(r"[〇零一幺二两三四五六七八九]{11,}")
# Nearly every text ends here.
_SUSPICIOUS = re.compile(
    r"\d(?:[ ().+-]{0,2}\d){6}|[@＠]|[〇零一幺二两三四五六七八九]{11}|hf_|sk-|AKIA|gh[pousr]_"
)

_PATTERNS = (
    (
        TOKEN,
        re.compile(
            r"\b(?:hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,})"
        ),
    ),
    (EMAIL, re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")),
    (
        IDENTITY,
        re.compile(
            rf"{_START}[1-9][0-9]{{5}}[ -]?(?:18|19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]{_END}"
        ),
    ),
    (IDENTITY, re.compile(rf"{_START}[1-9][0-9]{{14}}{_END}")),
    (
        IDENTITY,
        re.compile(rf"{_START}(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{_END}"),
    ),
    (CARD, re.compile(rf"{_START}[2-69](?:[ -]?[0-9]){{12,18}}{_END}")),
    (PHONE, re.compile(rf"{_START}(?:\+?86[ -]?)?1[3-9][0-9][ -]?[0-9]{{4}}[ -]?[0-9]{{4}}{_END}")),
    (
        PHONE,
        re.compile(
            rf"{_START}(?:\+?1[ .-]?)?\(?[2-9][0-9]{{2}}\)?[ .-] ?[2-9][0-9]{{2}}"
            rf"[ .-][0-9]{{4}}{_END}"
        ),
    ),
    (
        PHONE,
        re.compile(
            rf"(?<![0-9][ -]){_START}\(?0[0-9]{{2,4}}\)?[ -]?(?<=[ )-])[0-9]{{3,4}}"
            rf"[ -]?[0-9]{{3,4}}{_END}(?! ?[0-9])"
        ),
    ),
    (PHONE, re.compile(rf"{_START}\+[0-9](?:[ .()-]{{0,2}}[0-9]){{8,14}}{_END}")),
    (PHONE, re.compile(rf"{_START}[2-9][0-9]{{2}}[2-9][0-9]{{6}}{_END}")),
)
_BEFORE_PHONE = re.compile(r"phone|call|cell|mobile|contact|text|电话|手机|联系", re.IGNORECASE)
_BEFORE_IDENTITY = re.compile(r"身份证|证件|identity card|ID card|ID number", re.IGNORECASE)
_NEAR = 30

_PROVINCES = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
# GB 11643-1999: the weights of the first 17 digits, and the last character for each remainder
# modulo 11.
_WEIGHTS, _LAST = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"
# First digits and lengths of the card systems; 9558 is an old series of a Chinese bank. Anything
# else is an order or account number.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|35\d{14}|3[068]\d{12}"
    r"|62\d{14,17}|(?:6011|64[4-9]\d|65\d\d)\d{12}|9558\d{15}"
)
_TEST_CARDS = frozenset(
    (
        "4111111111111111",
        "4242424242424242",
        "4012888888881881",
        "4000056655665556",
        "5555555555554444",
        "5105105105105100",
        "5200828282828210",
        "2223003122003222",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "3530111333300000",
        "3566002020360505",
        "30569309025904",
        "38520000023237",
    )
)
_FREE_LINES = ("400", "800", "833", "844", "855", "866", "877", "888")
_SERVICE_ADDRESSES = frozenset(
    (
        "support",
        "service",
        "help",
        "info",
        "noreply",
        "no-reply",
        "contact",
        "customerservice",
        "customer-service",
        "kefu",
    )
)
_RUNS = tuple(digits[i : i + 7] for digits in ("01234567890", "09876543210") for i in range(5))
_MADE_UP = frozenset(("13800138000", "123456789", "078051120", "219099999"))


@dataclass(frozen=True, slots=True)
class Match:
    """Something found in a text: its kind, its place, and a form of it that may be shown."""

    kind: str
    start: int
    end: int
    masked: str


def find(text: str) -> list[Match]:
    """What `text` holds, in reading order; of two readings of one place the first in the order
    token, e-mail, identity, card, phone.
    """
    if not _SUSPICIOUS.search(text):
        return []
    plain = text.translate(_WIDE)
    found: list[Match] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(plain):
            free = all(match.end() <= other.start or match.start() >= other.end for other in found)
            if free and _is_real(
                kind, match[0], plain[max(0, match.start() - _NEAR) : match.start()]
            ):
                found.append(Match(kind, match.start(), match.end(), _masked(kind, match[0])))
    for run in _SPOKEN_RUN.finditer(text):
        found += [
            Match(inner.kind, run.start(), run.end(), inner.masked)
            for inner in find(run[0].translate(_SPOKEN))
        ]
    return sorted(found, key=lambda match: match.start)


def find_in_row(row: Mapping) -> Iterator[tuple[str, Match]]:
    """(place, match) for every text of a dataset-folder row; the place is a column or `dialogue
    turn 3`. Ids are made by us: left out.
    """
    for column, value in row.items():
        if isinstance(value, str) and column != "conversation_id":
            yield from ((column, match) for match in find(value))
        elif isinstance(value, Iterable) and not isinstance(value, str | Mapping):
            for i, turn in enumerate(value):
                yield from ((f"{column} turn {i}", match) for match in find(turn["text"]))


def luhn(digits: str) -> bool:
    """Whether the check digit at the end of a card number is right."""
    doubled = (int(digit) * (1 + i % 2) for i, digit in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def identity_checksum(number: str) -> bool:
    """Whether the last character of an 18-character Chinese identity number is right."""
    return (
        _LAST[sum(w * int(digit) for w, digit in zip(_WEIGHTS, number, strict=False)) % 11]
        == number[17].upper()
    )


def _is_real(kind: str, shown: str, before: str) -> bool:
    if kind == TOKEN:
        return True
    if kind == EMAIL:
        return _is_real_address(shown)
    digits = re.sub(r"[^0-9Xx]", "", shown)
    if digits in _MADE_UP or any(run in digits for run in _RUNS) or len(set(digits[-7:])) <= 2:
        return False
    if kind == CARD:
        return _ISSUERS.fullmatch(digits) is not None and digits not in _TEST_CARDS and luhn(digits)
    if kind == IDENTITY:
        if len(digits) == 18:
            return (
                bool(_PROVINCES.match(digits))
                and _is_day(digits[10:14])
                and identity_checksum(digits)
            )
        if len(digits) == 15:
            return bool(
                _PROVINCES.match(digits)
                and _is_day(digits[8:12])
                and _BEFORE_IDENTITY.search(before)
            )
        return True
    national = re.sub(r"^(?:\+?86|\+?1(?=[2-9]))", "", re.sub(r"[^0-9+]", "", shown))
    if len(national) == 10 and (national.startswith(_FREE_LINES) or national[3:6] == "555"):
        return False
    return len(shown) > 10 or _BEFORE_PHONE.search(before) is not None


def _is_real_address(address: str) -> bool:
    name, _, domain = address.lower().rpartition("@")
    made_up = re.search(
        r"(?:^|\.)(?:example|test|invalid|localhost|xxx+)(?:\.|$)", domain
    ) or re.fullmatch(r"x+|[*_.]+", name)
    return not made_up and name not in _SERVICE_ADDRESSES


def _is_day(month_and_day: str) -> bool:
    return "01" <= month_and_day[:2] <= "12" and "01" <= month_and_day[2:] <= "31"


def _masked(kind: str, shown: str) -> str:
    """At most the first three and the last two characters of a number; of an address the first
    letter and the last label.
    """
    if kind == EMAIL:
        return f"{shown[0]}***@***.{shown.rpartition('.')[2]}"
    if kind == TOKEN:
        return f"{shown[:3]}***"
    places = [i for i, character in enumerate(shown) if character.isalnum()]
    hidden = set(places[3:-2])
    return "".join("*" if i in hidden else character for i, character in enumerate(shown))
