"""What a record in a samples file says of several strategies: whether it can be read."""

from collections.abc import Mapping
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID
from csc_tasks.labels import label_problems, labels_of


def check_raters(record: Mapping[str, Any], where: str) -> None:
    """Raise DataError for labels of several raters, or for strategies of a reply that names
    several, that are not as a run logs them.
    """
    if "labels" in record:
        labels = labels_of(record["labels"], where)
        problems = label_problems(labels)
        if problems or [label.to_json() for label in labels] != record["labels"]:
            what = problems[0] if problems else "they are not as a corpus holds them"
            raise DataError(f"{where}: labels of turn {record['turn']}: {what}")
    named = record.get("strategies", [])
    if not isinstance(named, list) or not all(
        isinstance(name, str) and name in BY_ID for name in named
    ):
        raise DataError(
            f"{where}: strategies is {named!r:.60}; it must be a list of {', '.join(BY_ID)}"
        )
