"""What `csc publish` would send that leads to a person, and access tokens: (place, match) for the
gate of csc_tasks/pii.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from csc_tasks.pii import Match, find, find_tokens
from leaderboard import folder
from leaderboard.board import Board
from leaderboard.model_report import SampleConversation

Found = Iterator[tuple[str, Match]]


def in_files(files: Mapping[str, Path]) -> Found:
    """Access tokens in the texts that are sent. A results file is megabytes of numbers, among them
    many that look like a phone's: those are no words of anybody.
    """
    for name, file in files.items():
        if not name.endswith(".parquet"):
            text = file.read_bytes().decode("utf-8", "replace")
            yield from ((name, match) for match in find_tokens(text))


def in_report(root: Path) -> Found:
    """What the reliability report says in words, where the board has one."""
    if report := folder.load_reliability(root):
        cells = (cell for section in report.sections for row in section.rows for cell in row)
        texts = (*report.notes, *(cell for cell in cells if isinstance(cell, str)))
        yield from _in_texts(folder.RELIABILITY, texts)


def on_page(root: Path, board: Board) -> Found:
    """What the page shows of conversations: the samples of every table, and the examples in what is
    said of each model.
    """
    for table in board.tables:
        if not (root / "samples" / f"{table.id}.json").is_file():
            continue
        for conversation in folder.load_samples(root, table.id).conversations:
            place = f"samples/{table.id} {conversation.conversation_id}"
            yield from _in_texts(place, _texts(conversation))
    for slug in board.models:
        if not (root / "models" / f"{slug}.json").is_file():
            continue
        for diagnosis in folder.load_report(root, slug).diagnoses:
            for example in diagnosis.facts.examples if diagnosis.facts else ():
                yield from _in_texts(f"models/{slug} {example.conversation_id}", (example.reply,))


def _texts(conversation: SampleConversation) -> Iterator[str]:
    yield from (spoken.text for spoken in conversation.dialogue)
    for turn in conversation.turns:
        yield from (turn.reference, turn.question or "")
        yield from (reply.text for tasks in turn.replies.values() for reply in tasks.values())
    yield from (conversation.summary or "", conversation.instruction or "")


def _in_texts(place: str, texts: Iterable[str]) -> Found:
    """Each finding once a place: all models answer with what the customer has said."""
    matches = {(match.kind, match.value): match for text in texts for match in find(text)}
    yield from ((place, match) for match in matches.values())
