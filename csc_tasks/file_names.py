"""Names that come from somebody else's file, as names of files and folders of ours.

A model, a task or a results file may be called anything: `..`, 5,000 characters, `CON`, a NUL byte.
What we write always lies where it was meant to.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

LONGEST = 80
# What Windows opens as a device, whatever stands behind the first dot.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d|conin_?|conout_?|clock_?)(?:\.|\Z)", re.I)
_PLAIN = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST - 1}}}(?<!\.)")


def safe_name(name: str, taken: Iterable[str] = (), ending: str = "") -> str:
    """`name` as the name of one file or folder: [A-Za-z0-9._-] only, no leading dot or dash, no dot
    at the end, at most 80 characters, no device of Windows, and none of `taken`, whose case does
    not matter. The same for the same name.

    `org/model` becomes `org__model`; any other name that had to be changed carries a piece of its
    hash, so that two different names do not meet by accident. ending: what is to stay at the end,
    such as `.json`; it is taken off `name` where it is there.
    """
    stem = name.removesuffix(ending)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "__", stem)
    lowered = {other.casefold() for other in taken}
    room = LONGEST - len(ending)
    unchanged = slug == stem or re.fullmatch(r"[\w.-]+/[\w.-]+", stem, re.ASCII)
    plain = _PLAIN.fullmatch(slug) and len(slug) <= room and not _DEVICES.match(slug)
    if unchanged and plain and f"{slug}{ending}".casefold() not in lowered:
        return slug + ending
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    slug = slug.strip("._-")[: room - 20] or "unnamed"
    slug = f"_{slug}" if _DEVICES.match(slug) else slug
    longer = (f"{slug}-{digest[:size]}{ending}" for size in range(6, len(digest) + 1))
    return next(made for made in longer if made.casefold() not in lowered)


def stays_inside(name: object) -> bool:
    """Whether a path read in a file names something below the folder it is joined to: relative,
    without `..`, NUL or backslash. Links that lie in the folder are its owner's business.
    """
    return (
        isinstance(name, str)
        and bool(name)
        and not any(sign in name for sign in "\0\\")
        and not Path(name).is_absolute()
        and ".." not in Path(name).parts
    )
