"""A dataset to review, and its table as reviewers and spreadsheets hand it back."""

import csv
import io

from builders.cards.render import Card
from builders.dataset import read_folder
from builders.review.table import COLUMNS
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn, content_id

CARD = Card(
    title="Reviewed",
    summary="For tests.",
    licence="mit",
    copyright="Copyright (c) 2020 Nobody",
    languages=("zh", "en"),
    source="Made up.\n\nIn two parts.",
    made="By hand:\n\n- first\n- then",
    limits=("Only two.", "Both short."),
    citation="@misc{two}",
    tags=("synthetic",),
)
NASTY = (
    "=cmd|' /C calc'!A0",
    "'=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "0314",
    "9931939443153",
    "3/5",
    "10:30",
    "TRUE",
    "May 5",
    "'tis fine",
    'He said: "no",\n; then',
    "a;=1+1;b",
    "a,\t@x",
    "</script><script>alert(1)</script>",
    "<!-- <b>&amp; \u2028",
    "3月5日",
    "50%",
    '=HYPERLINK("http://x")',
    "” “ 你好；再见",
)


def conversation(number, language="en", texts=None, **more):
    """Ten turns: GT, then the middle, then AC; `texts` replaces what is said from turn 2 on."""
    strategies = ["GT", "IV", "PR", "PS", "AC"]
    said = [
        f"Turn {i} of {number}." if language == "en" else f"第{number}段对话里的第{i}句话。"
        for i in range(10)
    ]
    said[1 : 1 + len(texts or ())] = texts or ()
    turns = tuple(
        Turn("customer", text) if i % 2 else Turn("supporter", text, strategies[i // 2])
        for i, text in enumerate(said)
    )
    name = content_id(
        "csconv", language, [[turn.speaker, turn.strategy, turn.text] for turn in turns]
    )
    return Conversation(name, language, "Product Consultation", "test", turns, **more)


PLAIN = [conversation(0), conversation(1, "zh"), conversation(2), conversation(3)]
HARD = [
    conversation(4, texts=NASTY[:9]),
    conversation(5, texts=NASTY[9:18]),
    conversation(6, texts=NASTY[18:]),
]


def run(*words):
    return main([str(word) for word in words])


def exported(folder, *options):
    """The rows of the table that export writes (a fresh review/ folder beside the dataset), as a
    spreadsheet holds them.
    """
    out = folder.with_name("review")
    assert run("review", "export", folder, "--out", out, *options) == 0
    with (out / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def saved(path, rows, delimiter=",", encoding="utf-8-sig", newline="\r\n", columns=COLUMNS):
    """A table as a spreadsheet program would save it."""
    text = io.StringIO()
    out = csv.DictWriter(
        text, columns, delimiter=delimiter, lineterminator=newline, extrasaction="ignore"
    )
    out.writeheader()
    out.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def dialogues(folder):
    _, rows = read_folder(folder)
    return {
        row["conversation_id"]: row["dialogue"]
        for splits in rows.values()
        for part in splits.values()
        for row in part
    }


def mark(rows, one, number=1, **cells):
    """Fill cells of a conversation's turn."""
    next(
        row
        for row in rows
        if row["conversation_id"] == one.conversation_id and row["turn"] == str(number)
    ).update(cells)


ONE = PLAIN[0].conversation_id
