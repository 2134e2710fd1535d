"""A corpus name, file, folder or Hub id -> conversations or questions, whatever public schema they
are in.

Read are our dataset folders (and Hub repositories of that layout), the embedded demo, the published
CSConv/RoleCS files (DianJin/DianJin-CSC-Data) and the published QA rows
(Lakshan2003/customer-support-client-agent-conversations). Nothing is dropped in silence: what a
reader changes or leaves out is in `Corpus.counts`.
"""

import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from csc_tasks import shapes
from csc_tasks.conversation import Conversation
from csc_tasks.corpora.bad_rows import BadRows, shown
from csc_tasks.corpora.files import (
    CONFIGS,
    SPLITS,
    choose_files,
    one_set,
    relative_files,
)
from csc_tasks.corpora.remote import from_hub
from csc_tasks.corpora.rows import rows_of
from csc_tasks.corpora.schemas import read_conversation, read_question, text_of_row
from csc_tasks.errors import DataError, SettingError
from csc_tasks.labels import labels_hash, row_labels_hash, without_labels
from csc_tasks.languages.detect import settle
from csc_tasks.question import Question

__all__ = [
    "CONFIGS",
    "DEMO_DIR",
    "SPLITS",
    "Corpus",
    "available",
    "choose_files",
    "content_hash",
    "file_config",
    "load",
]

Item = Conversation | Question
Placed = tuple[Mapping[str, Any], str]
"""A row, and where it stands (the words that open an error about it)."""

DEMO_DIR = Path(__file__).resolve().parents[1] / "demo"


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was read. `items` are Conversations (csconv, rolecs) or Questions (qa) in sha256(id)
    order, so that a prefix is a random sample.

    `revision` is the resolved commit of a Hub repository, else None. `content_hash` identifies the
    items whatever file they came in, `labels` what several raters say of their turns (None where
    nobody does). `counts` holds what reading did to them, by reason.
    `left_out` says what is wrong with each row that was left out because it cannot be read.
    """

    name: str
    config: str
    split: str
    items: tuple[Any, ...]
    revision: str | None
    content_hash: str
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    labels: str | None = None

    @property
    def languages(self) -> list[str]:
        """The languages that occur, sorted."""
        return sorted({item.language for item in self.items})

    def summary(self) -> str:
        """One line for a log: what was read, from where, and everything that was changed."""
        at = f"@{self.revision[:12]}" if self.revision else ""
        kind = "questions" if self.config.startswith("qa") else "conversations"
        done = "".join(f"; {count} {reason}" for reason, count in sorted(self.counts.items()))
        return (
            f"{self.name}{at}: {len(self.items)} {kind} ({self.config}/{self.split},"
            f" {'+'.join(self.languages)}){done}"
        )

    def report(self) -> list[str]:
        """`summary`, and a line for each row that was left out, the first of them where there are
        many.
        """
        return [self.summary(), *(f"left out: {text}" for text in shown(self.left_out))]


def load(
    name: str,
    config: str,
    split: str,
    revision: str | None = None,
    bad_rows: str | None = None,
) -> Corpus:
    """Read one split of a corpus.

    name: `demo`, a folder, a file, or a Hub dataset id (optionally `ORG/NAME@REVISION`). config:
    csconv, rolecs, qa or qa_<variant>. bad_rows: "drop" leaves rows out that cannot be read, and
    counts them; "error" and None do not, None where the user has no such choice. Raises DataError
    that names file and rows, all of them up to 20, or, when there is no such split, says what there
    is; SettingError for a revision of something that is not on the Hub.
    """
    if revision and (name == "demo" or os.path.exists(os.path.expanduser(name))):
        raise SettingError(
            f"{name} is here and no Hub id, so it has no revision {revision!r}; leave the"
            " revision out"
        )
    if name == "demo":
        root, commit = DEMO_DIR, None
    elif os.path.exists(os.path.expanduser(name)):
        root, commit = Path(name).expanduser(), None
    else:
        root, commit = from_hub(name, config, split, revision)
    if root.is_file():
        files = [root]
    else:
        listed = relative_files(root)
        files = [root / file for file in one_set(name, listed, config, split)]
    bad = BadRows()
    rows: list[Placed] = []
    for file in files:
        place = name if root.is_file() else f"{name} {file.relative_to(root).as_posix()}"
        for number, row in rows_of(file, place):
            where = bad.place(f"{place} row {number}")
            if isinstance(row, DataError):
                bad.add(where, row)
            else:
                rows.append((row, where))
    items, counts = _items_of(rows, config, bad)
    if bad_rows == "drop":
        # Again without the bad ones, until none is met: they have no say in the others' language.
        while len(readable := [placed for placed in rows if placed[1] not in bad]) < len(rows):
            rows = readable
            items, counts = _items_of(rows, config, bad)
    left_out = bad.settle(name, bad_rows, len(items), counts)
    if not items:
        what = "the file" if root.is_file() else f"{config}/{split}"
        raise DataError(f"{name}: {what} has no rows ({', '.join(file.name for file in files)})")
    return Corpus(
        name,
        config,
        split,
        tuple(items),
        commit,
        content_hash(items),
        dict(counts),
        tuple(left_out),
        labels_hash(
            (item.conversation_id, row_labels_hash(item.to_row()))
            for item in items
            if isinstance(item, Conversation)
        ),
    )


def file_config(file: Path) -> str:
    """The config that the rows of a single file belong to, by the first of them: qa, or csconv for
    conversations of any kind.
    """
    first = next(rows_of(file, str(file)), (0, {}))[1]
    if isinstance(first, DataError):
        raise first
    return "qa" if "client_question" in first else "csconv"


def available(name: str, config: str, split: str) -> bool:
    """Whether a local corpus (`demo` or a folder) has this split."""
    root = DEMO_DIR if name == "demo" else Path(name).expanduser()
    return root.is_dir() and bool(choose_files(relative_files(root), config, split))


class HasRow(Protocol):
    """What can be written as a row of a dataset."""

    def to_row(self) -> Mapping[str, Any]:
        """The row."""
        ...


def content_hash(items: Iterable[HasRow]) -> str:
    """sha256 (16 hex digits) over the items' rows in order, without the labels of several raters:
    what a model was asked stays the same when somebody labels it later.
    """
    digest = hashlib.sha256()
    for item in items:
        row = without_labels(item.to_row())
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:16]


def _items_of(rows: Sequence[Placed], config: str, bad: BadRows) -> tuple[list[Item], Counter[str]]:
    """The items of these rows in sha256(id) order, and what was done to them; rows that are none go
    to `bad`.
    """
    counts: Counter[str] = Counter()
    read = read_question if config.startswith("qa") else read_conversation
    placed: list[tuple[Item, str]] = []
    for row, where in _with_languages(rows, counts, bad):
        try:
            placed.append((read(row, where, config, counts), where))
        except DataError as error:
            bad.add(where, error)
    return sorted(_with_unique_ids(placed, counts, bad), key=_order), counts


def _with_languages(rows: Sequence[Placed], counts: Counter[str], bad: BadRows) -> list[Placed]:
    """The rows (row, where), each with a language: the one it declares, else the one that its text
    is in. Those without a text that can be read, or in no language of ours, are bad.
    """
    # A row without a text is refused where it is read.
    silent = {
        where
        for row, where in rows
        if not row.get("language") and ("client_question" in row or shapes.turns_key(row))
    }
    named = [row.get("language") for row, _ in rows]
    declared = Counter(name for name in named if isinstance(name, str) and name)
    texts: list[tuple[str, str]] = []
    for row, where in rows:
        if where in silent:
            try:
                texts.append((where, text_of_row(row, where)))
            except DataError as error:
                bad.add(where, error)
    codes: dict[str, str] = {}
    for (where, _), code in zip(texts, settle(texts, declared, counts), strict=True):
        if isinstance(code, DataError):
            bad.add(where, code)
        else:
            codes[where] = code
    return [
        ({**row, "language": codes[where]} if where in codes else row, where)
        for row, where in rows
        if where in codes or where not in silent
    ]


def _key(item: Item) -> str:
    return (
        f"{item.conversation_id}/{item.turn_index}"
        if isinstance(item, Question)
        else item.conversation_id
    )


def _order(item: Item) -> tuple[str, str]:
    return hashlib.sha256(_key(item).encode()).hexdigest(), _key(item)


def _with_unique_ids(
    placed: Sequence[tuple[Item, str]], counts: Counter[str], bad: BadRows
) -> Iterator[Item]:
    """Rows that share an id would be one cluster twice over: identical content is numbered on,
    differing content is bad.
    """
    taken = {item.conversation_id for item, _ in placed}
    first: dict[str, tuple[Item, str]] = {}
    for item, where in placed:
        original, there = first.setdefault(_key(item), (item, where))
        if where == there:
            yield item
            continue
        if item != original:
            text = (
                f"{where}: the id {_key(item)!r} stands for another row too, {there}; ids must be"
                " unique"
            )
            bad.add(where, DataError(text))
            continue
        names = (f"{item.conversation_id}-{number}" for number in itertools.count(2))
        numbered = next(name for name in names if name not in taken)
        taken.add(numbered)
        counts["identical rows kept under a numbered id"] += 1
        yield replace(item, conversation_id=numbered)
