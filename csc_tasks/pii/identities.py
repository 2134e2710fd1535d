"""Numbers with check digits: identity numbers, bank cards, bank accounts (IBAN)."""

import re
from collections.abc import Iterator

from csc_tasks.pii.kinds import ACCOUNT, CARD, END, IDENTITY, START, Match, made_up, masked

_RESIDENT = re.compile(
    rf"{START}[1-9][0-9]{{5}}[ -]?(?:18|19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]{END}"
)
# Chinese identity numbers until 1999: 15 digits and no check digit, so only where they are called
# so.
_RESIDENT_15 = re.compile(rf"{START}[1-9][0-9]{{14}}{END}")
_BEFORE_IDENTITY = re.compile(r"身份证|证件|identity card|ID card|ID number", re.IGNORECASE)
_SSN = re.compile(rf"{START}[0-9]{{3}}([ -])[0-9]{{2}}\1[0-9]{{4}}{END}")
_BEFORE_SSN = re.compile(r"\bSSN\b|social security", re.IGNORECASE)
_DNI = re.compile(rf"{START}(?:[0-9]{{8}}|[XYZxyz][ -]?[0-9]{{7}})[ -]?[A-Za-z]{END}")
_CARD = re.compile(rf"{START}[2-69](?:[ -]?[0-9]){{12,18}}{END}")
_IBAN = re.compile(r"(?<![0-9A-Za-z*_])[A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}")
_NEAR = 30

# First digits and lengths of the card systems; 9558 is an old series of a Chinese bank. Anything
# else is an order or account number. https://en.wikipedia.org/wiki/Payment_card_number
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|35\d{14}|3[068]\d{12}"
    r"|62\d{14,17}|(?:6011|64[4-9]\d|65\d\d)\d{12}|9558\d{15}"
)
# Cards that payment systems publish for tests.
_TEST_CARDS = frozenset(
    {
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
    }
)


def find_accounts(text: str) -> Iterator[Match]:
    """IBANs with the length and the check digits of their country. What follows one without a sign
    between them, such as a word, is told from it by that length.
    """
    from stdnum import iban

    for match in _IBAN.finditer(text):
        for end in range(len(match[0]), 14, -1):
            shown = match[0][:end]
            behind = text[match.start() + end : match.start() + end + 1]
            if shown[-1].isalnum() and not behind.isalnum() and iban.is_valid(shown):
                yield _match(ACCOUNT, match.start(), shown)
                break


def find_identities(text: str) -> Iterator[Match]:
    """Identity numbers of China, the USA (where two hyphens or the words say so) and Spain."""
    from stdnum.cn import ric
    from stdnum.es import dni, nie
    from stdnum.us import ssn

    for match in _RESIDENT.finditer(text):
        number = _compact(match[0])
        if not made_up(number) and ric.is_valid(number):
            yield _match(IDENTITY, match.start(), match[0])
    for match in _RESIDENT_15.finditer(text):
        dated = f"{match[0][:6]}19{match[0][6:]}"
        if (
            not made_up(match[0])
            and _BEFORE_IDENTITY.search(_before(text, match.start()))
            and ric.is_valid(dated + ric.calc_check_digit(f"{dated}0"))
        ):
            yield _match(IDENTITY, match.start(), match[0])
    for match in _SSN.finditer(text):
        named = match[1] == "-" or _BEFORE_SSN.search(_before(text, match.start()))
        number = _compact(match[0])
        if named and not made_up(number) and ssn.is_valid(number):
            yield _match(IDENTITY, match.start(), match[0])
    for match in _DNI.finditer(text):
        number = _compact(match[0])
        if not made_up(number[:-1]) and (dni.is_valid(number) or nie.is_valid(number)):
            yield _match(IDENTITY, match.start(), match[0])


def find_cards(text: str) -> Iterator[Match]:
    """Bank cards: a known issuer and the right check digit (Luhn)."""
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = _compact(match[0])
        if (
            _ISSUERS.fullmatch(digits)
            and digits not in _TEST_CARDS
            and not made_up(digits)
            and luhn.is_valid(digits)
        ):
            yield _match(CARD, match.start(), match[0])


def _match(kind: str, start: int, shown: str) -> Match:
    return Match(kind, start, start + len(shown), masked(kind, shown), _compact(shown))


def _compact(shown: str) -> str:
    return re.sub(r"[ -]", "", shown).upper()


def _before(text: str, start: int) -> str:
    return text[max(0, start - _NEAR) : start]
