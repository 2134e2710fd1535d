"""What each config of a dataset folder holds: one table of columns, the `datasets.Features` made
from it, and the checks of rows.

Arrow fills a missing column with null and drops an unknown one without a word, so rows are checked
here before they are written.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

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


def features(config: str):
    """The `datasets.Features` of a config."""
    from datasets import Features, Value

    def feature(kind):
        return (
            Value(kind)
            if isinstance(kind, str)
            else [{name: Value(inner) for name, inner in kind.items()}]
        )

    return Features({name: feature(kind) for name, (kind, _) in columns(config).items()})


def checked_splits(config: str, parts: Mapping[str, Sequence[dict]]) -> dict[str, list[dict]]:
    """The splits of a config in the order train, validation, test, their rows sorted by id.

    Raises SettingError for an unknown split, DataError for an empty one, for a row that does not
    fit the columns or the rules of a conversation or question, for an id that occurs twice in a
    split, and for a conversation in two splits: what is trained on would be tested on.
    """
    if unknown := [split for split in parts if split not in SPLITS]:
        raise SettingError(
            f"config {config}: split {', '.join(unknown)} does not exist; splits are"
            f" {', '.join(SPLITS)}"
        )
    checked = {
        split: _checked_rows(config, split, parts[split]) for split in SPLITS if split in parts
    }
    owner: dict[str, str] = {}
    for split, rows in checked.items():
        for row in rows:
            first = owner.setdefault(row["conversation_id"], split)
            if first != split:
                name = row["conversation_id"]
                raise DataError(
                    f"config {config}: {name} is in {first} and in {split}; a conversation belongs"
                    " to one split"
                )
    return checked


def describe_rows(config: str, rows: Sequence[dict]) -> dict:
    """Counts of one split, and a hash of its rows that does not depend on the parquet writer's
    version.
    """
    description: dict = {"rows": len(rows)}
    if "dialogue" in columns(config):
        turns = [turn for row in rows for turn in row["dialogue"]]
        labels = Counter(turn["strategy"] for turn in turns if turn["speaker"] == SUPPORTER)
        description["turns"] = len(turns)
        description["supporter_turns_labelled"] = sum(n for label, n in labels.items() if label)
        description["supporter_turns_unlabelled"] = labels[""]
        description["strategies"] = {s.id: labels[s.id] for s in STRATEGIES}
    digest = hashlib.sha256()
    for row in rows:
        digest.update(
            json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
            + b"\n"
        )
    return description | {"content_sha256": digest.hexdigest()}


def _checked_rows(config: str, split: str, rows: Sequence[dict]) -> list[dict]:
    if not rows:
        raise DataError(
            f"config {config}, {split}: there are no rows; leave the split out or look at what was"
            " dropped"
        )
    for i, row in enumerate(rows):
        where = f"config {config}, {split} row {i}"
        _check_row(row, columns(config), where)
        _check_written(row, where)
    ordered = sorted(rows, key=_row_id)
    for before, after in pairwise(ordered):
        if _row_id(before) == _row_id(after):
            raise DataError(
                f"config {config}, {split}: the id {after['conversation_id']} occurs twice; remove"
                " the duplicate"
            )
    return ordered


def _check_written(row: dict, where: str) -> None:
    """Raise DataError for a row that breaks a rule, or has a name that readers would take for one
    of ours (a strategy's for its id).
    """
    item = (Conversation if "dialogue" in row else Question).from_row(row, where)
    read = item.to_row()
    for name in ("dialogue", "conversation_history"):
        for i, (given, ours) in enumerate(zip(row.get(name, ()), read.get(name, ()), strict=True)):
            if given != ours:
                raise DataError(
                    f"{where}: {name} {i} is written as {given!r:.120}; a dataset folder says"
                    f" {ours!r:.120}"
                )


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
        and item.keys() == kind.keys()
        and all(isinstance(text, str) for text in item.values())
    )
