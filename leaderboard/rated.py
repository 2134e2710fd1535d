"""Columns that hold ratings (csc_tasks/runs/names.py has their names): what is to be said about
them below a table.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from csc_tasks.runs.names import MISSING, PEOPLE

if TYPE_CHECKING:
    from leaderboard.board import Column, Row

SCALES = (
    "Ratings are of a sample: by judges from 0 to 100, by people from 1 to 5; overall is the mean"
    " of a rating's dimensions. In generated context they are of the whole conversation as the"
    " model played it (unless the signature says unit:reply), elsewhere of one reply. A rating that"
    " could not be read is missing, never 0."
)
AUDITS = (
    "Unsupported facts by a judge: of a sample of single replies, the share in which it found at"
    " least one name, number, amount, date or code that neither history nor summary, instruction,"
    " question or evidence supports. In generated context too these are single replies, and the"
    " model's own earlier turns support nothing. A reply without a usable answer is missing, never"
    " free of unsupported facts."
)

LABELS = (
    "Labelled afterwards: a labeller read each reply and said which strategy it is, whatever the"
    " run itself chose. Such a number rests on the labeller as much as on the run, and stands in a"
    " column of its own: csc label report says how far a labeller agrees with people. A failed or"
    " empty reply counts as wrong, one without a usable label is missing."
)


def asked(signature: str) -> str:
    """What all columns of one rater have in common: the signature without its first part, which
    names the column.
    """
    return signature.partition("|")[2] or signature


def notes(columns: Sequence["Column"], rows: Sequence["Row"]) -> Iterable[str]:
    """Footnotes: how ratings and audits are to be read, what every rater was asked, and how many of
    its answers are missing.
    """
    kinds = ((SCALES, "ratings"), (AUDITS, "audits"), (LABELS, "labels"))
    for explanation, kind in kinds:
        own = [column for column in columns if column.rater and kind_of(column) == kind]
        if own:
            yield explanation
        for rater in dict.fromkeys(column.rater for column in own):
            theirs = [column for column in own if column.rater == rater]
            name = f"{rater}, unsupported facts" if kind == "audits" else rater
            texts = list(dict.fromkeys(asked(column.signature) for column in theirs))
            for text in texts:
                groups = ", ".join(
                    dict.fromkeys(
                        column.group for column in theirs if asked(column.signature) == text
                    )
                )
                yield f"{name} ({groups}): {text}" if len(texts) > 1 else f"{name}: {text}"
            absent = [
                row.values[column.key]
                for column in theirs
                if column.metric.endswith(f"_{MISSING}")
                for row in rows
                if column.key in row.values
            ]
            if total := sum(value.items for value in absent):
                gone = round(
                    sum(value.value * value.items for value in absent if value.value is not None)
                )
                yield f"{name}: {gone:,} of {total:,} {_what(kind)} missing"


def kind_of(column: "Column") -> str:
    """ratings, audits or labels."""
    if column.afterwards:
        return "labels"
    return "audits" if column.audits else "ratings"


def _what(kind: str) -> str:
    """What each number of a kind is about."""
    return "replies" if kind == "audits" else kind


def doubts(columns: Iterable["Column"], signatures: Sequence[str] | None) -> list[str]:
    """What is to be said about ratings that no reliability report, or one about other ratings,
    stands beside. signatures: those of that report; None where there is no report.

    Fact audits have none: csc judge facts itself says how far judge and rule agree. Labels have
    one of their own, csc label report.
    """
    asked_of: dict[str, set[str]] = {}
    for column in columns:
        if column.rater and kind_of(column) == "ratings":
            asked_of.setdefault(column.rater, set()).add(asked(column.signature))
    if signatures is None:
        what = (
            "nothing here says how far these ratings can be believed; csc agreement does, give its"
            " report with --reliability"
        )
        return [f"{', '.join(asked_of)}: {what}"] if asked_of else []
    known = {signature.removeprefix("judge ") for signature in signatures}
    return [
        f"{rater}: the reliability report is about other ratings; none of its signatures is"
        f" {signature}"
        for rater, texts in asked_of.items()
        if rater != PEOPLE
        for signature in sorted(texts - known)
    ]
