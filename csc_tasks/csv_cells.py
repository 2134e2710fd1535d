"""The one writer of CSV files: no cell is run as a formula by the spreadsheet that opens it.

Excel, LibreOffice and Google Sheets compute a cell that starts with `=`, `+`, `-` or `@`, in their
full-width forms too, and skip a tab, a line break or a space before it. Numbers are written as
numbers; text gets an apostrophe in front, header cells and names of metrics too
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

_SIGNS = "=+@＝＋－＠-"
_FORMULA = re.compile(rf"[\t\r\n]|[ \u00a0]*[{_SIGNS}]")
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
# What spreadsheets turn into numbers, times, dates and truth values.
_CONVERTED = (
    r"[$€£¥￥(.]*\d[\d.,:/%％$€£¥￥ ()e+apm年月日时分秒号-]*\Z"
    rf"|\d{{1,2}}[ /.-]*{_MONTH}\b|{_MONTH}[ .,/-]*\d|(?:true|false)\s*\Z"
)
# Where the cell starts, or would start for another separator: spaces and apostrophes, maybe none,
# before what must not stand there.
_START = re.compile(
    rf"(?:\A[ \u00a0]*'*(?=[{_SIGNS}]|{_CONVERTED})|(?<=[,;\t\r\n|\"])[ \u00a0]*'*(?=[{_SIGNS}])"
    r"|\A'*(?=[\t\r\n]))",
    re.IGNORECASE,
)


def inert(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet computes or converts, whichever separator it expects;
    `unguarded` gives it back exactly.
    """
    return _START.sub(lambda match: match[0] + "'", text)


def unguarded(cell: str) -> str:
    """The text that `guarded` made `cell` of."""
    return _START.sub(lambda match: match[0].removesuffix("'"), cell)


class GuardedWriter:
    """`csv.writer` whose text cells all go through `guard`.

    quote_all: every cell stands in quotes.
    """

    def __init__(
        self,
        file: TextIO,
        *,
        delimiter: str = ",",
        quote_all: bool = False,
        guard: Callable[[str], str] = inert,
    ) -> None:
        if quote_all:
            self._writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        else:
            self._writer = csv.writer(file, delimiter=delimiter)
        self._guard = guard

    def row(self, cells: Iterable[object]) -> None:
        """Write one row; what is no text is written as csv.writer does."""
        self._writer.writerow(
            [self._guard(cell) if isinstance(cell, str) else cell for cell in cells]
        )

    def rows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write several rows."""
        for cells in rows:
            self.row(cells)


def csv_text(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """The rows below their header as CSV."""
    out = io.StringIO()
    writer = GuardedWriter(out)
    writer.row(header)
    writer.rows(rows)
    return out.getvalue()
