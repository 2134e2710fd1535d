"""When something was said, in the forms that exports have.

A form is chosen for a whole column: it must read all values that were looked at, so that 03/04 is
not sometimes March and sometimes April.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

Read = Callable[[str], float]

_FORMS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%y %H:%M",
    "%m/%d/%y, %H:%M",
    "%m/%d/%y, %I:%M %p",
    "%m/%d/%y, %I:%M:%S %p",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y, %H:%M:%S",
    "%d/%m/%Y, %H:%M",
    "%d/%m/%y, %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y, %H:%M:%S",
    "%d.%m.%y, %H:%M:%S",
    "%d.%m.%y, %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%b %d, %Y, %I:%M:%S %p",
    "%a %b %d %H:%M:%S %z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%H:%M:%S",
    "%H:%M",
)


def form_of(values: Sequence[str]) -> str | None:
    """The form that reads all of `values`: "number", "ISO 8601" or one of strptime; None where none
    does.
    """
    if not values:
        return None
    for form in ("number", "ISO 8601", *_FORMS):
        if all(time_of(value, form) is not None for value in values):
            return form
    return None


def ambiguous(values: Sequence[str], form: str) -> bool:
    """Whether `values` could also be read with day and month exchanged."""
    other = form.replace("%m/%d", "%d/%m")
    return form != other and all(time_of(value, other) is not None for value in values)


def time_of(text: str, form: str) -> float | None:
    """Seconds since 1970, or the number; None where the text is not of this form."""
    text = text.strip()
    try:
        if form == "number":
            number = float(text)
            return number if math.isfinite(number) else None
        moment = datetime.fromisoformat(text) if form == "ISO 8601" else _parsed(text, form)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parsed(text: str, form: str) -> datetime:
    # WhatsApp puts a narrow no-break space before AM.
    return datetime.strptime(text.replace("\u202f", " "), form)
