"""What single requests of a journal took: tokens, seconds, room in the file."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.llm.journal.file import open_to_read

EMPTY_PAGES = 3


@dataclass(frozen=True, slots=True)
class Used:
    """What one recorded request took. `tries` counts how often it was sent; tokens are None where
    the server did not count; `seconds` are those of the reply; `bytes` is its part of the file.
    """

    stage: str
    item_id: str
    tries: int
    input: int | None
    output: int | None
    seconds: float
    bytes: float


def usage_of(path: Path, keys: Collection[str]) -> list[Used]:
    """What the requests with these keys took, of a journal that may be open; raises as
    `open_to_read` does.
    """
    database = open_to_read(path)
    try:
        rows = database.execute(
            "SELECT key, stage, item_id, tries, input_tokens, output_tokens,"
            " CASE state WHEN 'done' THEN ended - last_sent ELSE 0.0 END,"
            " length(CAST(request AS BLOB)) + coalesce(length(CAST(reply AS BLOB)), 0)"
            " FROM requests ORDER BY rowid"
        ).fetchall()
        (pages,), (page,) = (
            database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
    finally:
        database.close()
    # Keys, indexes and half-empty pages are shared out; the first pages are those of an empty file.
    times = max(1, pages - EMPTY_PAGES) * page / max(1, sum(row[-1] for row in rows))
    return [
        Used(stage, item_id, tries, input_tokens, output_tokens, seconds, size * times)
        for key, stage, item_id, tries, input_tokens, output_tokens, seconds, size in rows
        if key in keys
    ]
