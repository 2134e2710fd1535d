"""Draws that anybody can repeat: a text decides, nothing else does.

The text names what is drawn for, the seed and the item's id, so that an item's draw does not depend
on which others there are, and is the same on every machine.
"""

import hashlib

RANGE = 2**64
"""Draws are whole numbers from 0 up to this bound, which is no longer one of them."""


def draw(text: str, which: int = 0) -> int:
    """The number that `text` draws, uniform in `range(RANGE)`; `which` of its four (0 to 3).

    A whole number, so that comparing it with `share * RANGE` is exact.
    """
    return int.from_bytes(digest(text)[8 * which : 8 * which + 8], "big")


def digest(text: str) -> bytes:
    """32 bytes that stand for `text`: sorting by them is a repeatable shuffle."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
