"""A journal that SQLite does not open, as a copy that it does: cut files are filled up with empty
pages, and a first page that is gone is that of a new journal.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from csc_tasks.llm.journal.file import open_to_write

MAGIC = b"SQLite format 3\0"
PAGE = 4096
"""Bytes of a page, as SQLite makes them."""


@contextmanager
def mended(path: Path, beside: Path) -> Iterator[Path]:
    """The copy, in a folder of its own in the folder `beside`, as long as the context lasts. File
    format: https://www.sqlite.org/fileformat.html, section 1.3.
    """
    with tempfile.TemporaryDirectory(prefix=".csc-journal-", dir=beside) as folder:
        copy = Path(folder, "copy")
        for suffix in ("", "-wal"):
            if (part := path.with_name(f"{path.name}{suffix}")).exists():
                shutil.copyfile(part, copy.with_name(f"copy{suffix}"))
        size = copy.stat().st_size
        with copy.open("r+b") as file:
            header = file.read(100)
            if not header.startswith(MAGIC):
                header = _new_page(folder, -(-size // PAGE))
                file.seek(0)
                file.write(header)
            page = int.from_bytes(header[16:18], "big")
            pages = int.from_bytes(header[28:32], "big")
            file.truncate(max(size, page * pages))
        yield copy


def _new_page(folder: str, pages: int) -> bytes:
    """The first page of a journal of so many pages."""
    new = Path(folder, "new")
    open_to_write(new).close()
    page = new.read_bytes()[:PAGE]
    return page[:28] + pages.to_bytes(4, "big") + page[32:]
