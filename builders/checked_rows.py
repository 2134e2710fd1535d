"""Rows are checked before they are written: columns and types, the rules that readers go by, ids
that occur once, and conversations that stay in one split.

Arrow fills a missing column with null and drops an unknown one without a word.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from builders.rows import Ordered, Rows
from builders.schema import NULLABLE, SPLITS, columns
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live import Brief
from csc_tasks.question import Question

Item = Conversation | Question | Brief
"""What readers make of a row."""


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


def checked_rows(config: str, split: str, rows: Rows) -> Iterator[tuple[dict, Item]]:
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


def _each_checked(config: str, split: str, rows: Rows) -> Iterator[tuple[dict, Item]]:
    expected = columns(config)
    for i, row in enumerate(rows):
        where = f"config {config}, {split} row {i}"
        _check_row(row, expected, where)
        yield row, _check_written(row, where)


def _check_written(row: dict, where: str) -> Item:
    """What readers make of a row; raises DataError for one that breaks a rule, or has a name that
    readers would take for one of ours (a strategy's for its id).
    """
    if "aim" in row:
        return Brief.from_json(row, where)
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
        elif isinstance(kind, list):
            if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
                raise DataError(f"{where}: {name} must be a list of texts")
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
