"""Filled rating sheets: CSV from a spreadsheet, or JSON saved by the page -> ratings, every one of
them checked against the study's key.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.reading import read_json, read_text
from leaderboard.judging.ratings import Rating
from leaderboard.judging.sheets import NOT_ASKED

# How many problems an error lists.
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """What one rater said of one item, as it stands in a file. `given`: dimension -> text or
    number.
    """

    rater: str
    item: str
    given: Mapping[str, object]
    comment: str
    where: str


def read_key(folder: Path) -> Mapping:
    """The study's key.json; raises DataError."""
    file = folder / "key.json" if folder.is_dir() else folder
    key = read_json(file, "give the folder of csc human export")
    try:
        key["study"], key["raters"]
        assert all(
            {"model", "unit", "dimensions", "raters"} <= item.keys()
            for item in key["items"].values()
        )
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise DataError(
            f"{file}: not the key.json of csc human export ({type(error).__name__}: {error})"
        ) from None
    return key


def read_sheets(
    key: Mapping, files: Iterable[Path], partial: bool
) -> tuple[list[Rating], list[Entry], int]:
    """(ratings, entries with a comment, how many ratings that were asked for are not there).

    Raises DataError that lists what is wrong: an unknown item or rater, an item given to somebody
    else, one rated twice, a value that is not 1..5, and, unless `partial`, everything that is
    missing.
    """
    entries = [entry for file in files for entry in entries_of(file, key)]
    problems: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    ratings = []
    for entry in entries:
        scores = _checked(entry, key, problems)
        if scores is None:
            continue
        if other := seen.get((entry.rater, entry.item)):
            problems.append(
                f"{entry.where}: {entry.item} was rated by {entry.rater} before, in {other}"
            )
        elif len(scores) == len(key["items"][entry.item]["dimensions"]):
            seen[entry.rater, entry.item] = entry.where
            ratings.append(_rating(entry, scores, key["items"][entry.item]))
        elif scores and not partial:
            absent = [name for name in key["items"][entry.item]["dimensions"] if name not in scores]
            problems.append(f"{entry.where}: {entry.item} has no rating for {', '.join(absent)}")
            seen[entry.rater, entry.item] = entry.where
    wanted = [(rater, item) for item, known in key["items"].items() for rater in known["raters"]]
    absent = [pair for pair in wanted if pair not in seen]
    if absent and not partial:
        by_rater = {rater: sum(own == rater for own, _ in absent) for rater in key["raters"]}
        counts = ", ".join(f"{count:,} of {rater}'s" for rater, count in by_rater.items() if count)
        whose = f"({counts}; the first: {absent[0][1]})"
        problems.append(
            f"{len(absent):,} of {len(wanted):,} ratings are missing {whose}; --partial takes what"
            " is there"
        )
    if problems:
        more = f"\n... and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        raise DataError(
            f"{len(problems):,} problems in the sheets:\n" + "\n".join(problems[:SHOWN]) + more
        )
    return ratings, [entry for entry in entries if entry.comment], len(wanted) - len(ratings)


def entries_of(file: Path, key: Mapping) -> Iterator[Entry]:
    """What one file holds; raises DataError where it cannot be read at all."""
    wanted = "give the filled sheets of the raters"
    if file.suffix.lower() == ".json":
        yield from _page_entries(file, read_json(file, wanted), key)
    else:
        yield from _csv_entries(file, read_text(file, wanted))


def _page_entries(file: Path, saved, key: Mapping) -> Iterator[Entry]:
    try:
        study, rater, ratings, comments = (
            saved["study"],
            saved["rater"],
            saved["ratings"],
            saved.get("comments", {}),
        )
        ratings, comments = dict(ratings), dict(comments)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: not what a rating page saves ({type(error).__name__}: {error})"
        ) from None
    if study != key["study"]:
        raise DataError(f"{file}: belongs to the study {study!r:.40}, the key to {key['study']!r}")
    for item in dict.fromkeys([*ratings, *comments]):
        given = ratings.get(item, {})
        if not isinstance(given, dict):
            raise DataError(
                f"{file}: {item} is rated {given!r:.40}; dimensions with numbers belong there"
            )
        yield Entry(str(rater), item, given, str(comments.get(item, "")), f"{file}")


def _csv_entries(file: Path, text: str) -> Iterator[Entry]:
    """Rows by name, wherever they stand. Spreadsheets of some countries separate by semicolons or
    tabs.
    """
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DataError(f"{file}: not a CSV file ({error})") from None
    if not rows or not {"item", "rater"} <= rows[0].keys():
        raise DataError(f"{file}: no rows with the columns item and rater; give a filled sheet")
    other = {"item", "rater", "background", "conversation", "reply", "comment", None}
    for number, row in enumerate(rows, 2):
        given = {
            name: value.strip()
            for name, value in row.items()
            if name not in other and value and value.strip() not in ("", NOT_ASKED, "-")
        }
        comment = (row.get("comment") or "").strip()
        if (row["item"] or "").strip() or given:
            yield Entry(
                (row["rater"] or "").strip(),
                (row["item"] or "").strip(),
                given,
                comment,
                f"{file} row {number}",
            )


def _checked(entry: Entry, key: Mapping, problems: list[str]) -> dict[str, int] | None:
    """The entry's numbers, or None where it belongs nowhere; what is wrong goes to `problems`."""
    known = key["items"].get(entry.item)
    if known is None:
        problems.append(f"{entry.where}: there is no item {entry.item!r:.60} in this study")
        return None
    if entry.rater not in known["raters"]:
        problems.append(
            f"{entry.where}: {entry.item} was not given to {entry.rater!r:.40} (but to"
            f" {', '.join(known['raters'])})"
        )
        return None
    scores = {}
    for name, value in entry.given.items():
        number = _likert(value)
        if name not in known["dimensions"]:
            problems.append(f"{entry.where}: {entry.item} is not rated on {name!r:.40}")
        elif number is None:
            problems.append(
                f"{entry.where}: {entry.item} {name} is {value!r:.40}; a whole number 1..5 belongs"
                " there"
            )
        else:
            scores[name] = number
    return scores


def _likert(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[1-5]([.,]0*)?", value):
        return int(value[0])
    return value if type(value) is int and 1 <= value <= 5 else None


def _rating(entry: Entry, scores: Mapping[str, int], known: Mapping) -> Rating:
    parts: Sequence[str] = (
        "model",
        "task",
        "unit",
        "conversation_id",
        "language",
        "topic",
        "stage",
        "length",
    )
    unit = {name: known[name] for name in parts}
    return Rating(kind="human", rater=entry.rater, asked="", scores=dict(scores), **unit)
