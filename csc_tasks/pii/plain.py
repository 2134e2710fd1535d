"""A text as the detectors read it: full-width characters and other digits as ASCII, every space a
space, every dash a hyphen, without characters that take no room; and the way back.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` as detectors read it. `origins`: the place in the original of each of its characters;
    None where both are the same text.
    """

    text: str
    origins: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the original."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1


def plain(text: str) -> Plain:
    """`text` as the detectors read it."""
    if text.isascii():
        return Plain(text)
    pieces: list[str] = []
    origins: list[int] = []
    for place, character in enumerate(text):
        piece = _plain(character)
        pieces.append(piece)
        origins += [place] * len(piece)
    return Plain("".join(pieces), tuple(origins))


@cache
def _plain(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    # Zero-width characters, direction and byte order marks, soft hyphens; what turns a digit into
    # an emoji.
    if category in ("Cf", "Me") or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Zs":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if character in "\u00b7\u2022\u2027\u2219\u30fb":
        return "."
    if unicodedata.east_asian_width(character) == "F" or "\ufe50" <= character <= "\ufe6f":
        return unicodedata.normalize("NFKC", character)
    return character
