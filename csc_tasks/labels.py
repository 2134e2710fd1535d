"""What several raters, people and models, hold to be a good strategy at one supporter turn: a Label
each, and the one strategy that they make together.

A turn of a corpus may carry `labels: [{rater, strategies: [id, ...]}]` beside its `strategy`. A
rater who combines strategies names them in order. A model's name starts with `model:`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from csc_tasks import shapes
from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID, STRATEGIES
from csc_tasks.languages.labels import closest_label

MODEL = "model:"
"""What the name of a rater that is a model starts with."""
OWN = "corpus"
"""The rater of strategies that a corpus came with and no label stood behind."""


@dataclass(frozen=True, slots=True)
class Label:
    """What one rater says of one turn: strategy ids in the rater's order, the main one first."""

    rater: str
    strategies: tuple[str, ...]

    @property
    def by_model(self) -> bool:
        """Whether the rater is a model."""
        return self.rater.startswith(MODEL)

    def to_json(self) -> dict[str, Any]:
        """The record of a dataset row."""
        return {"rater": self.rater, "strategies": list(self.strategies)}


def majority(labels: Iterable[Label]) -> str:
    """The strategy that most raters name first, of a tie the earliest in the framework's order; ""
    where there is no label.
    """
    votes = Counter(label.strategies[0] for label in labels)
    most = max(votes.values(), default=0)
    return next((strategy.id for strategy in STRATEGIES if most and votes[strategy.id] == most), "")


def labels_of(value: object, where: str) -> tuple[Label, ...]:
    """The labels in a row's turn; none for an absent or empty list. Strategies may go by a name;
    what is no strategy stays as it is, for `label_problems` to list.

    Raises DataError, opened by `where`, for anything that is no list of labels.
    """
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise DataError(
            f"{where}: labels is {value!r:.80}; it must be a list of"
            ' {"rater": name, "strategies": [id, ...]}'
        )
    return tuple(_label(label, f"{where} label {i}") for i, label in enumerate(value))


def _label(value: object, where: str) -> Label:
    given = value if isinstance(value, Mapping) else {}
    rater, named = given.get("rater"), given.get("strategies")
    listed = list(named) if isinstance(named, Iterable) else []
    names = [name for name in listed if isinstance(name, str)]
    if (
        not isinstance(rater, str)
        or not isinstance(named, Iterable)
        or isinstance(named, str | Mapping)
        or len(names) < len(listed)
    ):
        raise DataError(
            f"{where}: found {value!r:.120}; a label needs 'rater' as text and 'strategies' as a"
            " list of texts"
        )
    return Label(rater, tuple(shapes.strategy_of(name) or name for name in names))


def label_problems(labels: Sequence[Label]) -> list[str]:
    """What is wrong with the labels of one turn, in their order; empty when they are sound."""
    broken = []
    for rater, count in Counter(label.rater for label in labels).items():
        if not rater.strip():
            broken.append("a label names no rater")
        elif count > 1:
            broken.append(f"rater {rater!r} labels it {count} times")
    for label in labels:
        if not label.strategies:
            broken.append(f"rater {label.rater!r} names no strategy")
        for name, count in Counter(label.strategies).items():
            if name not in BY_ID:
                broken.append(
                    f"strategy {name!r} of rater {label.rater!r} is not one of the 12 (closest:"
                    f" {closest_label(name)})"
                )
            elif count > 1:
                broken.append(f"rater {label.rater!r} names {name} {count} times")
    return broken


def without_labels(row: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation's row without its turns' labels: what a model is asked about, and what a
    corpus is identified by, whoever labels it later.
    """
    turns = row.get("dialogue")
    if not isinstance(turns, list) or not any(map(_carries_labels, turns)):
        return dict(row)
    return {
        **row,
        "dialogue": [
            {name: value for name, value in turn.items() if name != "labels"}
            if _carries_labels(turn)
            else turn
            for turn in turns
        ],
    }


def _carries_labels(turn: object) -> bool:
    """Of a turn as a file holds it, which may be anything."""
    return isinstance(turn, Mapping) and "labels" in turn


def row_labels_hash(row: Mapping[str, Any]) -> str | None:
    """sha256 (hex) of the labels of a conversation's row; None where it has none."""
    turns = row.get("dialogue")
    labels = [
        turn.get("labels") or [] if isinstance(turn, Mapping) else []
        for turn in (turns if isinstance(turns, list) else [])
    ]
    if not any(labels):
        return None
    text = json.dumps(labels, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def labels_hash(documents: Iterable[tuple[str, str | None]]) -> str | None:
    """sha256 (16 hex digits) over the labels of a corpus, given each document's key and the hash of
    its labels, in order; None where there are none.
    """
    labelled = [[key, own] for key, own in documents if own is not None]
    text = json.dumps(labelled, ensure_ascii=False)
    return (
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16] if labelled else None
    )
