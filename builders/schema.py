"""What each config of a dataset folder holds: one table of columns, the `datasets.Features` made
from it, and the checks of rows.

Arrow fills a missing column with null and drops an unknown one without a word, so rows are checked
here before they are written.
"""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import STRATEGIES
from csc_tasks.question import Question

SPLITS = ("train", "validation", "test")

# Name -> (type, meaning). A type is the name of an Arrow type, or a mapping of names to types for a
# list of such records.
_CONVERSATION = {
    "conversation_id": (
        "string",
        "made from the content: the same conversation always has the same id",
    ),
    "language": ("string", "`zh` or `en`"),
    "topic": (
        "string",
        "one of the eight topics of CSConv, in English; empty where it is not known",
    ),
    "source": ("string", "where the conversation comes from"),
    "dialogue": (
        {"speaker": "string", "strategy": "string", "text": "string"},
        (
            "the turns as spoken; `speaker` is `supporter` or `customer`; `strategy` is one of the"
            ' twelve ids, and `""` on customer turns and unlabelled supporter turns'
        ),
    ),
}
COLUMNS = {
    "csconv": _CONVERSATION,
    "rolecs": (
        _CONVERSATION
        | {
            "profile": ("string", "who the customer is"),
            "scenario": ("string", "what happened"),
            "goal": ("string", "what the customer wants"),
        }
    ),
    "qa": {
        "conversation_id": (
            "string",
            "made from the content: the same conversation always has the same id",
        ),
        "turn_index": ("int32", "which customer-agent pair of the conversation this is, from 0"),
        "turns_total": ("int32", "how many pairs the conversation has, where known"),
        "stage": ("string", "`early`, `mid` or `late`, where labelled"),
        "language": ("string", "`zh` or `en`"),
        "topic": (
            "string",
            "one of the eight topics of CSConv, in English; empty where it is not known",
        ),
        "source": ("string", "where the conversation comes from"),
        "instruction": ("string", "the system prompt"),
        "conversation_history": (
            {"speaker": "string", "text": "string"},
            "the turns before the question",
        ),
        "history_summary": ("string", "those turns, summarised"),
        "client_question": ("string", "the customer's turn that is answered"),
        "agent_answer": ("string", "the answer as given"),
        "refined_agent_answer": ("string", "the answer rewritten: the reference"),
    },
}
NULLABLE = frozenset({"turns_total", "stage"})

LABELS = (
    "`dialogue.labels`",
    (
        "what each of several raters says of a supporter turn: `rater`, and `strategies` in order,"
        " the main one first (a model's name starts with `model:`); `strategy` is what most raters"
        " name first, of a tie the earliest of the twelve"
    ),
)
"""Name and meaning of what turns of a conversation carry where several raters labelled it."""


class Rows(Protocol):
    """The rows of one split: a list, or `Ordered`."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[dict]: ...


class Ordered:
    """So many rows in the order of their ids, made anew by `make` each time they are read: they
    need not fit into memory. labelled: whether turns may carry labels.
    """

    def __init__(
        self, length: int, make: Callable[[], Iterator[dict]], labelled: bool = False
    ) -> None:
        self._length, self._make, self.labelled = length, make, labelled

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict]:
        return self._make()


def changed(rows: Rows, change: Callable[[dict], dict]) -> Rows:
    """The rows after a change that leaves their ids."""
    if isinstance(rows, Ordered):
        return Ordered(len(rows), lambda: map(change, rows), rows.labelled)
    return list(map(change, rows))


def columns(config: str) -> dict[str, tuple]:
    """Name -> (type, meaning) of a config's columns; raises SettingError for a config that does not
    exist.
    """
    base = "qa" if config.startswith("qa_") else config
    if base not in COLUMNS:
        raise SettingError(
            f"config {config!r} does not exist; there are {', '.join(COLUMNS)} and qa_<name>"
        )
    return COLUMNS[base]


def is_labelled(parts: Iterable[Rows]) -> bool:
    """Whether turns in one of these splits carry labels; of `Ordered` rows, whether they may."""
    return any(
        part.labelled if isinstance(part, Ordered) else any(map(_has_labels, part))
        for part in parts
    )


def _has_labels(row: Mapping) -> bool:
    return any(turn.get("labels") for turn in row.get("dialogue", ()))


def features(config: str, labelled: bool = False):
    """The `datasets.Features` of a config; labelled: with the labels of several raters."""
    from datasets import Features, Value

    def feature(kind):
        return (
            Value(kind)
            if isinstance(kind, str)
            else [{name: Value(inner) for name, inner in kind.items()}]
        )

    described = {name: feature(kind) for name, (kind, _) in columns(config).items()}
    if labelled:
        described["dialogue"][0]["labels"] = [
            {"rater": Value("string"), "strategies": [Value("string")]}
        ]
    return Features(described)


def unlabelled(row: dict) -> dict:
    """A row for a file without labels; raises DataError where it has some, which Arrow would drop
    without a word.
    """
    if _has_labels(row):
        raise DataError(
            f"{row['conversation_id']}: turns carry labels, but the rows were announced without"
        )
    return row


def stored(row: dict) -> dict:
    """A row as a file whose turns have labels holds it: an empty list where a turn has none."""
    return {**row, "dialogue": [{"labels": [], **turn} for turn in row["dialogue"]]}


def as_made(row: dict) -> dict:
    """A row out of such a file: no `labels` where a turn has none."""
    if not any("labels" in turn for turn in row.get("dialogue", ())):
        return row
    turns = [
        {name: value for name, value in turn.items() if value or name != "labels"}
        for turn in row["dialogue"]
    ]
    return {**row, "dialogue": turns}


def checked_splits(config: str, parts: Mapping[str, Rows]) -> dict[str, list[dict]]:
    """The splits of a config in the order train, validation, test, their rows sorted by id.

    Raises what `check_names`, `checked_rows` and `check_owners` do.
    """
    check_names(config, parts)
    checked = {
        split: [row for row, _ in checked_rows(config, split, parts[split])]
        for split in SPLITS
        if split in parts
    }
    check_owners(
        config,
        {split: [row["conversation_id"] for row in rows] for split, rows in checked.items()},
    )
    return checked


def check_names(config: str, splits: Iterable[str]) -> None:
    """Raise SettingError for an unknown split."""
    if unknown := [split for split in splits if split not in SPLITS]:
        raise SettingError(
            f"config {config}: split {', '.join(unknown)} does not exist; splits are"
            f" {', '.join(SPLITS)}"
        )


def checked_rows(
    config: str, split: str, rows: Rows
) -> Iterator[tuple[dict, Conversation | Question]]:
    """The rows of a split sorted by id, each with what readers make of it; `Ordered` rows are taken
    one by one.

    Raises DataError where there are none, for a row that does not fit the columns or the rules of a
    conversation or question, and for an id that occurs twice.
    """
    checked = _each_checked(config, split, rows)
    if not isinstance(rows, Ordered):
        checked = iter(sorted(checked, key=lambda row_and_item: _row_id(row_and_item[0])))
    before = None
    for row, item in checked:
        if before is not None and before == _row_id(row):
            raise DataError(
                f"config {config}, {split}: the id {row['conversation_id']} occurs twice; remove"
                " the duplicate"
            )
        before = _row_id(row)
        yield row, item
    if before is None:
        raise DataError(
            f"config {config}, {split}: there are no rows; leave the split out or look at what was"
            " dropped"
        )


def check_owners(config: str, ids: Mapping[str, Iterable[str]]) -> None:
    """Raise DataError for a conversation in two splits: what is trained on would be tested on.

    ids: the sorted ids of each split, the splits in order.
    """
    merged = heapq.merge(*(_owned(names, place) for place, names in enumerate(ids.values())))
    splits = tuple(ids)
    for (name, first), (other, second) in pairwise(merged):
        if name == other and first != second:
            raise DataError(
                f"config {config}: {name} is in {splits[first]} and in {splits[second]}; a"
                " conversation belongs to one split"
            )


def _owned(names: Iterable[str], place: int) -> Iterator[tuple[str, int]]:
    return ((name, place) for name in names)


class Description:
    """Counts of one split, and a hash of its rows that does not depend on the parquet writer's
    version.
    """

    def __init__(self, config: str) -> None:
        self._spoken = "dialogue" in columns(config)
        self._rows = self._turns = 0
        self._labels: Counter[str] = Counter()
        self._raters: Counter[str] = Counter()
        self._several = 0
        self._digest = hashlib.sha256()

    def add(self, row: dict) -> None:
        """Take the next row in."""
        self._rows += 1
        if self._spoken:
            turns = row["dialogue"]
            self._turns += len(turns)
            self._labels.update(turn["strategy"] for turn in turns if turn["speaker"] == SUPPORTER)
            for turn in turns:
                self._raters.update(label["rater"] for label in turn.get("labels", ()))
                self._several += bool(turn.get("labels"))
        text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self._digest.update(text.encode() + b"\n")

    def finish(self) -> dict:
        """What build.json says of the split."""
        description: dict = {"rows": self._rows}
        if self._spoken:
            labels = self._labels
            description["turns"] = self._turns
            description["supporter_turns_labelled"] = sum(n for label, n in labels.items() if label)
            description["supporter_turns_unlabelled"] = labels[""]
            description["strategies"] = {s.id: labels[s.id] for s in STRATEGIES}
        if self._several:
            description["turns_with_labels"] = self._several
            description["raters"] = dict(sorted(self._raters.items()))
        return description | {"content_sha256": self._digest.hexdigest()}


def describe_rows(config: str, rows: Sequence[dict]) -> dict:
    """The description of rows that are at hand."""
    description = Description(config)
    for row in rows:
        description.add(row)
    return description.finish()


def _each_checked(
    config: str, split: str, rows: Rows
) -> Iterator[tuple[dict, Conversation | Question]]:
    expected = columns(config)
    for i, row in enumerate(rows):
        where = f"config {config}, {split} row {i}"
        _check_row(row, expected, where)
        yield row, _check_written(row, where)


def _check_written(row: dict, where: str) -> Conversation | Question:
    """What readers make of a row; raises DataError for one that breaks a rule, or has a name that
    readers would take for one of ours (a strategy's for its id).
    """
    kind: type[Conversation | Question] = Conversation if "dialogue" in row else Question
    item = kind.from_row(row, where)
    read = item.to_row()
    for name in ("dialogue", "conversation_history"):
        for i, (given, ours) in enumerate(zip(row.get(name, ()), read.get(name, ()), strict=True)):
            if given != ours:
                raise DataError(
                    f"{where}: {name} {i} is written as {given!r:.120}; a dataset folder says"
                    f" {ours!r:.120}"
                )
    return item


def _row_id(row: dict) -> tuple:
    return row["conversation_id"], row.get("turn_index", 0)


def _check_row(row: dict, expected: Mapping, where: str) -> None:
    if row.keys() != expected.keys():
        missing, unknown = (
            sorted(expected.keys() - row.keys()),
            sorted(row.keys() - expected.keys()),
        )
        raise DataError(
            f"{where}: columns missing: {', '.join(missing) or 'none'}; not known:"
            f" {', '.join(unknown) or 'none'}"
        )
    for name, (kind, _) in expected.items():
        value = row[name]
        if value is None and name in NULLABLE:
            continue
        if isinstance(kind, str):
            if not isinstance(value, {"string": str, "int32": int}[kind]) or isinstance(
                value, bool
            ):
                raise DataError(f"{where}: {name} is {value!r}; expected {kind}")
        elif not isinstance(value, list) or not all(_is_record(item, kind) for item in value):
            raise DataError(
                f"{where}: {name} must be a list of records, each with the texts {', '.join(kind)}"
                " and nothing else"
            )


def _is_record(item, kind: Mapping) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() - ({"labels"} if "strategy" in kind else set()) == kind.keys()
        and all(isinstance(item[name], str) for name in kind)
    )
