"""The kinds of findings, what a finding is, how it is shown, and what is obviously made up."""

from dataclasses import dataclass, field

TOKEN = "access token"
EMAIL = "e-mail"
ACCOUNT = "bank account"
IDENTITY = "identity number"
CARD = "bank card"
PHONE = "phone"
KINDS = (TOKEN, EMAIL, ACCOUNT, IDENTITY, CARD, PHONE)
"""In the order in which they are looked for: of two readings of one place the first one counts."""

# Not part of a longer number or code, nor of a masked one. Chinese letters may stand on either
# side, so this cannot be \b.
START, END = r"(?<![0-9A-Za-z*_])(?<![0-9]\.)", r"(?![0-9A-Za-z*_])(?!\.[0-9])"

_RUNS = tuple(digits[i : i + 7] for digits in ("01234567890", "09876543210") for i in range(5))
# China's sample mobile number; samples of the US Social Security Administration.
_SAMPLES = ("13800138000", "078051120", "219099999", "457555462")


@dataclass(frozen=True, slots=True)
class Match:
    """Something found in a text: its kind, its place in that text, a form of it that may be shown,
    and its normalised value (the same however it is written), which may not.
    """

    kind: str
    start: int
    end: int
    masked: str
    value: str = field(repr=False)


def masked(kind: str, text: str) -> str:
    """At most the first three and the last two characters of a number, at least four of it hidden;
    of an address the first letter and the last label; of a token its prefix.
    """
    if kind == EMAIL:
        return f"{text[0]}***@***.{text.rpartition('.')[2]}"
    if kind == TOKEN:
        return f"{text[:3]}***"
    places = [i for i, character in enumerate(text) if character.isalnum()]
    hidden = set(places[max(0, min(3, len(places) - 6)) : -2])
    return "".join("*" if i in hidden else character for i, character in enumerate(text))


def made_up(digits: str) -> bool:
    """Whether a number is a known sample, a run such as 1234567, or ends in seven
    equal digits.
    """
    return (
        digits.endswith(_SAMPLES)
        or any(run in digits for run in _RUNS)
        or len(set(digits[-7:])) == 1
    )
